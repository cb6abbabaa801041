"""The protocols of one database kind for writing and proving migrations.

An *authoring dialect* provides a scratch server that tries SQL, the catalog that reads a schema
back, and the SQL for changes. ``migrate`` does not need it.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, LiteralString, Protocol

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.scratch_clients import ScratchClient
from dbwarden.diff.changes import Change
from dbwarden.diff.statements import DEFAULT_OPTIONS, PlannedStatement, RenderOptions
from dbwarden.errors import UsageError
from dbwarden.files.checksum import checksum
from dbwarden.files.disk import read_regular
from dbwarden.files.migration import Migration, Section
from dbwarden.linting.facts import Observed, StatementFacts
from dbwarden.linting.sizes import LiveStats
from dbwarden.migration_history import HistoryKind
from dbwarden.schema import Schema
from dbwarden.secrets import Secret
from dbwarden.types import DatabaseName, DialectName, Location

TimeUnit = Literal["instant", "seconds", "milliseconds"]
"""How a program writes a time: with its time zone, or as a number since 1970."""


def as_migration(path: Path, text: str, database: DatabaseName) -> Migration:
    """Return a file of plain SQL as the upgrade of a migration, so that it runs in the same way."""
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
    """Read the project's ``scratch_setup``. Blocking.

    Raises:
        UsageError: The file cannot be read.
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
class Repeated:
    """A statement that is sent until it changes fewer than ``least`` rows.

    ``parts`` is its text. Between each two of them is a number that grows: ``counters`` has the
    first value and the step of each.
    """

    parts: tuple[str, ...]
    counters: tuple[tuple[int, int], ...] = ()
    least: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLock:
    """The strongest lock that a statement took on a table that existed before it.

    ``mode`` is empty where tables have no locks of their own (SQLite). ``rewrites`` is true if the
    statement rewrote the table. ``strength`` orders the modes of one database kind.
    """

    table: str
    mode: str
    rewrites: bool = False
    strength: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedStatement:
    """One statement of a migration, its line in the file, and the locks that it took."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ScratchAddress:
    """Where another process reaches a scratch database: on a server, or in the file ``path``."""

    kind: DialectName
    path: str | None = None
    host: str | None = None
    port: int | None = None
    user: str | None = None
    password: Secret[str] | None = None
    database: str | None = None


class ScratchDatabase(Protocol):
    """One temporary database."""

    async def execute(self, statements: Sequence[str]) -> None:
        """Run SQL that is not from a file, such as the SQL of models.

        Raises:
            ScratchRefused: With the statement that the server refused.
        """
        ...

    async def replay(self, migration: Migration, section: Section) -> None:
        """Run a section of a migration step by step, as ``migrate`` does; without a history.

        Raises:
            ScratchRefused: With file, line and column.
        """
        ...

    async def trace(self, migration: Migration, section: Section) -> tuple[TracedStatement, ...]:
        """Run a section statement by statement, and return the locks and rewrites of each."""
        ...

    async def observe(self, migration: Migration, section: Section) -> Observed:
        """Run a section as ``migrate`` does, and return the effects of each statement.

        Raises:
            ScratchRefused: With file, line and column.
        """
        ...

    async def read(self) -> Schema:
        """Read the schema of this database."""
        ...

    async def normalize(self, expressions: Sequence[Expression]) -> tuple[str | None, ...]:
        """Return a normal form of each expression; equal expressions have the same one.

        The result is ``None`` where the server cannot tell. The database does not change.
        """
        ...

    async def add_rows(self, schema: Schema, *, duplicate: bool = False) -> tuple[str, ...]:
        """Insert a few generated rows into each table, and return the tables that have rows.

        With *duplicate*, one more row equals the first in all columns that may be equal.
        """
        ...

    async def fingerprint(self, schema: Schema) -> dict[str, str]:
        """Return a digest of the values of each column, by names such as ``users.email``.

        Raises:
            ScratchRefused: A column does not exist.
        """
        ...

    async def rehearse(
        self, schema: Schema, migration: Migration, sections: Sequence[Section], *, duplicate: bool
    ) -> tuple[dict[str, str], dict[str, str]] | None:
        """Return fingerprints before and after *sections* ran on a few rows; roll all of it back.

        Return ``None`` if this database kind or a section cannot be rolled back, or if a statement
        failed. Use a copy to find out which.
        """
        ...


class ScratchServer(Protocol):
    """A server of scratch databases. Closing it drops them."""

    @property
    def version(self) -> str:
        """The server's kind and version: ``PostgreSQL 18.6``."""
        ...

    async def create(self, *, copy_of: ScratchDatabase | None = None) -> ScratchDatabase:
        """Create a database: empty except for ``scratch_setup``, or a copy of another."""
        ...

    async def discard(self, database: ScratchDatabase) -> None:
        """Drop *database* early to free resources."""
        ...

    async def lend(self, database: ScratchDatabase) -> ScratchAddress:
        """Let another process use *database* until ``take_back``; nothing else does meanwhile."""
        ...

    async def take_back(self, database: ScratchDatabase) -> None:
        """Disconnect the other process from *database*, and see its changes."""
        ...


class AuthoringDialect(Protocol):
    """The operations of one database kind that authoring needs."""

    name: DialectName
    sqlalchemy_url: str
    """A URL for ``sqlalchemy.create_mock_engine``, which does not connect."""
    online_forms: bool
    """Whether there are forms that do not block others."""
    unchecked_bodies: tuple[str, str]
    """The SQL after which bodies of functions may name later objects, and the SQL that ends it."""

    async def identity(self, config: DatabaseConfig) -> str | None:
        """Return the version of the scratch server without starting it; ``None`` if unknown."""
        ...

    def has_virtual_columns(self, version: str) -> bool:
        """Return whether a generated column of a server of *version* is virtual by default."""
        ...

    def open(self, config: DatabaseConfig) -> AbstractAsyncContextManager[ScratchServer]:
        """Open a scratch server. It closes when the block ends.

        Raises:
            UsageError: No scratch server is available; lists the options.
        """
        ...

    def client(
        self, database: ScratchDatabase
    ) -> AbstractAsyncContextManager[ScratchClient] | None:
        """Connect an application to *database*; ``None`` if only one connection can use it."""
        ...

    async def read_live(self, config: DatabaseConfig) -> Schema:
        """Read the schema of the configured database, without the migration history."""
        ...

    async def read_sizes(self, config: DatabaseConfig) -> LiveStats:
        """Read the sizes and the traffic of the configured database's tables, and no rows."""
        ...

    def safer_form(self, rule: str, statement: StatementFacts) -> tuple[str, ...] | None:
        """Return statements that block less than one that *rule* of ``lint`` found, if there are.

        They end without semicolons. One that begins with ``linting.fixes.ALONE`` runs outside of
        the transaction of the others.
        """
        ...

    def namespace(self, name: str) -> str:
        """Return the SQL that creates a namespace if it does not exist; empty if it always does.

        Raises:
            ConfigurationError: This database kind has no namespaces.
        """
        ...

    def match_names(self, current: Schema, desired: Schema) -> Schema:
        """Return *desired* with the names of *current* that the server treats as equal."""
        ...

    def replace_synonyms(self, text: str) -> str:
        """Return *text* with one of its synonyms for each SQL value that has several."""
        ...

    def literal(self, value: object) -> str:
        """Return a value of Python as SQL: text, a number, bytes, a list, an interval or NULL.

        Raises:
            TypeError: There is no such literal.
        """
        ...

    def now(self, unit: TimeUnit) -> LiteralString:
        """Return the SQL of the current time."""
        ...

    def repeat(self, statement: Repeated, *, commits: bool) -> str | None:
        """Return the SQL that repeats *statement*; ``None`` if there is none.

        If it *commits* after each time, it cannot run in a transaction.
        """
        ...

    def are_equivalent(self, one: object, other: object) -> bool | None:
        """Return whether two objects differ only in spelling; ``None`` if it cannot tell."""
        ...

    def render(
        self,
        changes: Sequence[Change],
        *,
        current: Schema,
        desired: Schema,
        options: RenderOptions = DEFAULT_OPTIONS,
    ) -> tuple[PlannedStatement, ...]:
        """Return the SQL for *changes*, in their order.

        Raises:
            UnsupportedChange: A change has no SQL; names the object and the next step.
        """
        ...
