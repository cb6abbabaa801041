"""Explain what a scratch database refused."""

from collections.abc import Sequence

import asyncpg


def advice(error: asyncpg.PostgresError) -> str | None:
    """Return what to do about *error* in a scratch database."""
    said = str(error.args[0]) if error.args else ""
    if "is not available" in said and "extension" in said:
        return (
            "The scratch server does not have this extension. Name a server that has it with "
            "scratch= in database_config, or make a stand-in in a scratch_setup file."
        )
    if error.sqlstate == "42703":  # a column: an expression is wrong, nothing is missing
        return None
    if error.sqlstate in ("42704", "42883") or "does not exist" in said:
        return (
            "What it needs must be made first: by a migration, by a DDL event of the models, in "
            "schema_paths, or (where it is there anyway) in a scratch_setup file."
        )
    return None


def statement_at(statements: Sequence[str], error: asyncpg.PostgresError) -> str | None:
    """Return which of *statements*, sent in one message, the server refused."""
    position = int(getattr(error, "position", None) or 0)
    if not position:
        return statements[0] if len(statements) == 1 else None
    for statement in statements:
        position -= len(statement) + 2
        if position <= 0:
            return statement
    return None
