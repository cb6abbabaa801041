"""Wait for a lock that another connection holds, on every database kind."""

import random
from collections.abc import Awaitable, Callable

import anyio

from dbwarden import telemetry
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import MigratorBusy
from dbwarden.migration_history import LockHolder

SHORTEST_WAIT = 0.01
"""Seconds to wait for a lock whose holder has just gone, after the time limit."""

Pause = Callable[[int], float]
"""Returns the seconds to wait after a number of tries."""


def backoff(tries: int, *, first: float, longest: float, factor: float = 2.0) -> float:
    """Return the seconds to wait after *tries*: growing, with a random share.

    The share keeps several processes from colliding each time.
    """
    return min(longest, first * factor ** min(tries, 50)) * random.uniform(0.5, 1.5)


async def wait_for_migrator(
    config: DatabaseConfig,
    take: Callable[[], Awaitable[bool]],
    find_holder: Callable[[], Awaitable[LockHolder | None]],
    pause: Pause,
) -> None:
    """Call *take* until it has the migration lock, for ``migration_lock_timeout`` seconds.

    Raises:
        MigratorBusy: Another migrator still holds it; names it.
    """
    end = anyio.current_time() + config.migration_lock_timeout
    tries, reported = 0, False
    while not await take():
        expired = anyio.current_time() >= end
        # None: it was released just now, or a reader held it for a moment.
        holder = await find_holder() if expired or not reported else None
        if holder is not None and expired:
            raise _busy(config, holder)
        if holder is not None:
            telemetry.emit("waiting_for_lock", holder=str(holder))
            reported = True
        remaining = end - anyio.current_time()
        await anyio.sleep(min(pause(tries), max(remaining, SHORTEST_WAIT)))
        tries += 1


def _busy(config: DatabaseConfig, holder: LockHolder) -> MigratorBusy:
    name = config.database_name
    return MigratorBusy(
        f"another migrator has held this database for more than {config.migration_lock_timeout:g} "
        f"s (migration_lock_timeout): {holder}",
        database=name,
        next_step=f"Wait for it to end; look with: dbwarden lock-status -d {name}; end it with: "
        f"dbwarden unlock --force -d {name}",
    )


class LockRetries:
    """Counts the tries of a transaction, or of a statement outside one, that a lock blocked."""

    def __init__(self, most: int, pause: Pause, **fields: str | int) -> None:
        """Allow *most* retries, with *pause* before each; *fields* are logged with them."""
        self._most = most
        self._pause = pause
        self._fields = fields
        self._tries = 0

    async def pause(self, message: str) -> bool:
        """Wait before the next try; return whether there is one. *message* is the server's."""
        if self._tries >= self._most:
            return False
        self._tries += 1
        telemetry.emit(
            "lock_retry",
            level="warning",
            **self._fields,
            attempt=self._tries,
            of=self._most,
            error=message,
        )
        await anyio.sleep(self._pause(self._tries))
        return True
