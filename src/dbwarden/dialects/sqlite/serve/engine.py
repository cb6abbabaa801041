"""The application's sessions on SQLite: an engine, and a look at a database in memory."""

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
from dbwarden.history import Reading


def make_engine(config: DatabaseConfig, url: DatabaseURL) -> AsyncEngine:
    """An engine for *url*; a database in memory has one connection that all sessions share."""
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
    """An engine whose connections SQLite keeps from writing.

    A database in memory has one connection for all, which goes on writing.
    """
    if url.file is None:
        return engine
    made = make_engine(config, url)

    @event.listens_for(made.sync_engine, "connect")
    def guard(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA query_only = ON")
        cursor.close()

    return made


def unavailable(error: BaseException) -> DBWardenError | None:
    """Return what an error of a session says about the file; ``None`` for any other error."""
    match primary_code(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return TimedOut(str(error))
        case sqlite3.SQLITE_CANTOPEN:
            return ConnectError(str(error))
        case _:
            return None


class _Driver:
    """What :class:`Ledger` needs of ``sqlite3.Connection``, on a connection of the pool."""

    def __init__(self, connection: Connection) -> None:
        self._adapted = connection.connection.dbapi_connection

    def execute(self, sql: str, parameters: tuple[object, ...] = ()) -> Any:
        """Run *sql*; what it returns has ``fetchall()``."""
        assert self._adapted is not None
        cursor = self._adapted.cursor()
        cursor.execute(sql, parameters)
        return cursor


async def read(connection: AsyncConnection | None, config: DatabaseConfig) -> Reading:
    """Look at ledger and lock; never makes the file.

    Args:
        connection: The one connection of a database in memory, ``None`` for a file.
        config: The database.
    """
    if connection is None:
        async with DIALECT.connect(config, read_only=True) as own:
            return await own.read()

    def look(inside: Connection) -> Reading:
        database = cast(sqlite3.Connection, _Driver(inside))
        ledger = Ledger(database, config.ledger_table, Writer.this_process())
        return Reading(
            server_version=sqlite3.sqlite_version,
            namespace=None,
            rows=ledger.rows() if ledger.exists() else None,
            holder=None,
            read_only=False,
        )

    return await connection.run_sync(look)
