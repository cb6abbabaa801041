"""Read the status of a database over any connection: usually one query, at most three.

Histories are read here, too: that of dbwarden, and that of another tool.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from dbwarden.dialects.base import ForeignHistory
from dbwarden.dialects.postgresql.migrate.history_queries import (
    LedgerAddress,
    StatusQuery,
    details_sql,
    history_sql,
    status_sql,
)
from dbwarden.dialects.postgresql.migrate.parse_status import (
    Lines,
    StatusReply,
    add_details,
    parse_history,
    parse_status_lines,
)
from dbwarden.dialects.postgresql.migrate.session import ServerRefused
from dbwarden.dialects.postgresql.migrate.statement_errors import (
    NO_PRIVILEGE,
    NOT_SUPPORTED,
    UNDEFINED_SCHEMA,
    UNDEFINED_TABLE,
    ledger_failed,
)
from dbwarden.dialects.postgresql.sql.quoting import literal
from dbwarden.migration_history import BackfillRow, DatabaseStatus, LedgerExcerpt, LockHolder, State
from dbwarden.quoting import quoted
from dbwarden.types import DatabaseName

Ask = Callable[[str], Awaitable[Lines]]
"""Runs a query and returns its rows; raises ``ServerRefused``."""


_NOTHING: Lines = ()


PLAIN_QUERY = StatusQuery()


async def read_status(
    ask: Ask, address: LedgerAddress, database: DatabaseName, query: StatusQuery = PLAIN_QUERY
) -> StatusReply:
    """Read the ledger and the lock, with all details.

    A missing or empty ledger, a held lock and a replica take one more query each. *database* is
    for errors.

    Raises:
        LedgerError: The ledger cannot be read, or the table is not a ledger.
    """
    try:
        reply = await _first(ask, address, database, query)
        reading = reply.reading
        if reply.held or reply.recovering:
            reading = await _details(ask, address, reply)
        if any(row.state is State.BACKFILLING for row in reading.rows or ()):
            reading = replace(reading, backfills=await _backfills(ask, address))
    except ServerRefused as refused:
        raise ledger_failed(refused, "cannot be read", database, address.lookup_name) from refused
    return replace(reply, reading=reading)


async def read_history(
    ask: Ask, address: LedgerAddress, database: DatabaseName, limit: int | None, fingerprint: str
) -> LedgerExcerpt:
    """Return the newest *limit* rows of the ledger; none if there is no ledger.

    *fingerprint* is an expression for the fingerprint of the schema.

    Raises:
        LedgerError: The ledger cannot be read, or the table is not a ledger.
    """
    try:
        lines = await ask(history_sql(address, limit, fingerprint))
    except ServerRefused as refused:
        if refused.sqlstate in (UNDEFINED_TABLE, UNDEFINED_SCHEMA):
            return LedgerExcerpt()
        raise ledger_failed(refused, "cannot be read", database, address.lookup_name) from refused
    return parse_history(lines, database)


async def find_holder(ask: Ask, address: LedgerAddress) -> LockHolder | None:
    """Return the other session that holds the lock now, if any."""
    nothing = DatabaseStatus(
        server_version="", namespace=None, rows=None, holder=None, read_only=False
    )
    (answer,) = await ask(details_sql(address, holder=True, lag=False))
    return add_details(nothing, False, answer[0]).holder


async def read_foreign_ids(ask: Ask, history: ForeignHistory) -> tuple[str, ...] | None:
    """Return the ids in the table of *history*; ``None`` if it does not exist."""
    table = ".".join(map(quoted, history.table.split(".")))
    ((found,),) = await ask(f"SELECT pg_catalog.to_regclass({literal(table)})")
    if found is None:
        return None
    rows = await ask(f"SELECT {history.column} FROM {table} WHERE {history.where} ORDER BY 1")
    return tuple(value for (value,) in rows if value is not None)


async def _first(
    ask: Ask, address: LedgerAddress, database: DatabaseName, query: StatusQuery
) -> StatusReply:
    exists, lines = True, _NOTHING
    try:
        lines = await ask(status_sql(address, query))
    except ServerRefused as refused:
        if refused.sqlstate not in (UNDEFINED_TABLE, UNDEFINED_SCHEMA):
            raise
        exists = False
        side_effect = query.side_effect_without_ledger_sql or query.side_effect_sql
        query = replace(query, side_effect_sql=side_effect)
    if lines:
        return parse_status_lines(lines, database)
    lines = await ask(status_sql(address, query, rows=False))
    reply = parse_status_lines(lines, database)
    return replace(reply, reading=replace(reply.reading, rows=() if exists else None))


async def _backfills(ask: Ask, address: LedgerAddress) -> tuple[BackfillRow, ...]:
    """Return the backfills that have not ended."""
    from dbwarden.dialects.postgresql.backfill.state_rows import StateTable, parse_row

    try:
        lines = await ask(StateTable(ledger=address.lookup_name).read_sql(ended=False))
    except ServerRefused as refused:
        if refused.sqlstate in (UNDEFINED_TABLE, NO_PRIVILEGE):
            return ()  # the user of an application may not read it
        raise
    return tuple(parse_row(line[0]) for line in lines)


async def _details(ask: Ask, address: LedgerAddress, reply: StatusReply) -> DatabaseStatus:
    try:
        (answer,) = await ask(details_sql(address, holder=reply.held, lag=reply.recovering))
    except ServerRefused as refused:
        if refused.sqlstate != NOT_SUPPORTED:
            raise
        (answer,) = await ask(details_sql(address, holder=reply.held, lag=False))
    return add_details(reply.reading, reply.recovering, answer[0])
