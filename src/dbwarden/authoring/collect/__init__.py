"""Models, schema files and migration files: what is desired and what is current."""
