"""One migrator per database: a session lock, taken by asking again and again.

Waiting inside ``pg_advisory_lock()`` would deadlock with CREATE INDEX CONCURRENTLY in the session
that holds the lock, because the waiter's own statement is a transaction that CONCURRENTLY waits
for. Between two questions we hold no transaction.
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
from dbwarden.history import LockHolder
from dbwarden.types import DatabaseName

FIRST_PAUSE = 0.025
LONGEST_PAUSE = 1.0

FindHolder = Callable[[], Awaitable[LockHolder | None]]


def pause(tries: int) -> float:
    """Seconds to wait after *tries* questions: longer each time, never the same for two of us."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 1.6**tries) * random.uniform(0.5, 1.5)


class AdvisoryLock:
    """The migration lock of one ledger, on the session that also runs the migrations.

    ``held`` is ``None`` between a question and its answer: the server may have said yes.
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
        """Take what it needs; nothing is asked yet.

        Args:
            session: The session that also runs the migrations.
            address: What the lock is for.
            holder: Finds out who holds it.
            database: For errors and events.
            patience: Seconds to go on asking.
        """
        self.held: bool | None = False
        self._session = session
        self._address = address
        self._holder = holder
        self._database = database
        self._patience = patience

    @asynccontextmanager
    async def block(self) -> AsyncGenerator[None]:
        """Hold the lock while the block runs, or until it was let go of inside.

        Raises:
            MigratorBusy: Another one still holds it.
        """
        try:
            if not self.held:
                await self._acquire()
            yield
        finally:
            await self.release()

    async def _acquire(self) -> None:
        deadline = anyio.current_time() + self._patience
        tries, told = 0, False
        while not await self._ask():
            over = anyio.current_time() >= deadline
            # Nobody: it let go just now, or a reader was looking in that moment.
            who = await self._holder() if over or not told else None
            if who is not None and over:
                raise _busy(who, self._database, self._patience)
            if who is not None and not told:
                telemetry.emit("waiting_for_lock", holder=str(who))
                told = True
            rest = deadline - anyio.current_time()
            await anyio.sleep(min(pause(tries), rest) if rest > 0 else FIRST_PAUSE)
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
        """Let go of the lock, if it is or may be ours; within the session's grace."""
        if self.held is False:
            return
        with anyio.move_on_after(self._session.grace, shield=True):
            await self._session.stop_running()
            if self._session.open:  # else the server lets go of it with the session
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
    """Tell that a lock which we took was not ours any more.

    A migration that calls ``pg_advisory_unlock_all()``, or a pooler that was not recognised.
    """
    telemetry.emit("lock_was_lost", level="error")


def _busy(holder: LockHolder, database: DatabaseName, patience: float) -> MigratorBusy:
    return MigratorBusy(
        f"another migrator holds this database, after {patience:g} s of waiting: {holder}",
        database=database,
        next_step="Wait for it; look with `dbwarden lock-status`, end it with "
        "`dbwarden unlock --force`.",
    )
