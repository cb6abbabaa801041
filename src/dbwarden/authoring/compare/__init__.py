"""Compare the current schema with the desired one."""
