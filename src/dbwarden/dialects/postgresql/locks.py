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
from dbwarden.dialects.postgresql.ledger import LOCK_CLASS, LedgerAddress
from dbwarden.dialects.postgresql.session import ServerRefused, Session
from dbwarden.errors import ConnectionLost, MigratorBusy
from dbwarden.ledger import LockHolder
from dbwarden.types import DatabaseName

FIRST_PAUSE = 0.025
LONGEST_PAUSE = 1.0

FindHolder = Callable[[], Awaitable[LockHolder | None]]


def pause(tries: int) -> float:
    """Seconds to wait after *tries* questions: longer each time, never the same for two of us."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 1.6**tries) * random.uniform(0.5, 1.5)


@asynccontextmanager
async def advisory_lock(
    session: Session,
    address: LedgerAddress,
    holder: FindHolder,
    *,
    database: DatabaseName,
    patience: float,
) -> AsyncGenerator[None]:
    """Hold the migration lock of the ledger at *address* while the block runs.

    Args:
        session: The session that also runs the migrations.
        address: What the lock is for.
        holder: Finds out who holds it.
        database: For errors and events.
        patience: Seconds to go on asking.

    Raises:
        MigratorBusy: Another one still holds it.
    """
    keys = f"{LOCK_CLASS}, {address.lock_key_sql}"
    acquired = False
    try:
        await _acquire(session, keys, holder, database, patience)
        acquired = True
        yield
    finally:
        # Also after a cancelled question: the server may have said yes all the same.
        if acquired or not session.settled:
            with anyio.move_on_after(session.grace, shield=True):
                await _release(session, keys, acquired)


async def _acquire(
    session: Session, keys: str, holder: FindHolder, database: DatabaseName, patience: float
) -> None:
    deadline = anyio.current_time() + patience
    tries, told = 0, False
    while await session.value(f"SELECT pg_try_advisory_lock({keys})::text") != "true":
        over = anyio.current_time() >= deadline
        # Nobody: it let go just now, or a reader was looking in that moment.
        who = await holder() if over or not told else None
        if who is not None and over:
            raise _busy(who, database, patience)
        if who is not None and not told:
            telemetry.emit("waiting_for_lock", holder=str(who))
            told = True
        rest = deadline - anyio.current_time()
        await anyio.sleep(min(pause(tries), rest) if rest > 0 else FIRST_PAUSE)
        tries += 1


def _busy(holder: LockHolder, database: DatabaseName, patience: float) -> MigratorBusy:
    return MigratorBusy(
        f"another migrator holds this database, after {patience:g} s of waiting: {holder}",
        database=database,
        next_step="Wait for it; look with `dbwarden lock-status`, end it with "
        "`dbwarden unlock --force`.",
    )


async def _release(session: Session, keys: str, acquired: bool) -> None:
    await session.settle()
    if not session.open:
        return  # the server lets go of the lock with the session
    try:
        released = await session.value(f"SELECT pg_advisory_unlock({keys})::text")
    except (ServerRefused, ConnectionLost):
        return
    if acquired and released != "true":
        # A migration that calls pg_advisory_unlock_all(), or a pooler that was not recognised.
        telemetry.emit("lock_was_lost", level="error")
