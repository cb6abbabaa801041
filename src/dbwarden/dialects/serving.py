"""Define what the application's engines need of a database kind."""

from collections.abc import MutableSet
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncEngine

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.config.urls import DatabaseURL
from dbwarden.errors import DBWardenError
from dbwarden.migration_history import DatabaseStatus


class ServingDialect(Protocol):
    """The engines of one database kind; its modules ``serve.engine`` implement it."""

    async def engine_url(self, config: DatabaseConfig) -> DatabaseURL | None:
        """Return the URL that an engine needs; ``None`` if each connection asks for it."""
        ...

    def make_engine(
        self, config: DatabaseConfig, url: DatabaseURL | None, opened: MutableSet[Any]
    ) -> AsyncEngine:
        """Create an engine; *opened* receives connections that must be closed with it.

        Blocking, because it may import a driver or read the disk.
        """
        ...

    def read_only_engine(
        self, config: DatabaseConfig, url: DatabaseURL | None, engine: AsyncEngine
    ) -> AsyncEngine:
        """Return an engine whose transactions are read-only. Blocking."""
        ...

    async def read(self, engine: AsyncEngine, config: DatabaseConfig) -> DatabaseStatus:
        """Read the ledger and the lock through *engine*.

        Raises:
            LedgerError: The ledger cannot be read.
            sqlalchemy.exc.DBAPIError: The connection broke.
            sqlalchemy.exc.TimeoutError: Every connection of the pool was in use.
        """
        ...

    def unavailable(self, error: BaseException, *, closed: bool) -> DBWardenError | None:
        """Return the error for an unavailable database; ``None`` for any other error.

        Args:
            error: The error that SQLAlchemy caught.
            closed: The connection is closed.
        """
        ...

    def hang_up(self, driver: Any) -> None:
        """Close the driver's connection at once."""
        ...

    def backend_of(self, driver: Any) -> int | None:
        """Return the server process of a connection, without a query; ``None`` without server."""
        ...

    async def end_on_server(self, config: DatabaseConfig, pids: tuple[int, ...]) -> None:
        """Terminate server processes whose connections a cancellation closed. Never raises."""
        ...
