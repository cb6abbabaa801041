"""Create engines for the application on SQLite, and read the status of a database."""

import sqlite3
from collections.abc import MutableSet
from typing import Any, cast

import sqlalchemy.dialects.sqlite.aiosqlite  # noqa: F401  # loaded here, not in the event loop
from sqlalchemy import URL, AsyncAdaptedQueuePool, Connection, StaticPool, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.config.urls import DatabaseURL
from dbwarden.dialects.sqlite.migrate.dialect import DIALECT
from dbwarden.dialects.sqlite.migrate.history_queries import Ledger, open_backfills
from dbwarden.dialects.sqlite.migrate.statement_errors import primary_code
from dbwarden.errors import ConnectError, DBWardenError, TimedOut
from dbwarden.migration_history import DatabaseStatus


async def engine_url(config: DatabaseConfig) -> DatabaseURL | None:
    """Return the URL, which an engine needs to choose its pool."""
    return await config.resolve_url()


def make_engine(
    config: DatabaseConfig, url: DatabaseURL | None, opened: MutableSet[Any]
) -> AsyncEngine:
    """Create an engine for *url*; all sessions share the one connection of a memory database."""
    del opened  # the pool closes all connections itself
    assert url is not None
    pool: dict[str, Any] = {"poolclass": StaticPool}
    if not url.is_in_memory:
        pool = {
            "poolclass": AsyncAdaptedQueuePool,  # SQLAlchemy before 2.0.38 pools no files
            "pool_size": config.pool_size,
            "max_overflow": config.max_overflow,
            "pool_timeout": config.pool_timeout,
            "pool_recycle": config.pool_recycle,
        }
    return create_async_engine(
        URL.create(**url.engine_parts()), **{**pool, **dict(config.engine_options)}
    )


def read_only_engine(
    config: DatabaseConfig, url: DatabaseURL | None, engine: AsyncEngine
) -> AsyncEngine:
    """Create an engine whose connections are read-only.

    A database in memory keeps its one connection, which can write.
    """
    assert url is not None
    if url.is_in_memory:
        return engine
    read_only = make_engine(config, url, set())

    @event.listens_for(read_only.sync_engine, "connect")
    def guard(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA query_only = ON")
        cursor.close()

    return read_only


def unavailable(error: BaseException, *, closed: bool) -> DBWardenError | None:
    """Return the error for an unavailable file; ``None`` for any other error of a session."""
    del closed
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


def hang_up(driver: Any) -> None:
    """Do nothing, because the pool closes all connections itself."""
    del driver


def backend_of(driver: Any) -> int | None:
    """Return ``None``, because there is no server."""
    del driver
    return None


async def end_on_server(config: DatabaseConfig, pids: tuple[int, ...]) -> None:
    """Do nothing, because there is no server."""
    del config, pids


async def read(engine: AsyncEngine, config: DatabaseConfig) -> DatabaseStatus:
    """Read the ledger and the lock, without creating the file.

    A database in memory is read through its one connection.
    """
    if not isinstance(engine.sync_engine.pool, StaticPool):
        async with DIALECT.connect(config, read_only=True) as connected:
            return await connected.read()

    def query(inside: Connection) -> DatabaseStatus:
        database = cast(sqlite3.Connection, _Driver(inside))
        ledger = Ledger(database, config.ledger_table)
        rows = ledger.rows() if ledger.exists() else None
        return DatabaseStatus(
            server_version=sqlite3.sqlite_version,
            namespace=None,
            rows=rows,
            holder=None,
            read_only=False,
            backfills=open_backfills(database, config, rows or ()),
        )

    async with engine.connect() as connection:
        return await connection.run_sync(query)
