"""Write into a migrations folder without a conflict with another process that does."""

import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread

from dbwarden import telemetry
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import DBWardenError, UsageError
from dbwarden.files.folder import next_version, read_names, write_migration
from dbwarden.files.locks import try_lock
from dbwarden.files.migration import Migration
from dbwarden.files.naming import FileName

_PAUSE = 0.05
"""Seconds between two attempts to take the lock."""


def refuse_replica(config: DatabaseConfig, next_step: str) -> None:
    """Refuse to write a migration for a replica.

    Raises:
        UsageError: *config* is a replica.
    """
    if config.replica_of is not None:
        raise UsageError(
            f"a replica has no migrations of its own; it follows {config.replica_of}",
            database=config.database_name,
            next_step=next_step,
        )


@asynccontextmanager
async def lock_folder(config: DatabaseConfig) -> AsyncGenerator[None]:
    """Hold the lock of the migrations folder, which is created if necessary.

    All commands that write into the folder take this lock of the operating system, which a killed
    process releases. File systems without locks on folders (NFS, Windows) are not locked.
    """
    descriptor = await anyio.to_thread.run_sync(_open, config.migrations_dir)
    try:
        waiting = False
        while not _is_locked(descriptor):
            if not waiting:
                telemetry.emit("waiting_for_folder", folder=str(config.migrations_dir))
            waiting = True
            await anyio.sleep(_PAUSE)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _open(folder: Path) -> int | None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return os.open(folder, os.O_RDONLY)
    except OSError:  # the command reports it when it reads or writes the folder
        return None


def _is_locked(descriptor: int | None) -> bool:
    """Try once to lock the folder; return whether there is nothing to wait for."""
    try:
        return descriptor is None or try_lock(descriptor)
    except OSError:  # a file system without such locks
        return True


async def write_next(
    config: DatabaseConfig,
    seen: Sequence[Migration | FileName],
    texts: Sequence[tuple[str, str]],
) -> tuple[Path, ...]:
    """Write migration files by their names, whose numbers follow the files *seen*.

    Raises:
        UsageError: Another process has written or renamed files since.
        MigrationFileError: The file cannot be written.
    """
    async with lock_folder(config):
        return await anyio.to_thread.run_sync(_write_next, config, seen, texts)


def _write_next(
    config: DatabaseConfig,
    seen: Sequence[Migration | FileName],
    texts: Sequence[tuple[str, str]],
) -> tuple[Path, ...]:
    names = read_names(config.migrations_dir, config.files_of)
    if (len(names), next_version(names)) != (len(seen), next_version(seen)):
        raise UsageError(
            f"the files in {config.migrations_dir} have changed since they were read; nothing was "
            "written",
            database=config.database_name,
            next_step="Run the command again.",
        )
    paths: list[Path] = []
    try:
        for name, text in texts:
            paths.append(write_migration(config.migrations_dir, name, text))
    except DBWardenError:  # all of them or none
        for path in paths:
            path.unlink(missing_ok=True)
        raise
    return tuple(paths)
