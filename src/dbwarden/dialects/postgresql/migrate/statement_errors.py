"""Turn errors of the server into errors for the user. Pure."""

from dbwarden.dialects.base import Statement, suggest_baseline
from dbwarden.dialects.postgresql.migrate.session import ServerRefused
from dbwarden.dialects.postgresql.sql.error_texts import PostgresText
from dbwarden.errors import (
    DBWardenError,
    LedgerError,
    LockTimeout,
    ReadOnlyDatabase,
    StatementFailed,
)
from dbwarden.types import DatabaseName, Location

LOCK_NOT_AVAILABLE = "55P03"
READ_ONLY = "25006"
UNDEFINED_TABLE = "42P01"
UNDEFINED_SCHEMA = "3F000"
IN_TRANSACTION = "25001"
NOT_SUPPORTED = "0A000"
NO_PRIVILEGE = "42501"
CONSTRAINT = "23"
"""The class of constraint violations."""
DIVISION_BY_ZERO = "22012"
CREATED_CONCURRENTLY = ("42P07", "42P06", "23505")
"""Duplicate table, namespace or catalog entry: another session created it concurrently."""

DUPLICATE_OBJECT = ("42P06", "42P07", "42701", "42710")
"""Duplicate schema, table, column or other object."""


def statement_failed(
    refused: ServerRefused,
    *,
    database: DatabaseName,
    location: Location | None,
    statement: Statement | None,
    steps_done: int = 0,
) -> DBWardenError:
    """Return the error for a *statement* of a migration; ``None`` is the end of its transaction.

    *steps_done* is the number of completed steps of the same migration.
    """
    if refused.sqlstate == READ_ONLY:
        return read_only(refused, database, location)
    kind = LockTimeout if refused.sqlstate == LOCK_NOT_AVAILABLE else StatementFailed
    message = refused.message if statement is not None else f"at its end: {refused.message}"
    error = kind(
        message,
        database=database,
        location=location,
        statement=statement.text if statement is not None else None,
        detail="\n".join(part for part in (refused.detail, refused.context) if part) or None,
        hint=refused.hint,
        next_step=_next_step(refused, statement, steps_done),
    )
    error.sqlstate = refused.sqlstate
    if refused.sqlstate in DUPLICATE_OBJECT:
        error.next_step = f"{error.next_step} {suggest_baseline(database)}"
    return error


def _next_step(refused: ServerRefused, statement: Statement | None, steps_done: int) -> str:
    match refused.sqlstate:
        case "55P03":
            return (
                "Another session holds a lock on this table. Run the command again, or wait "
                "longer with lock_timeout= or lock_retries= in its database_config."
            )
        case "57014" if PostgresText.STATEMENT_TIMEOUT.is_in(refused.message):
            return "Raise statement_timeout= in its database_config."
        case "57014":
            return "Another session cancelled it on the server. Run the command again."
        case "25001":
            return "Put -- @dbwarden:autocommit on the line before this statement."
        case "42501":
            return "Grant it to the user of database_url, or give a migration_url of its owner."
        case "40P01" | "40001":
            return "Another session caused a conflict. Run the command again."
    if statement is None:
        return "Check for deferred constraints that this migration violates."
    remaining_effect = (
        "earlier steps remain applied, and the next run continues here"
        if steps_done
        else "it left nothing behind"
    )
    if refused.sqlstate[:2] == CONSTRAINT:
        return (
            "Rows that exist do not satisfy it. Correct them with SQL before this statement of the "
            f"migration, and run the command again: {remaining_effect}."
        )
    return f"Correct the migration and run the command again: {remaining_effect}."


def read_only(
    refused: ServerRefused, database: DatabaseName, location: Location | None = None
) -> ReadOnlyDatabase:
    """Return the error for a read-only server."""
    return ReadOnlyDatabase(
        f"the server is read-only: {refused.message}",
        database=database,
        location=location,
        next_step="If this is a replica, migrate its primary, and declare it with replica_of= in "
        "its database_config. If not, its user or database is read-only by its settings: look "
        "for default_transaction_read_only.",
    )


def is_about_ledger(refused: ServerRefused, table: str) -> bool:
    """Return whether the ledger's row failed at the end of a transaction, not the commit.

    At the commit only deferred constraints and triggers can fail.
    """
    if refused.table is not None:
        return refused.table == table
    # A deferred trigger may fail in any way, but its error has a context.
    return refused.context is None and refused.sqlstate[:2] in ("22", "42")


def ledger_failed(
    refused: ServerRefused, doing: str, database: DatabaseName, table: str = "what has its name"
) -> DBWardenError:
    """Return the error for our own SQL on the ledger; *doing* as in "cannot be read"."""
    message, step = refused.message, None
    match refused.sqlstate:
        case "25006":
            return read_only(refused, database)
        case "42501":
            step = "Grant the privilege, or use the user that migrates."
        case "42703" | "42809":
            message = f"{table} is not a ledger of dbwarden ({message})"
            step = (
                "Give the ledger another name or place with ledger_table= or ledger_schema= in "
                "its database_config, or rename what is there."
            )
        case "22012":
            return LedgerError(
                f"the ledger {doing}: a row has changed since it was read",
                database=database,
                next_step="Another process changed the ledger. Inspect it with: "
                f"dbwarden history -d {database}; then run the command again.",
            )
    return LedgerError(
        f"the ledger {doing}: {message}",
        database=database,
        detail=refused.detail,
        hint=refused.hint,
        next_step=step,
    )
