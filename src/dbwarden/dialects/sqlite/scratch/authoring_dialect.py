"""Implement the authoring dialect of SQLite."""

import sqlite3
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import LiteralString, TypeVar

import anyio

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.authoring import Repeated, ScratchDatabase, TimeUnit
from dbwarden.dialects.ledger_values import Writer
from dbwarden.dialects.sqlite.catalog import read_schema, spelled_alike
from dbwarden.dialects.sqlite.catalog.name_case import adopt_capitals
from dbwarden.dialects.sqlite.ddl import render
from dbwarden.dialects.sqlite.migrate.connection import opened
from dbwarden.dialects.sqlite.migrate.opening import target_of
from dbwarden.dialects.sqlite.migrate.session import Session
from dbwarden.dialects.sqlite.migrate.threads import run_interruptible
from dbwarden.dialects.sqlite.scratch.scratch_database import SQLiteScratchServer, version
from dbwarden.dialects.sqlite.scratch.synonyms import replace_synonyms
from dbwarden.dialects.sqlite.sql.quoting import value_literal
from dbwarden.errors import ConfigurationError, UnsupportedChange
from dbwarden.linting.facts import StatementFacts
from dbwarden.linting.sizes import LiveStats, TableSize
from dbwarden.migration_history import backfill_table
from dbwarden.quoting import quoted
from dbwarden.schema import Schema
from dbwarden.types import DialectName

T = TypeVar("T")

_TABLES = (
    "SELECT name FROM main.sqlite_master WHERE type = 'table' AND rootpage > 0"
    " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
)

NOW: Mapping[TimeUnit, LiteralString] = {
    "instant": "strftime('%Y-%m-%d %H:%M:%f+00:00', 'now')",
    "seconds": "CAST(strftime('%s', 'now') AS INTEGER)",
    "milliseconds": "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
}


class SQLiteAuthoringDialect:
    """The authoring dialect of SQLite; see ``AuthoringDialect``."""

    name: DialectName = "sqlite"
    sqlalchemy_url = "sqlite://"
    online_forms = False
    unchecked_bodies = ("", "")  # it has no functions
    render = staticmethod(render)
    match_names = staticmethod(adopt_capitals)
    replace_synonyms = staticmethod(replace_synonyms)
    literal = staticmethod(value_literal)
    now = staticmethod(NOW.__getitem__)
    are_equivalent = staticmethod(spelled_alike)

    def repeat(self, statement: Repeated, *, commits: bool) -> None:
        """Return ``None``: SQLite has no loops."""
        del statement, commits

    async def identity(self, config: DatabaseConfig) -> str | None:
        """Return the version of SQLite in Python."""
        del config
        return version()

    def has_virtual_columns(self, version: str) -> bool:
        """Return true: every supported version has them."""
        del version
        return True

    @asynccontextmanager
    async def open(self, config: DatabaseConfig) -> AsyncGenerator[SQLiteScratchServer]:
        """Open a server of scratch databases in memory. It closes when the block ends."""
        scratch = SQLiteScratchServer(config)
        try:
            yield scratch
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(10):
                await scratch.close()

    async def read_live(self, config: DatabaseConfig) -> Schema:
        """Read the schema of the configured database, without the migration history.

        This writes nothing. A missing file has an empty schema.
        """
        ours = (config.ledger_table, backfill_table(config.ledger_table))
        return await _read_live(config, lambda database: read_schema(database, exclude=ours))

    async def read_sizes(self, config: DatabaseConfig) -> LiveStats:
        """Read the sizes of the configured database's tables; SQLite counts no traffic."""
        return LiveStats(
            server=version(),
            taken_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            tables=await _read_live(config, lambda database: dict(_sizes(database))),
        )

    def client(self, database: ScratchDatabase) -> None:
        """Return ``None``, because a database in memory has one connection."""

    def safer_form(self, rule: str, statement: StatementFacts) -> None:
        """Return ``None``, because SQLite has no other forms."""

    def namespace(self, name: str) -> str:
        """Return an empty text for ``main``, which always exists.

        Raises:
            ConfigurationError: The name is another one.
        """
        if name.lower() == "main":
            return ""
        raise ConfigurationError(
            f"the models put tables into the schema {name!r}, and a SQLite database has none",
            next_step="Take schema= away from the models, or give these tables a database_config "
            "of their own: dbwarden never migrates attached databases.",
        )


AUTHORING_DIALECT = SQLiteAuthoringDialect()


async def _read_live(config: DatabaseConfig, reader: Callable[[sqlite3.Connection], T]) -> T:
    """Return what *reader* reads in one transaction of the configured database.

    A missing file is an empty database.
    """
    url = await config.resolve_url(migrating=True)
    session = Session(config, target_of(url), Writer.this_process(), read_only=True)

    def read() -> T:
        try:
            return session.read_consistent(reader)
        except UnsupportedChange as error:
            error.database = config.database_name
            raise

    async with opened(session):
        return await run_interruptible(read, session)


def _sizes(database: sqlite3.Connection) -> Iterator[tuple[str, TableSize]]:
    """Yield each table with its number of rows, which its highest rowid estimates."""
    for (name,) in database.execute(_TABLES).fetchall():
        try:
            query = f"SELECT max(rowid) FROM main.{quoted(name)}"
            row = database.execute(query).fetchone()
        except sqlite3.OperationalError:  # WITHOUT ROWID
            query = f"SELECT count(*) FROM main.{quoted(name)}"
            row = database.execute(query).fetchone()
        yield name, TableSize(rows=int(row[0] or 0))
