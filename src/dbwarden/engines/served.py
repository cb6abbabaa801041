"""Manage the engine of one database of any kind."""

import time
from dataclasses import dataclass, field
from typing import Any, assert_never
from weakref import WeakSet

import anyio
import anyio.to_thread
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from dbwarden import telemetry
from dbwarden.config.model import DatabaseConfig
from dbwarden.config.urls import DatabaseURL
from dbwarden.engines.failures import mark_errors
from dbwarden.errors import ConnectError, ConnectionLost, PoolExhausted
from dbwarden.migration_history import Reading

CLOSED_WITHIN = 5.0
"""Seconds to close the connections of all engines; after that their sockets are closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolState:
    """The usage of one database's pool; ``limit`` is ``None`` if there is none."""

    in_use: int
    idle: int
    limit: int | None

    @property
    def is_full(self) -> bool:
        """Whether all connections that the pool may open are in use."""
        return self.limit is not None and self.in_use >= self.limit


@dataclass(slots=True, kw_only=True, eq=False)
class Served:
    """The engine of one database and the number of its users.

    ``users`` counts sessions and probes; an engine with users is never closed to make room.
    ``connections`` are the driver's connections, closed with the engine; ``cut`` are those that a
    cancellation closed during a statement, which still runs on the server. ``server`` is that of
    the configuration.
    """

    config: DatabaseConfig
    engine: AsyncEngine
    url: DatabaseURL | None
    server: str = ""
    users: int = 0
    retired: bool = False
    connections: "WeakSet[Any]" = field(default_factory=WeakSet)
    cut: "WeakSet[Any]" = field(default_factory=WeakSet)
    _read_only: AsyncEngine | None = None
    _autocommit: AsyncEngine | None = None

    @property
    def in_memory(self) -> bool:
        """Whether this is an in-memory SQLite database."""
        return self.url is not None and self.url.dialect == "sqlite" and self.url.file is None

    async def read_only(self) -> AsyncEngine:
        """Return the engine of read-only sessions, in which the server rejects writes."""
        if self._read_only is None:
            engine = await anyio.to_thread.run_sync(_read_only_engine, self)
            self._read_only = self._read_only or engine
        return self._read_only

    @property
    def autocommit(self) -> AsyncEngine:
        """The same pool without BEGIN and ROLLBACK, with one round trip per query."""
        if self._autocommit is None:
            self._autocommit = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        return self._autocommit

    @property
    def pool(self) -> PoolState:
        """The usage of the pool."""
        pool: Any = self.engine.sync_engine.pool
        if not hasattr(pool, "checkedout"):
            limit = 1 if self.in_memory else None
            return PoolState(in_use=min(self.users, limit or self.users), idle=0, limit=limit)
        overflow = getattr(pool, "_max_overflow", -1)
        return PoolState(
            in_use=pool.checkedout(),
            idle=pool.checkedin(),
            limit=pool.size() + overflow if overflow >= 0 else None,
        )

    async def close(self) -> None:
        """Close every connection, gracefully if the server answers in time. Never raises."""
        engines = [self.engine]
        if self._read_only is not None and self._read_only.sync_engine.pool is not self._pool:
            engines.append(self._read_only)
        with anyio.move_on_after(CLOSED_WITHIN, shield=True):
            for engine in engines:
                try:
                    await engine.dispose()
                except Exception as error:
                    telemetry.emit(
                        "pool_close",
                        level="warning",
                        database=self.config.database_name,
                        error=type(error).__name__,
                    )
        for connection in tuple(self.connections):
            _postgresql().hang_up(connection)

    @property
    def _pool(self) -> Any:
        return self.engine.sync_engine.pool


# -- database kinds -----------------------------------------------------------------------------


async def serve(config: DatabaseConfig) -> Served:
    """Create an engine in a thread, because it imports drivers and SQLite reads the disk."""
    match config.database_type:
        case "postgresql":
            return await anyio.to_thread.run_sync(_serve_postgresql, config)
        case "sqlite":
            url = await config.resolve_url()
            return await anyio.to_thread.run_sync(_serve_sqlite, config, url)
        case kind:
            assert_never(kind)


def _serve_postgresql(config: DatabaseConfig) -> Served:
    connections: WeakSet[Any] = WeakSet()
    engine = _postgresql().make_engine(config, connections)
    mark_errors(engine, config)
    cut: WeakSet[Any] = WeakSet()

    @event.listens_for(engine.sync_engine, "invalidate")
    def remember(_: Any, record: Any, error: BaseException | None) -> None:
        if error is not None and not isinstance(error, Exception):
            cut.add(record.driver_connection)

    return Served(
        config=config,
        engine=engine,
        url=config.url,
        server=config.server,
        connections=connections,
        cut=cut,
    )


def _serve_sqlite(config: DatabaseConfig, url: DatabaseURL) -> Served:
    engine = _sqlite().make_engine(config, url)
    mark_errors(engine, config)
    return Served(config=config, engine=engine, url=url, server=config.server)


def _postgresql() -> Any:
    from dbwarden.dialects.postgresql.serve import engine as serving

    return serving


def _sqlite() -> Any:
    from dbwarden.dialects.sqlite.serve import engine as serving

    return serving


def _read_only_engine(served: Served) -> AsyncEngine:
    engine: AsyncEngine
    match served.config.database_type:
        case "postgresql":
            engine = _postgresql().read_only_engine(served.config, served.engine)
        case "sqlite":
            engine = _sqlite().read_only_engine(served.config, served.url, served.engine)
            mark_errors(engine, served.config)
        case kind:
            assert_never(kind)
    return engine


async def read_sqlite(served: Served) -> Reading:
    """Read the status of a SQLite database; one in memory through its only connection."""
    reading: Reading
    if not served.in_memory:
        reading = await _sqlite().read(None, served.config)
        return reading
    async with served.engine.connect() as connection:
        reading = await _sqlite().read(connection, served.config)
    return reading


async def read_postgresql(served: Served, *, last: bool = False) -> Reading:
    """Read the status through a connection of the pool.

    Raises:
        sqlalchemy.exc.DBAPIError: The pooled connection was dead and this is not the *last*
            attempt.
    """
    serving = _postgresql()
    started = time.monotonic()
    token = serving.probing.set(True)
    try:
        async with served.autocommit.connect() as connection:
            reading: Reading = await serving.read(connection, served.config)
            return reading
    except PoolTimeout as error:
        raise _pool_exhausted(served, time.monotonic() - started) from error
    except DBAPIError as error:
        if error.connection_invalidated and not last:
            raise
        raise _connection_error(served, error) from error
    finally:
        serving.probing.reset(token)


def _pool_exhausted(served: Served, waited: float) -> PoolExhausted:
    return PoolExhausted(
        f"all {served.pool.limit} connections of the pool were in use for {waited:.1f} s",
        database=served.config.database_name,
        next_step="Look for requests that keep their session, or raise pool_size= or "
        "max_overflow= in its database_config.",
    )


def _connection_error(served: Served, error: DBAPIError) -> ConnectError | ConnectionLost:
    """Return the error for a new connection that broke immediately or an unexpected failure."""
    kind = ConnectError if error.connection_invalidated else ConnectionLost
    return kind(f"the database failed: {error.orig}", database=served.config.database_name)
