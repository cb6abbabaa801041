"""Connect, read the status, lock and run migrations."""
