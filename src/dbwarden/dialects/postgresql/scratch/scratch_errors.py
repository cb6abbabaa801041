"""Explain the errors of a scratch database."""

from collections.abc import Sequence

import asyncpg


def advice(error: asyncpg.PostgresError) -> str | None:
    """Return what to do about *error* in a scratch database."""
    said = str(error.args[0]) if error.args else ""
    if "is not available" in said and "extension" in said:
        return (
            "The scratch server does not have this extension. Name a server that has it with "
            "scratch= in database_config, or create a stand-in in a scratch_setup file."
        )
    if "has no default operator class" in said:
        return (
            "Name an operator class for the column, as in postgresql_ops={'body': 'gin_trgm_ops'} "
            "in a model (pg_trgm is an extension), or use another kind of index."
        )
    if "must be marked IMMUTABLE" in said:
        return (
            "Use immutable expressions only: casting an enum or a time to text is not immutable. "
            "Index the column itself, or call a function that is declared IMMUTABLE."
        )
    if error.sqlstate == "42703":  # a column: the expression is wrong, no object is missing
        return None
    if error.sqlstate in ("42704", "42883") or "does not exist" in said:
        return (
            "Create the missing object first: in a migration, a DDL event of the models, "
            "schema_paths, or (if it exists outside dbwarden) a scratch_setup file."
        )
    return None


def statement_at(statements: Sequence[str], error: asyncpg.PostgresError) -> str | None:
    """Return the refused one of *statements*, which were sent in one message."""
    position = int(getattr(error, "position", None) or 0)
    if not position:
        return statements[0] if len(statements) == 1 else None
    for statement in statements:
        position -= len(statement) + 2
        if position <= 0:
            return statement
    return None
