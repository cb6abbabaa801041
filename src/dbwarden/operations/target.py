"""What every operation begins with: which database, within which time, under which name."""

import functools
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

import anyio
import anyio.to_thread

from dbwarden import telemetry
from dbwarden.config.loading import load_project
from dbwarden.config.model import DatabaseConfig
from dbwarden.dialects.base import Connection, Dialect, dialect_for
from dbwarden.errors import TimedOut
from dbwarden.files.folder import read_folder
from dbwarden.files.migration import Migration
from dbwarden.ledger import Reading
from dbwarden.types import DatabaseName, DialectName

P = ParamSpec("P")
R = TypeVar("R", covariant=True)

DatabaseRef = DatabaseConfig | str | None
"""A configured database, its name, or ``None`` for the default one."""


async def target(database: DatabaseRef, *, dev: bool = False) -> DatabaseConfig:
    """The configuration that *database* means.

    Raises:
        ConfigurationError: The project's configuration cannot be found or has problems.
        UnknownDatabase: No database of that name.
    """
    if isinstance(database, DatabaseConfig):
        config = database
    else:
        project = await anyio.to_thread.run_sync(load_project)
        config = await project.find(database) if database is not None else project.default
    return config.for_dev() if dev and not config.dev else config


class Operation(Protocol[P, R]):
    """What users call: ``await migrate("primary", to="0007")``."""

    async def __call__(
        self, database: DatabaseRef = None, *args: P.args, **kwargs: P.kwargs
    ) -> R: ...


def operation(
    name: str,
) -> Callable[[Callable[Concatenate[DatabaseConfig, P], Awaitable[R]]], Operation[P, R]]:
    """Make a coroutine on a ``DatabaseConfig`` one that users call.

    It then takes a name or ``None`` too, ends within the database's ``timeout`` and logs one
    event ``<name>`` with outcome and duration.
    """

    def decorate(
        function: Callable[Concatenate[DatabaseConfig, P], Awaitable[R]],
    ) -> Operation[P, R]:
        @functools.wraps(function)
        async def wrapper(database: DatabaseRef = None, *args: P.args, **kwargs: P.kwargs) -> R:
            config = await target(database)
            fields = {"database": config.database_name, "operation": name}
            with telemetry.bound(**fields), telemetry.step(name):
                return await within(config, function(config, *args, **kwargs))

        return wrapper

    return decorate


async def within(config: DatabaseConfig, work: Awaitable[R]) -> R:
    """Await *work* for at most ``config.timeout`` seconds.

    Raises:
        TimedOut: It did not end in time; what ran on the server was stopped.
    """
    with anyio.move_on_after(config.timeout) as scope:
        return await work
    assert scope.cancelled_caught
    raise timed_out(config)


def timed_out(config: DatabaseConfig) -> TimedOut:
    """The error of an operation that did not end within the database's ``timeout``."""
    return TimedOut(
        f"it did not end within {config.timeout:g} s, and was stopped",
        database=config.database_name,
        next_step="Give it longer with --timeout SECONDS (0 for no limit), or timeout= in its "
        "database_config.",
    )


def dialect_of(config: DatabaseConfig) -> Dialect:
    """The dialect of this database."""
    return dialect_for(config.database_type)


Folder = tuple[Path, DatabaseName, DialectName]


@dataclass(frozen=True, slots=True)
class _Folders:
    """The folders that were read in this run, so that a thousand tenants read theirs once."""

    read: dict[Folder, tuple[Migration, ...]] = field(default_factory=dict)
    turn: anyio.Lock = field(default_factory=anyio.Lock)


_folders: ContextVar[_Folders | None] = ContextVar("dbwarden_folders", default=None)


@asynccontextmanager
async def files_once() -> AsyncGenerator[None]:
    """Read each migrations folder once while the block (or one around it) runs."""
    token = _folders.set(_folders.get() or _Folders())
    try:
        yield
    finally:
        _folders.reset(token)


async def migration_files(config: DatabaseConfig) -> tuple[Migration, ...]:
    """The migration files of this database, read in a worker thread."""
    folder: Folder = (config.migrations_dir, config.files_of, config.database_type)
    known = _folders.get()
    if known is None:
        return await anyio.to_thread.run_sync(read_folder, *folder)
    async with known.turn:
        if folder not in known.read:
            known.read[folder] = await anyio.to_thread.run_sync(read_folder, *folder)
    return known.read[folder]


async def look(config: DatabaseConfig) -> Reading:
    """Connect, read once, leave. Never writes."""
    async with dialect_of(config).connect(config, read_only=True) as connection:
        return await connection.read()


__all__ = [
    "Connection",
    "DatabaseRef",
    "dialect_of",
    "look",
    "migration_files",
    "operation",
    "target",
    "timed_out",
    "within",
]
