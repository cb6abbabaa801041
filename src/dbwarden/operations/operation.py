"""Run operations: limit the time, log events, read files."""

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
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.base import Dialect, Step
from dbwarden.errors import DBWardenError, MigrationFileError, TimedOut, UsageError
from dbwarden.files.folder import read_folder
from dbwarden.files.migration import Migration, Section
from dbwarden.files.parsing import parse
from dbwarden.kinds import dialect_for
from dbwarden.migration_history import DatabaseStatus
from dbwarden.types import DatabaseName, DialectName

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

DatabaseRef = DatabaseConfig | str | None
"""A configured database, its name, or ``None`` for the default one."""


class Operation(Protocol[P, R_co]):
    """An operation on one database.

    ``dbwarden.migrate`` and the others also accept a name, and ``None`` for the default database
    (see ``dbwarden.library``). Code of this package passes the configuration.
    """

    async def __call__(
        self, database: DatabaseRef = None, *args: P.args, **kwargs: P.kwargs
    ) -> R_co:
        """Run the operation on *database*."""
        ...


def operation(
    name: str, *, timed: bool = True
) -> Callable[[Callable[Concatenate[DatabaseConfig, P], Awaitable[R]]], Operation[P, R]]:
    """Turn a coroutine function on a database into an operation.

    An operation ends within the database's ``timeout``, unless it is not *timed*, and logs two
    events: ``started``, and ``<name>`` with outcome and duration. Its errors name the database,
    except those about usage, which may concern none.
    """

    def decorate(
        function: Callable[Concatenate[DatabaseConfig, P], Awaitable[R]],
    ) -> Operation[P, R]:
        @functools.wraps(function)
        async def wrapper(database: DatabaseRef = None, *args: P.args, **kwargs: P.kwargs) -> R:
            if not isinstance(database, DatabaseConfig):
                raise UsageError(f"{name} takes a DatabaseConfig; dbwarden.{name} takes a name")
            with telemetry.operation(name, database=database.database_name):
                try:
                    result = function(database, *args, **kwargs)
                    return await (within(database, result) if timed else result)
                except DBWardenError as error:
                    if error.database is None and not isinstance(error, UsageError):
                        error.database = database.database_name
                    raise

        return wrapper

    return decorate


async def within(config: DatabaseConfig, awaitable: Awaitable[R]) -> R:
    """Await *work* for at most ``config.timeout`` seconds.

    Raises:
        TimedOut: It did not end in time; its work on the server was stopped.
    """
    limit = config.timeout
    # An outer scope, such as a fleet, may end this task earlier.
    if limit is None or anyio.current_effective_deadline() <= anyio.current_time() + limit:
        return await awaitable
    at: list[str] = []

    def hear(event: telemetry.Event) -> None:
        if event.name == "doing":
            at.append(f" while {event.fields['what']}")

    with telemetry.listening(hear), anyio.move_on_after(config.timeout) as scope:
        return await awaitable
    assert scope.cancelled_caught
    raise timed_out(config, *at[-1:])


def timed_out(config: DatabaseConfig, at: str = "") -> TimedOut:
    """Return the error of an operation that exceeded the ``timeout``; *at* says during what."""
    return TimedOut(
        f"it did not end within {config.timeout:g} s, and was stopped{at}",
        database=config.database_name,
        next_step="Give it more time with --timeout SECONDS (0 for no limit), or timeout= in its "
        "database_config.",
    )


def dialect_of(config: DatabaseConfig) -> Dialect:
    """Return the dialect of this database."""
    return dialect_for(config.database_type)


Folder = tuple[Path, DatabaseName, DialectName]


@dataclass(frozen=True, slots=True)
class _Folders:
    """The folders read in this run, so that tenants read their shared folder once."""

    read: dict[Folder, tuple[Migration, ...]] = field(default_factory=dict)
    steps_by_section: dict[int, tuple[Section, tuple[Step, ...]]] = field(default_factory=dict)
    upcoming: dict[Folder, None] = field(default_factory=dict)
    turn: anyio.Lock = field(default_factory=anyio.Lock)

    def next(self, folder: Folder) -> tuple[Folder, ...]:
        """Return *folder* and the next upcoming folders."""
        self.upcoming.pop(folder, None)
        others = tuple(islice(self.upcoming, FOLDERS_PER_READ - 1))
        for other in others:
            del self.upcoming[other]
        return (folder, *others)


FOLDERS_PER_READ = 16
"""The number of folders read in one thread, because a thread for each costs more."""

_folders: ContextVar[_Folders | None] = ContextVar("dbwarden_folders", default=None)


@asynccontextmanager
async def files_once(databases: Iterable[DatabaseConfig] = ()) -> AsyncGenerator[None]:
    """Read each migrations folder once while the block (or one around it) runs.

    The folders of *databases*, whose files will be needed, are read several at a time.
    """
    folders = _folders.get() or _Folders()
    for config in databases:
        if (folder := _folder_of(config)) not in folders.read:
            folders.upcoming[folder] = None
    token = _folders.set(folders)
    try:
        yield
    finally:
        _folders.reset(token)


async def migration_files(config: DatabaseConfig) -> tuple[Migration, ...]:
    """Return the migration files of this database, read in a worker thread."""
    folder = _folder_of(config)
    known = _folders.get()
    if known is None:
        return await anyio.to_thread.run_sync(read_folder, *folder)
    if folder not in known.read:
        async with known.turn:
            if folder not in known.read:
                batch = known.next(folder)
                known.read.update(await anyio.to_thread.run_sync(_read_folders, batch))
    return known.read[folder]


def parse_file(config: DatabaseConfig, path: Path, text: str) -> Migration:
    """Return *text*, the content of a file of this database at *path*, as a migration."""
    return parse(text, path=path, database=config.files_of, dialect=config.database_type)


async def forget_files(config: DatabaseConfig) -> None:
    """Drop the cached files of this database after one was written."""
    if (known := _folders.get()) is not None:
        async with known.turn:  # another task may be reading this folder
            known.upcoming.pop(_folder_of(config), None)
            known.read.pop(_folder_of(config), None)


def _folder_of(config: DatabaseConfig) -> Folder:
    return (config.migrations_dir, config.files_of, config.database_type)


def _read_folders(folders: Sequence[Folder]) -> dict[Folder, tuple[Migration, ...]]:
    """Read the first folder, and those of the others that are readable."""
    read = {folders[0]: read_folder(*folders[0])}
    for folder in folders[1:]:
        with contextlib.suppress(MigrationFileError):  # raised when this folder is needed
            read[folder] = read_folder(*folder)
    return read


def steps_of(dialect: Dialect, migration: Migration, section: Section) -> tuple[Step, ...]:
    """Return the steps of *section*; within ``files_once``, a shared file is split once."""
    known = _folders.get()
    if known is None:
        return dialect.steps(migration, section)
    entry = known.steps_by_section.get(id(section))
    if entry is None:
        # Keep the section alive, so that its id stays unique.
        entry = (section, dialect.steps(migration, section))
        known.steps_by_section[id(section)] = entry
    return entry[1]


async def read_status(config: DatabaseConfig) -> DatabaseStatus:
    """Connect, read the status of a database and disconnect. Never writes."""
    async with dialect_of(config).connect(config, read_only=True) as connection:
        return await connection.read_last()


def refuse_read_only(config: DatabaseConfig, reading: DatabaseStatus) -> None:
    """Raise if the database accepts no writes.

    Raises:
        ReadOnlyDatabase: Says what to do about it.
    """
    if reading.read_only:
        raise dialect_of(config).read_only_error(config, replica=reading.replica is not None)
