"""Write migration files and models modules."""
