"""What a new migration file holds before its author writes the SQL."""


def empty_migration(message: str) -> str:
    """The text of a new migration file; *message* says what it will do."""
    description = " ".join(message.split())
    return f"-- Purpose: {description}\n\n-- upgrade\n\n\n-- rollback\n\n"
