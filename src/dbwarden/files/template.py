"""Provide the content of a new migration file without SQL."""


def empty_migration(message: str) -> str:
    """Return the text of a new migration file; *message* describes its purpose."""
    description = " ".join(message.split())
    return f"-- Purpose: {description}\n\n-- upgrade\n\n\n-- rollback\n\n"
