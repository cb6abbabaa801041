"""Create engines for the application on SQLite, and read the status of a database."""

import sqlite3
from typing import Any, cast

import sqlalchemy.dialects.sqlite.aiosqlite  # noqa: F401  # loaded here, not in the event loop
from sqlalchemy import URL, Connection, StaticPool, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from dbwarden.config.model import DatabaseConfig
from dbwarden.config.urls import DatabaseURL
from dbwarden.dialects.sqlite.migrate.connection import DIALECT
from dbwarden.dialects.sqlite.migrate.history_queries import Ledger
from dbwarden.dialects.sqlite.migrate.statement_errors import primary_code
from dbwarden.dialects.writer import Writer
from dbwarden.errors import ConnectError, DBWardenError, TimedOut
from dbwarden.migration_history import Reading


def make_engine(config: DatabaseConfig, url: DatabaseURL) -> AsyncEngine:
    """Create an engine for *url*; all sessions share the one connection of a memory database."""
    pool: dict[str, Any] = {"poolclass": StaticPool}
    if url.file is not None:
        pool = {
            "pool_size": config.pool_size,
            "max_overflow": config.max_overflow,
            "pool_timeout": config.pool_timeout,
            "pool_recycle": config.pool_recycle,
        }
    return create_async_engine(
        URL.create(**url.engine_parts()), **{**pool, **dict(config.engine_options)}
    )


def read_only_engine(config: DatabaseConfig, url: DatabaseURL, engine: AsyncEngine) -> AsyncEngine:
    """Create an engine whose connections are read-only.

    A database in memory keeps its one connection, which can write.
    """
    if url.file is None:
        return engine
    read_only = make_engine(config, url)

    @event.listens_for(read_only.sync_engine, "connect")
    def guard(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA query_only = ON")
        cursor.close()

    return read_only


def unavailable(error: BaseException) -> DBWardenError | None:
    """Return the error for an unavailable file; ``None`` for any other error of a session."""
    match primary_code(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return TimedOut(str(error))
        case sqlite3.SQLITE_CANTOPEN:
            return ConnectError(str(error))
        case _:
            return None


class _Driver:
    """The part of ``sqlite3.Connection`` that :class:`Ledger` needs, on a pooled connection."""

    def __init__(self, connection: Connection) -> None:
        self._adapted = connection.connection.dbapi_connection

    def execute(self, sql: str, parameters: tuple[object, ...] = ()) -> Any:
        """Run *sql* and return a cursor with ``fetchall()``."""
        assert self._adapted is not None
        cursor = self._adapted.cursor()
        cursor.execute(sql, parameters)
        return cursor


async def read(connection: AsyncConnection | None, config: DatabaseConfig) -> Reading:
    """Read the ledger and the lock, without creating the file.

    Args:
        connection: The one connection of a database in memory; ``None`` for a file.
        config: The database.
    """
    if connection is None:
        async with DIALECT.connect(config, read_only=True) as connected:
            return await connected.read()

    def query(inside: Connection) -> Reading:
        database = cast(sqlite3.Connection, _Driver(inside))
        ledger = Ledger(database, config.ledger_table, Writer.this_process())
        return Reading(
            server_version=sqlite3.sqlite_version,
            namespace=None,
            rows=ledger.rows() if ledger.exists() else None,
            holder=None,
            read_only=False,
        )

    return await connection.run_sync(query)
