"""One look at a database, by whatever way: usually one question, at most three."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from functools import partial

from dbwarden.dialects.postgresql.migrate.history_queries import (
    LedgerAddress,
    details_sql,
    history_sql,
    status_sql,
)
from dbwarden.dialects.postgresql.migrate.parse_status import (
    Greeting,
    Lines,
    StatusReply,
    add_details,
    parse_history,
    parse_status_lines,
)
from dbwarden.dialects.postgresql.migrate.session import ServerRefused
from dbwarden.dialects.postgresql.migrate.statement_errors import (
    NOT_SUPPORTED,
    UNDEFINED_SCHEMA,
    UNDEFINED_TABLE,
    ledger_failed,
)
from dbwarden.history import LedgerExcerpt, LockHolder, Reading
from dbwarden.types import DatabaseName

Ask = Callable[[str], Awaitable[Lines]]
"""Returns the rows that a query returns; raises ``ServerRefused``."""


_NOTHING: Lines = ()


async def read_status(
    ask: Ask,
    address: LedgerAddress,
    database: DatabaseName,
    *,
    alone: bool = False,
    greeting: Greeting | None = None,
    also: str = "NULL",
    also_without_ledger: str | None = None,
    where: bool = True,
    row_ids: Collection[int] = (),
) -> StatusReply:
    """Look at ledger and lock; the reading is complete.

    A ledger that does not exist yet or is empty, a lock that somebody holds, a replica and a
    pooler take one question more each.

    Args:
        ask: The way to the server.
        address: Where the ledger is.
        database: For errors.
        alone: Each question is a transaction by itself.
        greeting: What the server told when we connected, so that it need not be asked.
        also: What else is to be done with it, as of ``status_sql``.
        without_ledger: The same where there is no ledger yet.
        where: Find out its namespace, too.
        row_ids: Rows to read even if they were rolled back.

    Raises:
        LedgerError: There is a ledger, but we may not read it, or it is none of ours.
    """
    try:
        without = also if also_without_ledger is None else also_without_ledger
        query = partial(
            status_sql, address, alone=alone, where=where, row_ids=tuple(sorted(row_ids))
        )
        found = await _first(ask, query, database, greeting, also, without)
        if greeting is not None and greeting.backend_pid != found.backend_pid:
            found = await _first(ask, query, database, None, also, without)
        if not (found.held or found.recovering):
            return found
        reading = await _details(ask, address, found)
    except ServerRefused as refused:
        raise ledger_failed(refused, "cannot be read", database, address.found) from refused
    return replace(found, reading=reading)


async def read_history(
    ask: Ask, address: LedgerAddress, database: DatabaseName, limit: int | None
) -> LedgerExcerpt:
    """Return the newest *limit* rows of the ledger; none where there is no ledger.

    Raises:
        LedgerError: There is a ledger, but it cannot be read, or it is not a ledger.
    """
    try:
        lines = await ask(history_sql(address, limit))
    except ServerRefused as refused:
        if refused.sqlstate in (UNDEFINED_TABLE, UNDEFINED_SCHEMA):
            return LedgerExcerpt()
        raise ledger_failed(refused, "cannot be read", database, address.found) from refused
    return parse_history(lines, database)


async def find_holder(ask: Ask, address: LedgerAddress) -> LockHolder | None:
    """Who else holds the lock now."""
    nothing = Reading(server_version="", namespace=None, rows=None, holder=None, read_only=False)
    (answer,) = await ask(details_sql(address, holder=True, lag=False))
    return add_details(nothing, False, answer[0]).holder


async def _first(
    ask: Ask,
    query: Callable[..., str],
    database: DatabaseName,
    greeting: Greeting | None,
    also: str,
    also_without_ledger: str,
) -> StatusReply:
    query = partial(query, greeted=greeting is not None)
    there, lines = True, _NOTHING
    try:
        lines = await ask(query(also=also))
    except ServerRefused as refused:
        if refused.sqlstate not in (UNDEFINED_TABLE, UNDEFINED_SCHEMA):
            raise
        there = False
    if lines:
        return parse_status_lines(lines, database, greeting)
    lines = await ask(query(rows=False, also=also if there else also_without_ledger))
    found = parse_status_lines(lines, database, greeting)
    return replace(found, reading=replace(found.reading, rows=() if there else None))


async def _details(ask: Ask, address: LedgerAddress, found: StatusReply) -> Reading:
    try:
        (answer,) = await ask(details_sql(address, holder=found.held, lag=found.recovering))
    except ServerRefused as refused:
        if refused.sqlstate != NOT_SUPPORTED:
            raise
        (answer,) = await ask(details_sql(address, holder=found.held, lag=False))
    return add_details(found.reading, found.recovering, answer[0])
