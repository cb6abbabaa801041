"""What every operation begins with: which database, within which time, under which name."""

import contextlib
import functools
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

import anyio
import anyio.to_thread

from dbwarden import telemetry
from dbwarden.config.loading import DatabaseRef, configured
from dbwarden.config.model import DatabaseConfig
from dbwarden.dialects.base import Connection, Dialect, Step
from dbwarden.errors import DBWardenError, MigrationFileError, TimedOut, UsageError
from dbwarden.files.folder import read_folder
from dbwarden.files.migration import Migration, Section
from dbwarden.history import Reading
from dbwarden.kinds import dialect_for
from dbwarden.types import DatabaseName, DialectName

P = ParamSpec("P")
R = TypeVar("R", covariant=True)


class Operation(Protocol[P, R]):
    """What users call: ``await migrate("primary", to="0007")``."""

    async def __call__(
        self, database: DatabaseRef = None, *args: P.args, **kwargs: P.kwargs
    ) -> R: ...


def operation(
    name: str,
) -> Callable[[Callable[Concatenate[DatabaseConfig, P], Awaitable[R]]], Operation[P, R]]:
    """Make a coroutine on a ``DatabaseConfig`` one that users call.

    It then takes a name or ``None`` too, ends within the database's ``timeout`` and logs two
    events: ``started``, and ``<name>`` with outcome and duration.
    """

    def decorate(
        function: Callable[Concatenate[DatabaseConfig, P], Awaitable[R]],
    ) -> Operation[P, R]:
        @functools.wraps(function)
        async def wrapper(database: DatabaseRef = None, *args: P.args, **kwargs: P.kwargs) -> R:
            config = await configured(database)
            with telemetry.operation(name, database=config.database_name):
                try:
                    return await within(config, function(config, *args, **kwargs))
                except DBWardenError as error:
                    if error.database is None and not isinstance(error, UsageError):
                        error.database = config.database_name
                    raise

        return wrapper

    return decorate


async def within(config: DatabaseConfig, work: Awaitable[R]) -> R:
    """Await *work* for at most ``config.timeout`` seconds.

    Raises:
        TimedOut: It did not end in time; what ran on the server was stopped.
    """
    if _ends_in_time(config.timeout):
        return await work
    at: list[str] = []

    def hear(event: telemetry.Event) -> None:
        if event.name == "doing":
            at.append(f" while {event.fields['what']}")

    with telemetry.listening(hear), anyio.move_on_after(config.timeout) as scope:
        return await work
    assert scope.cancelled_caught
    raise timed_out(config, *at[-1:])


def _ends_in_time(limit: float | None) -> bool:
    """Whether somebody around us, such as a fleet, ends this task within *limit* seconds anyway."""
    return limit is None or anyio.current_effective_deadline() <= anyio.current_time() + limit


def timed_out(config: DatabaseConfig, at: str = "") -> TimedOut:
    """The error of an operation that did not end within the database's ``timeout``; *at* what."""
    return TimedOut(
        f"it did not end within {config.timeout:g} s, and was stopped{at}",
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
    cut: dict[int, tuple[Section, tuple[Step, ...]]] = field(default_factory=dict)
    wanted: dict[Folder, None] = field(default_factory=dict)
    turn: anyio.Lock = field(default_factory=anyio.Lock)

    def next(self, folder: Folder) -> tuple[Folder, ...]:
        """*folder*, and what will be asked for soon."""
        self.wanted.pop(folder, None)
        others = tuple(islice(self.wanted, AT_A_TIME - 1))
        for other in others:
            del self.wanted[other]
        return (folder, *others)


AT_A_TIME = 16
"""How many folders are read in one go: a thread for each costs more than the reading."""

_folders: ContextVar[_Folders | None] = ContextVar("dbwarden_folders", default=None)


@asynccontextmanager
async def files_once(databases: Iterable[DatabaseConfig] = ()) -> AsyncGenerator[None]:
    """Read each migrations folder once while the block (or one around it) runs.

    *databases* are those whose files will be asked for: their folders are read many at a time.
    """
    folders = _folders.get() or _Folders()
    for config in databases:
        if (folder := _folder_of(config)) not in folders.read:
            folders.wanted[folder] = None
    token = _folders.set(folders)
    try:
        yield
    finally:
        _folders.reset(token)


async def migration_files(config: DatabaseConfig) -> tuple[Migration, ...]:
    """The migration files of this database, read in a worker thread."""
    folder = _folder_of(config)
    known = _folders.get()
    if known is None:
        return await anyio.to_thread.run_sync(read_folder, *folder)
    if folder not in known.read:
        async with known.turn:
            if folder not in known.read:
                some = known.next(folder)
                known.read.update(await anyio.to_thread.run_sync(_read_folders, some))
    return known.read[folder]


async def forget_files(config: DatabaseConfig) -> None:
    """Read the files of this database again when they are next asked for: one was written."""
    if (known := _folders.get()) is not None:
        async with known.turn:  # who reads now may read this folder by the way
            known.wanted.pop(_folder_of(config), None)
            known.read.pop(_folder_of(config), None)


def _folder_of(config: DatabaseConfig) -> Folder:
    return (config.migrations_dir, config.files_of, config.database_type)


def _read_folders(folders: Sequence[Folder]) -> dict[Folder, tuple[Migration, ...]]:
    """The first folder, which must be readable, and as many of the others as are."""
    found = {folders[0]: read_folder(*folders[0])}
    for folder in folders[1:]:
        with contextlib.suppress(MigrationFileError):  # told to whoever asks for it
            found[folder] = read_folder(*folder)
    return found


class Cutter(Protocol):
    """Cuts sections into steps, as a dialect does."""

    def steps(self, migration: Migration, section: Section) -> tuple[Step, ...]:
        """As of ``Dialect.steps``."""
        ...


@dataclass(frozen=True, slots=True)
class _CutOnce:
    dialect: Dialect
    known: dict[int, tuple[Section, tuple[Step, ...]]]

    def steps(self, migration: Migration, section: Section) -> tuple[Step, ...]:
        found = self.known.get(id(section))
        if found is None:
            # With the section itself: as long as it is kept, its number is no other's.
            found = self.known[id(section)] = (section, self.dialect.steps(migration, section))
        return found[1]


def cut_once(dialect: Dialect) -> Cutter:
    """*dialect* as a cutter that, within ``files_once``, cuts what tenants share only once."""
    known = _folders.get()
    return dialect if known is None else _CutOnce(dialect, known.cut)


async def look(config: DatabaseConfig) -> Reading:
    """Connect, read once, leave. Never writes."""
    async with dialect_of(config).connect(config, read_only=True) as connection:
        return await connection.read_last()


__all__ = [
    "Connection",
    "DatabaseRef",
    "dialect_of",
    "look",
    "migration_files",
    "operation",
    "timed_out",
    "within",
]
