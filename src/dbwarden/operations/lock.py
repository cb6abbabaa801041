"""Inspect and release the migration lock."""

from collections.abc import Mapping
from dataclasses import dataclass

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.migration_history import LockHolder
from dbwarden.operations.operation import dialect_of, operation, read_status
from dbwarden.types import DatabaseName


@dataclass(frozen=True, slots=True, kw_only=True)
class LockStatus:
    """The holder of the migration lock; ``None`` if it is free."""

    database: DatabaseName
    holder: LockHolder | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlockResult:
    """The process that was terminated or still holds the lock.

    ``holder`` is ``None`` if the lock was free; ``ended`` is true if it was terminated.
    """

    database: DatabaseName
    holder: LockHolder | None
    ended: bool


@operation("lock_status")
async def lock_status(config: DatabaseConfig) -> LockStatus:
    """Return the holder of the migration lock. Reads only."""
    reading = await read_status(config)
    return LockStatus(database=config.database_name, holder=reading.holder)


@operation("unlock")
async def unlock(config: DatabaseConfig, *, holder: LockHolder | None = None) -> UnlockResult:
    """Terminate the process that holds the migration lock; its work is rolled back.

    A lock ends with its connection, so there are no stale locks. This terminates a live migrator.

    Args:
        config: The database, its name, or ``None`` for the default one.
        holder: The holder to terminate, as ``lock_status`` returned it. A later holder of the
            lock is left alone.
    """
    async with dialect_of(config).connect(config) as connection:
        target = holder or (await connection.read()).holder
        terminated = target is not None and await connection.terminate_holder(target)
        holder = (await connection.read()).holder if target and not terminated else target
    return UnlockResult(database=config.database_name, holder=holder, ended=terminated)


async def unlock_seen(
    config: DatabaseConfig, *, holders: Mapping[DatabaseName, LockHolder]
) -> UnlockResult:
    """Terminate the holder that *holders* has for this database; leave any other one alone."""
    holder = holders.get(config.database_name)
    if holder is None:  # a holder that came later was not shown to the user
        return UnlockResult(database=config.database_name, holder=None, ended=False)
    return await unlock(config, holder=holder)
