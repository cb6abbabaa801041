"""What authoring needs of SQLite: scratch databases in memory, the catalog, the SQL for changes."""

import sqlite3
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import anyio

from dbwarden.config.model import DatabaseConfig
from dbwarden.dialects.sqlite.catalog import read_schema, spelled_alike
from dbwarden.dialects.sqlite.catalog.capitals import with_capitals_of
from dbwarden.dialects.sqlite.migrate.opening import target_of
from dbwarden.dialects.sqlite.migrate.session import Session
from dbwarden.dialects.sqlite.migrate.statement_errors import too_slow
from dbwarden.dialects.sqlite.migrate.threads import run_cleanup, run_interruptible
from dbwarden.dialects.sqlite.scratch.scratch_database import SQLiteScratchServer, version
from dbwarden.dialects.sqlite.scratch.synonyms import replace_synonyms
from dbwarden.dialects.writer import Writer
from dbwarden.diff.changes import Change
from dbwarden.diff.statements import DEFAULT_OPTIONS, PlannedStatement, RenderOptions
from dbwarden.errors import ConfigurationError, UnsupportedChange
from dbwarden.schema import Schema
from dbwarden.types import DialectName


class SQLiteAuthoringDialect:
    """What authoring needs of SQLite; see ``AuthoringDialect``."""

    name: DialectName = "sqlite"
    sqlalchemy_url = "sqlite://"

    def render(
        self,
        changes: Sequence[Change],
        *,
        current: Schema,
        desired: Schema,
        options: RenderOptions = DEFAULT_OPTIONS,
    ) -> tuple[PlannedStatement, ...]:
        """The SQL for *changes*, in their order; see ``AuthoringDialect.render``."""
        from dbwarden.dialects.sqlite.ddl import render

        return render(changes, current=current, desired=desired, options=options)

    def match_names(self, current: Schema, desired: Schema) -> Schema:
        """*desired*, whose names differ from those of *current* not only in capitals."""
        return with_capitals_of(current, desired)

    def replace_synonyms(self, text: str) -> str:
        """Return *text* with one name for each value that SQL knows by several names."""
        return replace_synonyms(text)

    def are_equivalent(self, one: object, other: object) -> bool | None:
        """Whether two things differ in spelling only."""
        return spelled_alike(one, other)

    async def identity(self, config: DatabaseConfig) -> str | None:
        """Which SQLite scratch is: the one that Python brings."""
        del config
        return version()

    @asynccontextmanager
    async def open(self, config: DatabaseConfig) -> AsyncGenerator[SQLiteScratchServer]:
        """Scratch databases in memory for the time of the block."""
        scratch = SQLiteScratchServer(config)
        try:
            yield scratch
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(10):
                await scratch.close()

    async def read_live(self, config: DatabaseConfig) -> Schema:
        """The schema of the configured database, without the ledger.

        Writes nothing and makes no file: one that is still to be made has an empty schema.
        """
        url = await config.resolve_url(migrating=True)
        session = Session(config, target_of(url), Writer.this_process(), read_only=True)

        def look() -> Schema:
            database = session.database
            database.execute("BEGIN")
            try:
                return read_schema(database, exclude=[config.ledger_table])
            finally:
                database.execute("ROLLBACK")

        def read() -> Schema:
            try:
                return session.read_consistent(look)
            except sqlite3.Error as error:
                raise session.error_for(error) from error
            except UnsupportedChange as error:
                error.database = config.database_name
                raise

        try:
            with anyio.move_on_after(config.connect_timeout) as scope:
                await run_interruptible(session.open, session)
            if scope.cancelled_caught:
                path = session.target.path
                raise too_slow(config.database_name, path, config.connect_timeout)
            return await run_interruptible(read, session)
        finally:
            if not session.abandoned:
                await run_cleanup(session.close)

    def namespace(self, name: str) -> str:
        """Nothing to make: tables are in the main database.

        Raises:
            ConfigurationError: They are to be in another one.
        """
        if name.lower() == "main":
            return ""
        raise ConfigurationError(
            f"the models put tables into the schema {name!r}, and a SQLite database has none",
            next_step="Take schema= away from the models, or give these tables a database_config "
            "of their own: dbwarden never migrates attached databases.",
        )


AUTHORING_DIALECT = SQLiteAuthoringDialect()
