"""Reach a server of scratch databases, from here and from another process."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import LiteralString

import anyio
import asyncpg

from dbwarden.dialects.authoring import ScratchAddress

Dial = Callable[[str], Awaitable[asyncpg.Connection]]
"""Connects to the named database."""

_END_SESSIONS: LiteralString = (
    "SELECT count(pg_catalog.pg_terminate_backend(pid)) FROM pg_catalog.pg_stat_activity"
    " WHERE datname = $1"
)
_PAUSE = 0.005


@dataclass(frozen=True, slots=True)
class Place:
    """A server: how to connect to its databases here, and its address for other processes."""

    dial: Dial
    address: ScratchAddress


async def end_sessions(admin: asyncpg.Connection, database: str) -> None:
    """End every session of *database*, so that it can be copied."""
    while await admin.fetchval(_END_SESSIONS, database):  # noqa: ASYNC110
        await anyio.sleep(_PAUSE)
