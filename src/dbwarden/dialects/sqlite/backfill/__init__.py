"""Run backfills on SQLite."""
