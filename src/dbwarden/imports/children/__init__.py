"""Programs that run in the Python of the user's project, which may lack dbwarden."""
