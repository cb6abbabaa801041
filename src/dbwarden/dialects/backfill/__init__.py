"""Backfills on every database kind: the work, the walk over a table, and the recorded progress."""
