"""Run backfills on PostgreSQL: keys, batches, the rows of their progress, pressure."""
