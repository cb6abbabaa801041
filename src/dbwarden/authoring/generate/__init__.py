"""Turn changes into the SQL of an upgrade and its rollback."""
