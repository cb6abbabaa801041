"""The dialect of PostgreSQL: connect to databases, split migrations, create databases.

Write-path modules are imported lazily so that read-only commands start fast.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.base import NewDatabase, Step
from dbwarden.dialects.postgresql.migrate.connecting import open_session
from dbwarden.dialects.postgresql.migrate.connection import PostgresConnection
from dbwarden.errors import ReadOnlyDatabase
from dbwarden.files.migration import Migration, Section
from dbwarden.types import DialectName


class PostgresDialect:
    """PostgreSQL 14 and newer; see ``Dialect``."""

    name: DialectName = "postgresql"

    def steps(self, migration: Migration, section: Section) -> tuple[Step, ...]:
        """Split *section* into steps; see ``Dialect.steps``."""
        from dbwarden.dialects.postgresql.sql import splitting

        return splitting.steps(migration, section)

    @asynccontextmanager
    async def connect(
        self, config: DatabaseConfig, *, read_only: bool = False
    ) -> AsyncGenerator[PostgresConnection]:
        """Connect within ``config.connect_timeout`` seconds; see ``Dialect.connect``."""
        session = await open_session(config, read_only=read_only)
        connection = PostgresConnection(session, config, read_only=read_only)
        try:
            yield connection
        finally:
            if not connection.hang_up():
                with anyio.CancelScope(shield=True):
                    await connection.close()

    def read_only_error(self, config: DatabaseConfig, *, replica: bool) -> ReadOnlyDatabase:
        """Return the error for a standby or a read-only user; see ``Dialect.read_only_error``."""
        from dbwarden.dialects.postgresql.migrate.connect_errors import read_only

        return read_only(config.database_name, replica=replica)

    async def create_database(self, config: DatabaseConfig, new: NewDatabase) -> bool:
        """Create the database of *config*; see ``Dialect.create_database``."""
        from dbwarden.dialects.postgresql.migrate import create_database as creating

        return await creating.create_database(config, new)


DIALECT = PostgresDialect()
