"""One look at a database, by whatever way: usually one question, at most three."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from dbwarden.dialects.postgresql.failures import (
    NOT_SUPPORTED,
    UNDEFINED_SCHEMA,
    UNDEFINED_TABLE,
    ledger_failed,
)
from dbwarden.dialects.postgresql.ledger import (
    LedgerAddress,
    Look,
    details_sql,
    look_sql,
    parse_look,
    with_details,
)
from dbwarden.dialects.postgresql.session import ServerRefused
from dbwarden.ledger import LockHolder, Reading
from dbwarden.types import DatabaseName

Ask = Callable[[str], Awaitable[str | None]]
"""Returns the one text that a query returns; raises ``ServerRefused``."""


async def look(
    ask: Ask,
    address: LedgerAddress,
    database: DatabaseName,
    *,
    alone: bool = False,
    also: str = "NULL",
    without_ledger: str | None = None,
) -> Look:
    """Look at ledger and lock; the reading is complete.

    A ledger that does not exist yet, a lock that somebody holds and a replica take one question
    more each.

    Args:
        ask: The way to the server.
        address: Where the ledger is.
        database: For errors.
        alone: Each question is a transaction by itself.
        also: What else is to be done with it, as of ``look_sql``.
        without_ledger: The same where there is no ledger yet.

    Raises:
        LedgerError: There is a ledger, but we may not read it, or it is none of ours.
    """
    try:
        query = partial(look_sql, address, alone=alone)
        text = await _first(ask, query, also, also if without_ledger is None else without_ledger)
        found = parse_look(_text(text), database)
        if not (found.held or found.recovering):
            return found
        reading = await _details(ask, address, found)
    except ServerRefused as refused:
        raise ledger_failed(refused, "cannot be read", database) from refused
    return replace(found, reading=reading)


async def holder_of(ask: Ask, address: LedgerAddress) -> LockHolder | None:
    """Who else holds the lock now."""
    nothing = Reading(server_version="", namespace=None, rows=None, holder=None, read_only=False)
    text = await ask(details_sql(address, holder=True, lag=False))
    return with_details(nothing, False, _text(text)).holder


async def _first(ask: Ask, query: Callable[..., str], also: str, without_ledger: str) -> str | None:
    try:
        return await ask(query(also=also))
    except ServerRefused as refused:
        if refused.sqlstate not in (UNDEFINED_TABLE, UNDEFINED_SCHEMA):
            raise
    return await ask(query(rows=False, also=without_ledger))


async def _details(ask: Ask, address: LedgerAddress, found: Look) -> Reading:
    try:
        text = await ask(details_sql(address, holder=found.held, lag=found.recovering))
    except ServerRefused as refused:
        if refused.sqlstate != NOT_SUPPORTED:
            raise
        text = await ask(details_sql(address, holder=found.held, lag=False))
    return with_details(found.reading, found.recovering, _text(text))


def _text(text: str | None) -> str:
    assert text is not None, "a query for one text returned NULL"
    return text
