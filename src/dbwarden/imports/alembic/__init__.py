"""Record the revisions of an Alembic project, which run in a process of their own."""
