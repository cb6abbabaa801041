"""Take the migration lock of a database, a session lock, by polling.

Waiting inside ``pg_advisory_lock()`` would deadlock with CREATE INDEX CONCURRENTLY in the session
that holds the lock, because CONCURRENTLY waits for the transaction of the waiting statement.
Between two polls there is no open transaction.

A free lock takes no round trip of its own: the first query of a connection takes it, and the last
one releases it (``claim_sql`` and ``release_sql`` in ``history_queries.py``).

The lock belongs to the session, so a migrator needs one session from beginning to end. A pooler in
transaction mode assigns each transaction to any session, so that two migrators could hold the lock
at once.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio

from dbwarden import telemetry
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.postgresql.migrate.history_queries import (
    LOCK_CLASS,
    LedgerAddress,
    unlock_sql,
)
from dbwarden.dialects.postgresql.migrate.session import ServerRefused, Session
from dbwarden.dialects.postgresql.migrate.status_query import find_holder
from dbwarden.dialects.waiting import backoff, wait_for_migrator
from dbwarden.errors import AccessDenied, ConnectionLost, PoolerDetected
from dbwarden.migration_history import LockHolder
from dbwarden.types import DatabaseName

FIRST_PAUSE = 0.025
LONGEST_PAUSE = 1.0

TERMINATED_WITHIN = 5.0
"""Seconds to wait until a terminated backend is gone."""


def pause(tries: int) -> float:
    """Return the seconds to wait after *tries* polls."""
    return backoff(tries, first=FIRST_PAUSE, longest=LONGEST_PAUSE, factor=1.6)


@dataclass(slots=True)
class AdvisoryLock:
    """The migration lock of one ledger, on the session that also runs the migrations.

    ``held`` is ``None`` while a request is in flight, because the server may have granted it.
    """

    session: Session
    address: LedgerAddress
    config: DatabaseConfig
    held: bool | None = False

    @asynccontextmanager
    async def block(self) -> AsyncGenerator[None]:
        """Hold the lock inside the block, or until the block releases it.

        Raises:
            MigratorBusy: Another migrator still holds it.
        """
        try:
            if not self.held:
                await wait_for_migrator(self.config, self._ask, self._find_holder, pause)
            yield
        finally:
            await self.release()

    @property
    def _keys(self) -> str:
        return f"{LOCK_CLASS}, {self.address.lock_key_sql}"

    async def _ask(self) -> bool:
        self.held = None
        answer = await self.session.value(f"SELECT pg_try_advisory_lock({self._keys})::text")
        self.held = answer == "true"
        return self.held

    async def release(self) -> None:
        """Release the lock if it is or may be held, within the session's grace."""
        if self.held is False:
            return
        with anyio.move_on_after(self.session.grace, shield=True):
            await self.session.stop_running()
            if self.session.open:  # otherwise the server released it with the session
                await self._unlock()

    async def _unlock(self) -> None:
        sure, self.held = self.held, False
        try:
            released = await self.session.value(f"SELECT {unlock_sql(self._keys)}")
        except (ServerRefused, ConnectionLost):
            return
        if sure and released != "true":
            report_lost_lock()

    async def terminate(self, holder: LockHolder) -> bool:
        """Terminate the session of *holder* if it still holds the lock; wait until it is gone.

        Raises:
            AccessDenied: This user may not terminate it.
        """
        if holder.pid is None or not _same(await self._find_holder(), holder):
            return False
        try:
            terminated = await self.session.value(
                f"SELECT pg_terminate_backend({holder.pid})::text"
            )
        except ServerRefused as refused:
            raise AccessDenied(
                f"the server refused to end pid {holder.pid}: {refused.message}",
                database=self.config.database_name,
                next_step="Use the user that started it, or one that is in pg_signal_backend.",
            ) from refused
        with anyio.move_on_after(TERMINATED_WITHIN):
            while _same(await self._find_holder(), holder):  # noqa: ASYNC110  # nothing reports it
                await anyio.sleep(0.01)
        telemetry.emit("terminated_migrator", level="warning", holder=str(holder))
        return terminated == "true"

    async def _find_holder(self) -> LockHolder | None:
        return await find_holder(self.session.lines, self.address)


def report_lost_lock() -> None:
    """Report that the lock was lost while it should have been held.

    The cause is a migration that calls ``pg_advisory_unlock_all()``, or an undetected pooler.
    """
    telemetry.emit("lock_was_lost", level="error")


def _same(now: LockHolder | None, holder: LockHolder) -> bool:
    """Return whether *now* is the session *holder*; the server reuses process numbers."""
    return now is not None and (now.pid, now.since) == (holder.pid, holder.since)


_PID = "SELECT pg_backend_pid()::text"


async def shares_sessions(session: Session) -> bool:
    """Return whether other clients can get our session, as in PgBouncer's transaction mode.

    A second connection opens a transaction. The session is shared if that connection gets our
    previous server process, or if we get another one.
    """
    first = await session.value(_PID)
    other = await session.open_second()
    try:
        await other.send("BEGIN")
        if await other.value(_PID) == first:
            return True
        return await session.value(_PID) != first
    except (ConnectionLost, ServerRefused):
        return True  # in statement mode the pooler closes a connection that begins a transaction
    finally:
        with anyio.CancelScope(shield=True):
            await other.close()


def pooler_detected(database: DatabaseName) -> PoolerDetected:
    """Return the error for migrating through a transaction pooler."""
    return PoolerDetected(
        "the connection goes through a pooler in transaction mode, which would share the "
        "migration lock with other clients",
        database=database,
        next_step="Set migration_url= in its database_config to the server itself; reading "
        "(status, check, health) works through the pooler.",
    )
