"""Who migrates this database right now, and how to end that."""

from dataclasses import dataclass

from dbwarden.config.model import DatabaseConfig
from dbwarden.history import LockHolder
from dbwarden.operations.operation import dialect_of, look, operation
from dbwarden.types import DatabaseName


@dataclass(frozen=True, slots=True, kw_only=True)
class LockStatus:
    """Who holds the migration lock; ``None`` when it is free."""

    database: DatabaseName
    holder: LockHolder | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlockResult:
    """Which process was ended, or still holds the lock.

    ``holder`` is ``None`` when the lock was free, and ``ended`` says whether it was ended.
    """

    database: DatabaseName
    holder: LockHolder | None
    ended: bool


@operation("lock_status")
async def lock_status(config: DatabaseConfig) -> LockStatus:
    """Say who holds the migration lock. Reads only."""
    reading = await look(config)
    return LockStatus(database=config.database_name, holder=reading.holder)


@operation("unlock")
async def unlock(config: DatabaseConfig, *, holder: LockHolder | None = None) -> UnlockResult:
    """End the process that holds the migration lock; what it was doing is rolled back.

    A lock lives and dies with its connection, so there is never a stale one to clear: this ends a
    migrator that is alive.

    Args:
        config: The database, its name, or ``None`` for the default one.
        holder: End only this one, as ``lock_status`` returned it, and no other migrator that holds
            the lock by now.
    """
    async with dialect_of(config).connect(config) as connection:
        meant = holder or (await connection.read()).holder
        ended = meant is not None and await connection.terminate_holder(meant)
        holder = (await connection.read()).holder if meant and not ended else meant
    return UnlockResult(database=config.database_name, holder=holder, ended=ended)
