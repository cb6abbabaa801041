"""Manage the engine of one database of any kind."""

import time
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakSet

import anyio
import anyio.to_thread
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from dbwarden import telemetry
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.config.urls import DatabaseURL
from dbwarden.dialects.serving import ServingDialect
from dbwarden.engines.failures import mark_errors
from dbwarden.errors import ConnectError, ConnectionLost, PoolExhausted
from dbwarden.kinds import serving_dialect_for
from dbwarden.migration_history import DatabaseStatus

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
    cancellation closed during a statement, which still runs on the server.
    """

    config: DatabaseConfig
    dialect: ServingDialect
    engine: AsyncEngine
    url: DatabaseURL | None
    users: int = 0
    retired: bool = False
    connections: "WeakSet[Any]" = field(default_factory=WeakSet)
    cut: "WeakSet[Any]" = field(default_factory=WeakSet)
    _read_only: AsyncEngine | None = None

    @property
    def in_memory(self) -> bool:
        """Whether only one connection sees the database."""
        return self.url is not None and self.url.is_in_memory

    async def read_only(self) -> AsyncEngine:
        """Return the engine of read-only sessions, in which the server rejects writes."""
        if self._read_only is None:
            engine = await anyio.to_thread.run_sync(
                self.dialect.read_only_engine, self.config, self.url, self.engine
            )
            if engine.sync_engine.pool is not self._pool:
                mark_errors(engine, self.config)
            self._read_only = self._read_only or engine
        return self._read_only

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
            self.dialect.hang_up(connection)

    @property
    def _pool(self) -> Any:
        return self.engine.sync_engine.pool

    async def read(self, *, last: bool = False) -> DatabaseStatus:
        """Read the status through a connection of the pool.

        Raises:
            sqlalchemy.exc.DBAPIError: The pooled connection was dead and this is not the *last*
                attempt.
        """
        started = time.monotonic()
        try:
            return await self.dialect.read(self.engine, self.config)
        except PoolTimeout as error:
            waited = time.monotonic() - started
            raise PoolExhausted(
                f"all {self.pool.limit} connections of the pool were in use for {waited:.1f} s",
                database=self.config.database_name,
                next_step="Look for requests that keep their session, or raise pool_size= or "
                "max_overflow= in its database_config.",
            ) from error
        except DBAPIError as error:
            if error.connection_invalidated and not last:
                raise
            # A new connection broke, or this is an unexpected failure.
            kind = ConnectError if error.connection_invalidated else ConnectionLost
            name = self.config.database_name
            raise kind(f"the database failed: {error.orig}", database=name) from error


async def serve(config: DatabaseConfig) -> Served:
    """Create an engine in a thread, because it imports drivers and may read the disk."""
    dialect = await anyio.to_thread.run_sync(serving_dialect_for, config.database_type)
    url = await dialect.engine_url(config)
    return await anyio.to_thread.run_sync(_serve, config, dialect, url)


def _serve(config: DatabaseConfig, dialect: ServingDialect, url: DatabaseURL | None) -> Served:
    connections: WeakSet[Any] = WeakSet()
    engine = dialect.make_engine(config, url, connections)
    mark_errors(engine, config)
    cut: WeakSet[Any] = WeakSet()

    @event.listens_for(engine.sync_engine, "invalidate")
    def remember(_: Any, record: Any, error: BaseException | None) -> None:
        if error is not None and not isinstance(error, Exception):
            cut.add(record.driver_connection)

    return Served(
        config=config,
        dialect=dialect,
        engine=engine,
        url=url,
        connections=connections,
        cut=cut,
    )
