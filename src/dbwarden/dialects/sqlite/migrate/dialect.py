"""The dialect of SQLite: connect to databases, split migrations, create databases."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.ledger_values import Writer
from dbwarden.dialects.sqlite.migrate.connection import SQLiteConnection, opened
from dbwarden.dialects.sqlite.migrate.create_database import create_database
from dbwarden.dialects.sqlite.migrate.opening import target_of
from dbwarden.dialects.sqlite.migrate.session import Session
from dbwarden.dialects.sqlite.sql import splitting
from dbwarden.errors import ConfigurationError, ReadOnlyDatabase
from dbwarden.types import DialectName


@asynccontextmanager
async def connect(
    config: DatabaseConfig, *, read_only: bool = False
) -> AsyncGenerator[SQLiteConnection]:
    """Open the database's file, and create it if it does not exist and may be written.

    SQLite enforces *read_only*, which creates no file: a missing file reads as an empty database.
    Each connection to ``:memory:`` is a database of its own.

    Raises:
        DatabaseMissing: The folder does not exist, or the URL forbids creating the file.
        ConnectError: The file cannot be opened; has the cause and a next step.
    """
    if config.ledger_schema is not None:
        raise ConfigurationError(
            f"ledger_schema={config.ledger_schema!r}: SQLite has no namespaces",
            database=config.database_name,
            next_step="Remove ledger_schema from its database_config; ledger_table names it.",
        )
    url = await config.resolve_url(migrating=not read_only)
    writer = Writer.this_process()
    async with opened(Session(config, target_of(url), writer, read_only=read_only)) as session:
        yield SQLiteConnection(session)


class SQLiteDialect:
    """SQLite, through the standard library's driver; see ``Dialect``."""

    name: DialectName = "sqlite"
    steps = staticmethod(splitting.steps)
    connect = staticmethod(connect)
    create_database = staticmethod(create_database)

    def read_only_error(self, config: DatabaseConfig, *, replica: bool) -> ReadOnlyDatabase:
        """Return the error for a file that this user may not write."""
        del replica
        return ReadOnlyDatabase(
            "the database is read-only: this user may not write its file, or its URL says so",
            database=config.database_name,
            next_step="Give this user write access to the file and its folder, or correct "
            "database_url.",
        )


DIALECT = SQLiteDialect()
