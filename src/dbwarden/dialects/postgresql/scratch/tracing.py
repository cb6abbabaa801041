"""Measure the locks and rewrites of statements on the server while they run."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import asyncpg

from dbwarden.dialects.authoring import TableLock, TracedStatement
from dbwarden.dialects.base import Statement, Step
from dbwarden.dialects.postgresql.scratch.scratch_errors import refusal
from dbwarden.files.migration import Migration
from dbwarden.schema import QualifiedName
from dbwarden.types import DatabaseName

STRENGTH = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
"""From weakest to strongest."""

# PostgreSQL makes such a change without a rewrite only if the time zone is UTC.
TIMES = re.compile(r"\bTYPE\s+timestamp", re.IGNORECASE)
ABROAD = "SET LOCAL timezone TO 'XXX-1'"

_TABLES = """
    SELECT c.oid::bigint AS oid, c.relname AS name, n.nspname AS namespace,
           c.relfilenode::bigint AS file
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname !~ '^(pg_|information_schema$)'
"""
# A rewrite implies a lock on the table.
_LOCKS = """
    SELECT l.relation::bigint AS oid, l.mode, c.relfilenode::bigint AS file
    FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_class c ON c.oid = l.relation
    WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.granted
"""


class TraceRefused(Exception):
    """The server refused a statement. Never leaves the dialect."""

    def __init__(self, error: asyncpg.PostgresError, statement: Statement) -> None:
        """Store the server's error and its statement."""
        self.error = error
        self.statement = statement
        super().__init__(str(error))


@contextmanager
def locating(migration: Migration, database: DatabaseName) -> Iterator[None]:
    """Raise the error of a refused statement of *migration* with its location."""
    try:
        yield
    except TraceRefused as refused:
        statement = refused.statement
        at = migration.at(statement.line, statement.column)
        raise refusal(refused.error, database, statement.text, at) from refused.error


async def trace_statements(
    raw: asyncpg.Connection,
    steps: Sequence[Step],
    default_namespace: str,
    spelled: Callable[[str], str],
) -> tuple[TracedStatement, ...]:
    """Run the statements of *steps* one by one, each in its own transaction if it allows one.

    *spelled* returns the text to send for a statement; an empty text is not sent.

    Returns:
        The statements that took stronger than reading locks on tables that existed before.

    Raises:
        Refused: The server refused one of them.
    """
    rows = await raw.fetch(_TABLES)
    names = {
        row["oid"]: QualifiedName(row["namespace"], row["name"]).label(default_namespace)
        for row in rows
    }
    files = {row["oid"]: row["file"] for row in rows}
    traced = []
    for step in steps:
        sent = [(statement, spelled(statement.text)) for statement in step.statements]
        sent = [(statement, text) for statement, text in sent if text]
        if not names and step.transactional:  # no existing table to lock
            await raw.execute(";\n".join(text for _, text in sent))
            continue
        for statement, text in sent:
            try:
                if not step.transactional:
                    await raw.execute(text)
                    continue
                locks = await _trace_one(raw, text, names, files)
            except asyncpg.PostgresError as error:
                raise TraceRefused(error, statement) from error
            if locks:
                traced.append(
                    TracedStatement(text=statement.text, line=statement.line, locks=locks)
                )
    return tuple(traced)


async def _trace_one(
    raw: asyncpg.Connection, text: str, names: Mapping[int, str], files: dict[int, int]
) -> tuple[TableLock, ...]:
    async with raw.transaction():
        if TIMES.search(text):
            await raw.execute(ABROAD)
        await raw.execute(text)
        held = await raw.fetch(_LOCKS)
    files_after = {row["oid"]: row["file"] for row in held if row["file"] is not None}
    rewritten = {oid for oid, file in files_after.items() if files.get(oid, file) != file}
    files.update((oid, file) for oid, file in files_after.items() if oid in files)
    return strongest_locks([(row["oid"], row["mode"]) for row in held], names, rewritten)


def strongest_locks(
    held: Sequence[tuple[int, str]], names: Mapping[int, str], rewritten: set[int]
) -> tuple[TableLock, ...]:
    """Return the strongest lock on each named table, without those that only read."""
    strengths: dict[int, int] = {}
    for oid, mode in held:
        if oid in names:
            strengths[oid] = max(strengths.get(oid, 0), STRENGTH.index(mode))
    locks = [
        TableLock(
            table=names[oid], mode=STRENGTH[strength], rewrites=oid in rewritten, strength=strength
        )
        for oid, strength in strengths.items()
        if strength > 0
    ]
    return tuple(sorted(locks, key=lambda lock: lock.table))
