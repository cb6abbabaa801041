"""Create temporary databases in memory, in which SQL is tried. No file is opened."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.authoring import (
    Expression,
    ScratchAddress,
    ScratchDatabase,
    TracedStatement,
    setup_of,
)
from dbwarden.dialects.backfill.code import work_of_steps
from dbwarden.dialects.backfill.running import Backfills
from dbwarden.dialects.backfill.work import whole_table
from dbwarden.dialects.base import PendingMigration, Step
from dbwarden.dialects.ledger_values import Writer
from dbwarden.dialects.sqlite.backfill.store import SQLiteBatches
from dbwarden.dialects.sqlite.catalog import read_schema
from dbwarden.dialects.sqlite.migrate.opening import Target
from dbwarden.dialects.sqlite.migrate.runner import FileRun, StatementExecutor
from dbwarden.dialects.sqlite.migrate.session import Session
from dbwarden.dialects.sqlite.migrate.threads import (
    run_cleanup,
    run_interruptible,
    run_uninterrupted,
)
from dbwarden.dialects.sqlite.scratch.observing import Observer
from dbwarden.dialects.sqlite.scratch.replaying import HarmlessExecutor, NoJournal, make_harmless
from dbwarden.dialects.sqlite.scratch.sample_rows import add_rows, fingerprint
from dbwarden.dialects.sqlite.scratch.synonyms import normalize
from dbwarden.dialects.sqlite.scratch.tracing import Tracer
from dbwarden.dialects.sqlite.sql import splitting
from dbwarden.dialects.sqlite.sql.error_texts import SQLiteText
from dbwarden.errors import (
    DBWardenError,
    MigrationFileError,
    RefusalCause,
    ScratchRefused,
    StatementFailed,
)
from dbwarden.files.migration import Migration, Section
from dbwarden.linting.facts import Observed
from dbwarden.schema import Schema

T = TypeVar("T")

_IN_MEMORY = Target(path=None, database=":memory:", uri=False)


class SQLiteScratchServer:
    """A factory of temporary databases; see ``ScratchServer``."""

    def __init__(self, config: DatabaseConfig) -> None:
        """Initialize without I/O."""
        self._config = config
        self._databases: list[SQLiteScratchDatabase] = []

    @property
    def version(self) -> str:
        """The kind and version: ``SQLite 3.40.1``."""
        return version()

    async def create(self, *, copy_of: ScratchDatabase | None = None) -> "SQLiteScratchDatabase":
        """Create a database: empty except for ``scratch_setup``, or a copy of another."""
        database = SQLiteScratchDatabase(self._config)
        self._databases.append(database)
        if copy_of is None:
            await database.set_up()
        else:
            assert isinstance(copy_of, SQLiteScratchDatabase)
            await database.take_over(copy_of)
        return database

    async def discard(self, database: ScratchDatabase) -> None:
        """Close *database*."""
        assert isinstance(database, SQLiteScratchDatabase)
        self._databases.remove(database)
        await database.close()

    async def lend(self, database: ScratchDatabase) -> ScratchAddress:
        """Write *database* to a file for another process."""
        assert isinstance(database, SQLiteScratchDatabase)
        return ScratchAddress(kind="sqlite", path=str(await database.save()))

    async def take_back(self, database: ScratchDatabase) -> None:
        """Read the file of the other process."""
        assert isinstance(database, SQLiteScratchDatabase)
        await database.load()

    async def close(self) -> None:
        """Close all databases."""
        for database in self._databases:
            await database.close()


def version() -> str:
    """Return the kind and version: ``SQLite 3.40.1``."""
    return f"SQLite {sqlite3.sqlite_version}"


class InMemorySession(Session):
    """A connection to a database in memory, which must survive a reconnect."""

    def __init__(self, config: DatabaseConfig) -> None:
        """Initialize without I/O."""
        super().__init__(config, _IN_MEMORY, Writer.this_process(), read_only=False)

    def reopen(self) -> None:
        """Move the database to a connection without settings and temporary tables."""
        old = self.database
        self._open()
        old.backup(self.database)
        old.close()
        self.dirty = False


class SQLiteScratchDatabase:
    """One temporary database; see ``ScratchDatabase``."""

    def __init__(self, config: DatabaseConfig) -> None:
        """Initialize without I/O; :class:`SQLiteScratchServer` creates the database."""
        self._config = config
        self._session = InMemorySession(config)
        self._folder: TemporaryDirectory[str] | None = None

    async def set_up(self) -> None:
        """Open it, and run the project's ``scratch_setup``."""
        await self._call(self._session.open)
        setup = await anyio.to_thread.run_sync(setup_of, self._config)
        if setup is not None:
            await self.replay(setup, setup.upgrade)

    async def take_over(self, other: "SQLiteScratchDatabase") -> None:
        """Open it as a copy of *other*."""

        def copy() -> None:
            self._session.open()
            other._session.database.backup(self._session.database)

        await run_uninterrupted(copy)

    async def save(self) -> Path:
        """Write it to a temporary file, and return the path."""

        def write() -> Path:
            self._folder = TemporaryDirectory(prefix="dbwarden_scratch_")
            file = Path(self._folder.name) / "scratch.db"
            with closing(sqlite3.connect(file)) as target:
                self._fresh().backup(target)
            return file

        return await run_uninterrupted(write)

    async def load(self) -> None:
        """Read the file that :meth:`save` wrote and another process changed; remove it."""
        folder = self._folder
        assert folder is not None
        self._folder = None

        def read() -> None:
            with closing(sqlite3.connect(Path(folder.name) / "scratch.db")) as source:
                source.backup(self._fresh())
            folder.cleanup()

        await run_uninterrupted(read)

    async def close(self) -> None:
        """Close it."""
        if self._folder is not None:
            await anyio.to_thread.run_sync(self._folder.cleanup)
        if not self._session.abandoned:
            await run_cleanup(self._session.close)

    async def execute(self, statements: Sequence[str]) -> None:
        """Run SQL that is not from a file.

        Raises:
            ScratchRefused: With the statement that SQLite refused.
        """

        def run() -> None:
            self._fresh()
            for statement in statements:
                self._one(statement)

        await self._call(run)

    def _fresh(self) -> sqlite3.Connection:
        """Return the connection without the settings and temporary tables of migrations."""
        if self._session.dirty:
            self._session.reopen()
        return self._session.database

    def _one(self, statement: str) -> None:
        text = make_harmless(statement)
        if text is None:
            return
        try:
            self._session.execute(text)
        except sqlite3.Error as error:
            failed = StatementFailed(
                str(error), database=self._config.database_name, statement=statement
            )
            raise _in_scratch(failed, error) from error

    async def replay(self, migration: Migration, section: Section) -> None:
        """Run a section of a migration step by step, as ``migrate`` does; without a history.

        Raises:
            ScratchRefused: With file, line and column; also if foreign keys are violated.
        """
        if migration.backfill is None or section is not migration.upgrade:
            await self._replay(migration, section, None)
            return
        steps = splitting.steps(migration, section)
        try:
            await self._call(self._fresh)
            work = await work_of_steps(migration, steps)
            await Backfills(SQLiteBatches(self._session)).replay(work, anyio.lowlevel.checkpoint)
        except (StatementFailed, MigrationFileError) as error:
            raise _in_scratch(error, error.__cause__) from error

    async def trace(self, migration: Migration, section: Section) -> tuple[TracedStatement, ...]:
        """Run a section, and return the tables that each statement rewrites."""
        tracer = Tracer(self._session)
        await self._replay(migration, section, tracer)
        return tuple(tracer.traced)

    async def observe(self, migration: Migration, section: Section) -> Observed:
        """Run a section as ``migrate`` does, and return the effects of each statement."""
        steps = splitting.steps(migration, section)
        observer = Observer(self._session, steps)
        await self._replay(migration, section, observer, steps)
        return observer.observed()

    async def _replay(
        self,
        migration: Migration,
        section: Section,
        tracer: Tracer | Observer | None,
        steps: tuple[Step, ...] | None = None,
    ) -> None:
        work = PendingMigration(
            migration=migration,
            direction="rollback" if section is migration.rollback else "upgrade",
            steps=tuple(
                whole_table(
                    "sqlite", migration, section, steps or splitting.steps(migration, section)
                )
            ),
        )
        try:
            await self._call(lambda: self._run(work, tracer))
        except StatementFailed as error:
            raise _in_scratch(error, error.__cause__) from error

    def _run(self, work: PendingMigration, tracer: Tracer | Observer | None) -> None:
        if tracer is not None:
            tracer.begin()
        executor = HarmlessExecutor(StatementExecutor(self._session, work), tracer)
        journal = NoJournal(self._session, work)
        run = FileRun(self._session, work, journal=journal, executor=executor)
        for step in work.steps:
            run.step(step)

    async def read(self) -> Schema:
        """Read the schema of this database."""
        return await self._call(lambda: read_schema(self._fresh()))

    async def normalize(self, expressions: Sequence[Expression]) -> tuple[str | None, ...]:
        """Return a normal form of each expression; equal expressions have the same one."""
        return await self._call(lambda: tuple(map(normalize, expressions)))

    async def add_rows(self, schema: Schema, *, duplicate: bool = False) -> tuple[str, ...]:
        """Insert a few generated rows into each table, and return the tables that have rows."""
        return await self._call(lambda: add_rows(self._fresh(), schema, duplicate=duplicate))

    async def fingerprint(self, schema: Schema) -> dict[str, str]:
        """Return a digest of the values of each column, by names such as ``users.email``.

        Raises:
            ScratchRefused: A column does not exist.
        """
        try:
            return await self._call(lambda: fingerprint(self._fresh(), schema))
        except sqlite3.OperationalError as error:
            failed = StatementFailed(str(error), database=self._config.database_name)
            raise _in_scratch(failed, error) from error

    async def rehearse(
        self, schema: Schema, migration: Migration, sections: Sequence[Section], *, duplicate: bool
    ) -> None:
        """Return ``None``, because a copy in memory is cheap."""

    async def _call(self, work: Callable[[], T]) -> T:
        self._session.rearm()
        return await run_interruptible(work, self._session)


_DUPLICATES = (
    sqlite3.SQLITE_CONSTRAINT_UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    sqlite3.SQLITE_CONSTRAINT_ROWID,
)


def _in_scratch(failed: DBWardenError, error: BaseException | None) -> ScratchRefused:
    """Adapt *failed*, which *error* caused, to scratch, where it is no use to run again."""
    cause: RefusalCause | None = None
    if getattr(error, "sqlite_errorcode", None) in _DUPLICATES:
        cause = "duplicate row"
    elif SQLiteText.REQUIRED_COLUMN.is_in(error):
        cause = "missing value"
    return ScratchRefused(
        failed.message,
        cause=cause,
        database=failed.database,
        location=failed.location,
        statement=failed.statement,
        detail=failed.detail,
        hint=failed.hint,
        next_step=_CREATE_IT_FIRST if SQLiteText.MISSING_OBJECT.is_in(error) else None,
    )


_CREATE_IT_FIRST = (
    "Create the missing object first: in a migration, a DDL event of the models, schema_paths, or "
    "(if it exists outside dbwarden) a scratch_setup file. Attached databases are empty in scratch "
    "databases."
)
