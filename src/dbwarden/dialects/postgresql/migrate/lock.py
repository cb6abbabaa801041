"""Take the migration lock of a database, a session lock, by polling.

Waiting inside ``pg_advisory_lock()`` would deadlock with CREATE INDEX CONCURRENTLY in the session
that holds the lock, because CONCURRENTLY waits for the transaction of the waiting statement.
Between two polls there is no open transaction.
"""

import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio

from dbwarden import telemetry
from dbwarden.dialects.postgresql.migrate.history_queries import (
    LOCK_CLASS,
    LedgerAddress,
    unlock_sql,
)
from dbwarden.dialects.postgresql.migrate.session import ServerRefused, Session
from dbwarden.errors import ConnectionLost, MigratorBusy
from dbwarden.migration_history import LockHolder
from dbwarden.types import DatabaseName

FIRST_PAUSE = 0.025
LONGEST_PAUSE = 1.0

FindHolder = Callable[[], Awaitable[LockHolder | None]]


def pause(tries: int) -> float:
    """Return the seconds to wait after *tries* polls: growing, with a random share."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 1.6**tries) * random.uniform(0.5, 1.5)


class AdvisoryLock:
    """The migration lock of one ledger, on the session that also runs the migrations.

    ``held`` is ``None`` while a request is in flight, because the server may have granted it.
    """

    def __init__(
        self,
        session: Session,
        address: LedgerAddress,
        holder: FindHolder,
        *,
        database: DatabaseName,
        patience: float,
    ) -> None:
        """Store the arguments.

        Args:
            session: The session that also runs the migrations.
            address: The ledger that the lock protects.
            holder: Returns the current holder.
            database: The database, for errors and events.
            patience: Seconds to keep polling.
        """
        self.held: bool | None = False
        self._session = session
        self._address = address
        self._holder = holder
        self._database = database
        self._patience = patience

    @asynccontextmanager
    async def block(self) -> AsyncGenerator[None]:
        """Hold the lock inside the block, or until the block releases it.

        Raises:
            MigratorBusy: Another migrator still holds it.
        """
        try:
            if not self.held:
                await self._acquire()
            yield
        finally:
            await self.release()

    async def _acquire(self) -> None:
        deadline = anyio.current_time() + self._patience
        tries, reported = 0, False
        while not await self._ask():
            expired = anyio.current_time() >= deadline
            # None: it was released just now, or a reader held it for a moment.
            holder = await self._holder() if expired or not reported else None
            if holder is not None and expired:
                raise _busy(holder, self._database, self._patience)
            if holder is not None and not reported:
                telemetry.emit("waiting_for_lock", holder=str(holder))
                reported = True
            remaining = deadline - anyio.current_time()
            await anyio.sleep(min(pause(tries), remaining) if remaining > 0 else FIRST_PAUSE)
            tries += 1

    @property
    def _keys(self) -> str:
        return f"{LOCK_CLASS}, {self._address.lock_key_sql}"

    async def _ask(self) -> bool:
        self.held = None
        answer = await self._session.value(f"SELECT pg_try_advisory_lock({self._keys})::text")
        self.held = answer == "true"
        return self.held

    async def release(self) -> None:
        """Release the lock if it is or may be held, within the session's grace."""
        if self.held is False:
            return
        with anyio.move_on_after(self._session.grace, shield=True):
            await self._session.stop_running()
            if self._session.open:  # otherwise the server released it with the session
                await self._unlock()

    async def _unlock(self) -> None:
        sure, self.held = self.held, False
        try:
            released = await self._session.value(f"SELECT {unlock_sql(self._keys)}")
        except (ServerRefused, ConnectionLost):
            return
        if sure and released != "true":
            report_lost_lock()


def report_lost_lock() -> None:
    """Report that the lock was lost while it should have been held.

    The cause is a migration that calls ``pg_advisory_unlock_all()``, or an undetected pooler.
    """
    telemetry.emit("lock_was_lost", level="error")


def _busy(holder: LockHolder, database: DatabaseName, patience: float) -> MigratorBusy:
    return MigratorBusy(
        f"another migrator holds this database, after {patience:g} s of waiting: {holder}",
        database=database,
        next_step="Wait for it; look with `dbwarden lock-status`, end it with "
        "`dbwarden unlock --force`.",
    )
