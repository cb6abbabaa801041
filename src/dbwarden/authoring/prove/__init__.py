"""Run migrations in scratch databases and check where they lead."""
