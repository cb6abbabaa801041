"""Explain and prevent the errors of a scratch database."""

import re
from collections.abc import Sequence

import asyncpg

from dbwarden.errors import RefusalCause, ScratchRefused
from dbwarden.types import DatabaseName, Location

_CAUSES: dict[str | None, RefusalCause] = {
    "23502": "missing value",
    "23505": "duplicate row",
    "3F000": "missing object",
    "42704": "missing object",
    "42883": "missing object",
    "42P01": "missing object",
}
_UNAVAILABLE_EXTENSION = ("0A000", "58P01")  # since PostgreSQL 15, and before
_NOT_IMMUTABLE = "42P17"
_UNDEFINED_OBJECT = "42704"
_INVALID_PARAMETER = "22023"

_CREATES_EXTENSION = re.compile(r"\s*create\s+extension\b", re.IGNORECASE)
_CREATES_INDEX = re.compile(r"\s*create\s+(?:unique\s+)?index\b", re.IGNORECASE)
_UPDATES_EXTENSION = re.compile(r"\s*alter\s+extension\b.*\bupdate\b", re.IGNORECASE | re.DOTALL)


def refusal(
    error: asyncpg.PostgresError,
    database: DatabaseName,
    statement: str | None,
    location: Location | None,
) -> ScratchRefused:
    """Return *error* of *statement* as the error of a scratch database."""
    cause = _CAUSES.get(error.sqlstate)
    if error.sqlstate == _INVALID_PARAMETER and _UPDATES_EXTENSION.match(statement or ""):
        cause = "no update path"
    return ScratchRefused(
        str(error.args[0]),
        cause=cause,
        sqlstate=error.sqlstate,
        database=database,
        location=location,
        statement=statement,
        detail=getattr(error, "detail", None),
        hint=getattr(error, "hint", None),
        next_step=_advice(error, statement),
    )


def _advice(error: asyncpg.PostgresError, statement: str | None) -> str | None:
    match error.sqlstate:
        case state if state in _UNAVAILABLE_EXTENSION and _CREATES_EXTENSION.match(statement or ""):
            return (
                "The scratch server does not have this extension. Name a server that has it with "
                "scratch= in database_config, or create a stand-in in a scratch_setup file."
            )
        case state if state == _UNDEFINED_OBJECT and getattr(error, "hint", None):
            # Only a type without a default operator class comes with a hint.
            return (
                "Name an operator class for the column, as in "
                "postgresql_ops={'body': 'gin_trgm_ops'} in a model (pg_trgm is an extension), or "
                "use another kind of index."
            )
        case state if state == _NOT_IMMUTABLE and _CREATES_INDEX.match(statement or ""):
            return (
                "Use immutable expressions only: casting an enum or a time to text is not "
                "immutable. Index the column itself, or call a function that is declared IMMUTABLE."
            )
        case state if _CAUSES.get(state) == "missing object":
            return (
                "Create the missing object first: in a migration, a DDL event of the models, "
                "schema_paths, or (if it exists outside dbwarden) a scratch_setup file."
            )
        case _:
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


def unless_exists(statement: str) -> str:
    """Return *statement* so that it does nothing if its object exists."""
    caught = "EXCEPTION WHEN duplicate_object THEN NULL; END"
    return f"DO $dbwarden$ BEGIN {statement}; {caught} $dbwarden$"
