"""Retry requests that a busy server refused: a table lock, or one connection too many.

A waiting ALTER TABLE makes every later reader of its table wait as well. So each wait for a lock
is short, and between two tries nothing waits. The pauses grow and have a random share, so that
several processes do not collide each time.
"""

import math
from collections.abc import Awaitable, Callable
from itertools import count
from typing import TypeVar

import anyio

from dbwarden import telemetry
from dbwarden.dialects.waiting import LockRetries, backoff
from dbwarden.errors import TooManyConnections

T = TypeVar("T")

CONNECTING_FOR = 60.0
"""Seconds for which connecting to a full server is retried if the operation has no time limit."""

RETRIED_FOR = 0.9
"""Fraction of the remaining time for the retries; the rest is for reporting the server's error."""


def retry_pause(tries: int, *, first: float = 0.25, longest: float = 4.0) -> float:
    """Return the seconds to wait before trying again after *tries* failures."""
    return backoff(tries, first=first, longest=longest)


def lock_retries(key: str, most: int) -> LockRetries:
    """Return a counter of the tries of migration *key*, with up to *most* retries."""
    return LockRetries(most, retry_pause, version=key)


async def while_full(connect: Callable[[], Awaitable[T]]) -> T:
    """Call *connect* until the server accepts the connection, and return its result.

    The time limit is that of the operation. Before it expires, the server's own error is raised.

    Raises:
        TooManyConnections: The server took no connection until then.
    """
    try:
        return await connect()
    except TooManyConnections as error:
        telemetry.emit("waiting_for_connection", level="warning", error=error.message)
        refused = error
    now = anyio.current_time()
    limit = anyio.current_effective_deadline() - now
    end = now + RETRIED_FOR * (CONNECTING_FOR if limit == math.inf else limit)
    with anyio.CancelScope(deadline=end):
        for tries in count():
            pause = retry_pause(tries, first=0.05, longest=2.0)
            if anyio.current_time() + pause >= end:
                break
            await anyio.sleep(pause)
            try:
                return await connect()
            except TooManyConnections as error:
                refused = error
    raise refused
