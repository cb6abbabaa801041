"""What a kind of database does so that migrations can be written and proven for it.

A *workshop* is the part of a dialect that authoring uses: a scratch server where SQL is tried, the
catalog that reads a schema back, and the SQL for changes. Nothing of it is needed to migrate.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dbwarden.config.model import DatabaseConfig
from dbwarden.diff.changes import Change
from dbwarden.diff.statements import DEFAULT_OPTIONS, PlannedStatement, RenderOptions
from dbwarden.errors import UsageError
from dbwarden.files.checksum import checksum
from dbwarden.files.disk import read_regular
from dbwarden.files.migration import Migration, Section
from dbwarden.history import HistoryKind
from dbwarden.schema import Schema
from dbwarden.types import DatabaseName, DialectName, Location


def as_migration(path: Path, text: str, database: DatabaseName) -> Migration:
    """A file of plain SQL as if it were the upgrade of a migration: it runs in the same way."""
    return Migration(
        database=database,
        kind=HistoryKind.VERSIONED,
        version=None,
        name=path.stem,
        path=path,
        upgrade=Section(text=text, line=1, checksum=checksum(text)),
        rollback=None,
    )


def setup_of(config: DatabaseConfig) -> Migration | None:
    """The project's ``scratch_setup``, read now; blocks.

    Raises:
        UsageError: It cannot be read.
    """
    path = config.scratch_setup
    if path is None:
        return None
    try:
        text = read_regular(path).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(
            f"scratch_setup cannot be read: {why}",
            database=config.database_name,
            location=Location(path=path),
            next_step="Relative paths count from the folder of the configuration file.",
        ) from error
    return as_migration(path, text, config.database_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLock:
    """The strongest lock that a statement took on a table that was there before it.

    ``mode`` is empty where tables have no locks of their own (SQLite). ``rewrites`` says that the
    whole table was written anew under it. ``strength`` orders the modes of one kind of database.
    """

    table: str
    mode: str
    rewrites: bool = False
    strength: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedStatement:
    """One statement of a migration, its line in the file, and what was measured while it ran."""

    text: str
    line: int
    locks: tuple[TableLock, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """One SQL expression of a schema.

    ``type`` is the type that its value is assigned to, ``columns`` are the names and types of the
    columns that it can read.
    """

    text: str
    type: str | None = None
    columns: tuple[tuple[str, str], ...] = ()


class ScratchDatabase(Protocol):
    """One throw-away database."""

    async def execute(self, statements: Sequence[str]) -> None:
        """Run SQL that stands in no file, such as what models build.

        Raises:
            StatementFailed: With the statement that the server refused.
        """
        ...

    async def replay(self, migration: Migration, section: Section) -> None:
        """Run a section of a migration step by step, as ``migrate`` would; without a ledger.

        Raises:
            StatementFailed: With file, line and column.
        """
        ...

    async def trace(self, migration: Migration, section: Section) -> tuple[TracedStatement, ...]:
        """The same, each statement by itself, with the locks and rewrites that it caused."""
        ...

    async def read(self) -> Schema:
        """The schema of this database."""
        ...

    async def normalize(self, expressions: Sequence[Expression]) -> tuple[str | None, ...]:
        """Return one text for all expressions that mean the same.

        The text is ``None`` where the server does not say. Nothing in the database changes.
        """
        ...

    async def add_rows(self, schema: Schema, *, duplicate: bool = False) -> tuple[str, ...]:
        """Put a few generated rows into each table; which tables hold some now.

        With *alike* there is one more, which is like the first in all that need not differ.
        """
        ...

    async def fingerprint(self, schema: Schema) -> dict[str, str]:
        """For each column of each table, as ``users.email``, a digest of its values.

        Raises:
            StatementFailed: One of them is not there.
        """
        ...

    async def rehearse(
        self, schema: Schema, migration: Migration, sections: Sequence[Section], *, duplicate: bool
    ) -> tuple[dict[str, str], dict[str, str]] | None:
        """Fingerprints before and after *sections* ran on a few rows; all of it is taken back.

        ``None`` where this kind of database or one of the sections cannot do so, and where
        something was refused: a copy is the place to see what.
        """
        ...


class ScratchServer(Protocol):
    """A place that makes throw-away databases, all gone when it is closed."""

    @property
    def version(self) -> str:
        """The server as a person knows it: ``PostgreSQL 18.6``."""
        ...

    async def create(self, *, copy_of: ScratchDatabase | None = None) -> ScratchDatabase:
        """A new database, empty but for ``scratch_setup``, or a copy of another."""
        ...

    async def discard(self, database: ScratchDatabase) -> None:
        """Be rid of *database* before all others: it is not needed any more."""
        ...


class AuthoringDialect(Protocol):
    """What authoring needs of one kind of database."""

    name: DialectName
    sqlalchemy_url: str
    """A URL of this kind for ``sqlalchemy.create_mock_engine``; nothing connects to it."""

    async def identity(self, config: DatabaseConfig) -> str | None:
        """Which server scratch would be, without starting one; ``None`` where that is unknown."""
        ...

    def open(self, config: DatabaseConfig) -> AbstractAsyncContextManager[ScratchServer]:
        """A scratch server for the time of the block.

        Raises:
            UsageError: There is none; names the choices.
        """
        ...

    async def read_live(self, config: DatabaseConfig) -> Schema:
        """The schema of the configured database, without the ledger."""
        ...

    def namespace(self, name: str) -> str:
        """The SQL that makes a namespace unless it exists; empty where it is always there.

        Raises:
            ConfigurationError: This kind of database has no such thing.
        """
        ...

    def match_names(self, current: Schema, desired: Schema) -> Schema:
        """*desired* with the names of *current* where the server takes them for the same."""
        ...

    def replace_synonyms(self, text: str) -> str:
        """Return *text* with one name for each value that SQL knows by several names."""
        ...

    def are_equivalent(self, one: object, other: object) -> bool | None:
        """Whether two things of schemas differ in spelling only; ``None``: ask the server."""
        ...

    def render(
        self,
        changes: Sequence[Change],
        *,
        current: Schema,
        desired: Schema,
        options: RenderOptions = DEFAULT_OPTIONS,
    ) -> tuple[PlannedStatement, ...]:
        """The SQL for *changes*, in their order.

        Raises:
            UnsupportedChange: A change has no SQL; names the thing and what to do next.
        """
        ...
