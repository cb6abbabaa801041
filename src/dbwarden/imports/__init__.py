"""Turn the migration histories of other tools into migration files."""
