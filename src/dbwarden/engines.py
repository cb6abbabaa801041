"""One AsyncEngine per database for the application's sessions: made late, shared, bounded, closed.

Engines belong to one event loop. ``engines()`` gives those of the running loop; whoever serves
(``dbwarden.fastapi``) closes them at the end.
"""

import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakSet

import anyio
import anyio.lowlevel
import anyio.to_thread
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from dbwarden import telemetry
from dbwarden.config.model import DatabaseConfig
from dbwarden.config.urls import DatabaseURL
from dbwarden.errors import ConnectError, ConnectionLost, TimedOut
from dbwarden.ledger import Reading

MAX_OPEN_ENGINES = 100
"""How many databases have an engine at the same time in one event loop."""

CLOSED_WITHIN = 5.0
"""Seconds for the connections of all engines to say goodbye; then their sockets are closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolState:
    """How full the pool of one database is; ``limit`` is ``None`` where there is none."""

    in_use: int
    idle: int
    limit: int | None


@dataclass(slots=True, kw_only=True, eq=False)
class Served:
    """The engine of one database and who uses it.

    ``users`` counts sessions and probes; an engine with users is never closed to make room.
    ``connections`` are those of the driver, so that none outlives the engine.
    """

    config: DatabaseConfig
    engine: AsyncEngine
    url: DatabaseURL | None
    users: int = 0
    retired: bool = False
    connections: "WeakSet[Any]" = field(default_factory=WeakSet)
    _read_only: AsyncEngine | None = None
    _autocommit: AsyncEngine | None = None

    @property
    def in_memory(self) -> bool:
        """Whether this is a database of SQLite in memory."""
        return self.url is not None and self.url.dialect == "sqlite" and self.url.file is None

    async def read_only(self) -> AsyncEngine:
        """The engine for sessions that only read; the server keeps them from writing."""
        if self._read_only is None:
            made = await anyio.to_thread.run_sync(_read_only, self)
            self._read_only = self._read_only or made
        return self._read_only

    @property
    def autocommit(self) -> AsyncEngine:
        """The same pool without BEGIN and ROLLBACK: one round trip a question."""
        if self._autocommit is None:
            self._autocommit = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        return self._autocommit

    @property
    def pool(self) -> PoolState:
        """How full the pool is."""
        pool: Any = self.engine.sync_engine.pool
        if not hasattr(pool, "checkedout"):
            return PoolState(in_use=min(1, self.users), idle=0, limit=1)
        overflow = getattr(pool, "_max_overflow", -1)
        return PoolState(
            in_use=pool.checkedout(),
            idle=pool.checkedin(),
            limit=pool.size() + overflow if overflow >= 0 else None,
        )

    async def close(self) -> None:
        """Close every connection, politely where the server answers in time. Never raises."""
        own = [self.engine]
        if self._read_only is not None and self._read_only.sync_engine.pool is not self._pool:
            own.append(self._read_only)
        with anyio.move_on_after(CLOSED_WITHIN, shield=True):
            for engine in own:
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


def closable(served: Iterable[Served], room: int) -> tuple[Served, ...]:
    """Which engines to close so that there is room for *room* more: unused ones, oldest first."""
    idle = [each for each in served if not each.users]
    return tuple(idle[: max(0, room)])


Key = tuple[str, bool]


@dataclass(slots=True, kw_only=True, eq=False)
class Engines:
    """The engines of one event loop, least recently used first.

    Args:
        limit: How many at the same time (``max_open_engines``).
    """

    limit: int = MAX_OPEN_ENGINES
    open: "OrderedDict[Key, Served]" = field(default_factory=OrderedDict)
    _making: dict[Key, anyio.Event] = field(default_factory=dict)
    _freed: anyio.Event = field(default_factory=anyio.Event)

    @property
    def has_room(self) -> bool:
        """Whether one more engine can be opened without closing another."""
        return len(self.open) + len(self._making) < self.limit

    def ready(self, config: DatabaseConfig) -> Served | None:
        """The engine of this database if it is open and of the same configuration."""
        key = (config.database_name, config.dev)
        served = self.open.get(key)
        if served is None or (served.config is not config and served.config != config):
            return None
        self.open.move_to_end(key)
        return served

    async def take(self, config: DatabaseConfig) -> Served:
        """The engine of this database, made if it must be; give it back with :meth:`give_back`.

        Raises:
            ConnectError: A function that gives the URL failed.
            TimedOut: All engines stayed in use for ``pool_timeout`` seconds.
        """
        served = self.ready(config)
        while served is None:
            await self._make(config)
            served = self.ready(config)
        served.users += 1
        return served

    async def give_back(self, served: Served) -> None:
        """Say that *served* is not used any more by one who took it."""
        served.users -= 1
        if served.users == 0:
            self._freed.set()
            self._freed = anyio.Event()
            if served.retired:
                await served.close()

    @asynccontextmanager
    async def using(self, config: DatabaseConfig) -> AsyncGenerator[Served]:
        """The engine of this database for the time of the block."""
        served = await self.take(config)
        try:
            yield served
        finally:
            with anyio.CancelScope(shield=True):
                await self.give_back(served)

    async def _make(self, config: DatabaseConfig) -> None:
        """Make the engine, or wait for whoever makes it."""
        key = (config.database_name, config.dev)
        if (made := self._making.get(key)) is not None:
            await made.wait()
            return
        self._making[key] = anyio.Event()
        try:
            await self._retire(key)
            await self._make_room(config)
            self.open[key] = await _served(config)
        finally:
            self._making.pop(key).set()

    async def _retire(self, key: Key) -> None:
        """Replace the engine of another configuration; who uses it keeps it to the end."""
        served = self.open.pop(key, None)
        if served is not None:
            served.retired = True
            if not served.users:
                await served.close()

    async def _make_room(self, config: DatabaseConfig) -> None:
        with anyio.move_on_after(config.pool_timeout):
            while not await self._closed_enough():
                await self._freed.wait()
            return
        raise TimedOut(
            f"all {self.limit} engines were in use for {config.pool_timeout:g} s",
            database=config.database_name,
            next_step="Give migration_context a greater max_open_engines, or use fewer databases "
            "at the same time.",
        )

    async def _closed_enough(self) -> bool:
        """Close unused engines until there is room for one more; whether there is."""
        surplus = len(self.open) + len(self._making) - self.limit
        for served in closable(self.open.values(), surplus):
            del self.open[(served.config.database_name, served.config.dev)]
            await served.close()
        return len(self.open) + len(self._making) <= self.limit

    async def read(self, config: DatabaseConfig) -> Reading:
        """Look at ledger and lock through the pool that serves; one round trip when it is warm.

        Raises:
            ConnectError: The database cannot be reached.
            LedgerError: The ledger cannot be read.
            TimedOut: Every connection of the pool was in use for ``pool_timeout`` seconds.
        """
        async with self.using(config) as served:
            if config.database_type == "sqlite":
                return await _read_sqlite(served)
            try:
                return await _read_postgresql(served)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
            # The connection had died in the pool; SQLAlchemy has emptied it.
            return await _read_postgresql(served, last=True)

    async def warm(self, config: DatabaseConfig, connections: int) -> None:
        """Open so many connections now, at most ``pool_size``, so that requests find them.

        Raises:
            ConnectError: The database cannot be reached.
        """
        async with self.using(config) as served:
            warming = _Warming(served=served, wanted=min(connections, config.pool_size))
            if not served.in_memory:
                await warming.run()

    async def close(self) -> None:
        """Close every engine, all at once, within :data:`CLOSED_WITHIN` seconds."""
        with anyio.CancelScope(shield=True):
            all_of_them = tuple(self.open.values())
            self.open.clear()
            async with anyio.create_task_group() as group:
                for served in all_of_them:
                    served.retired = True
                    group.start_soon(served.close)


@dataclass(slots=True, kw_only=True)
class _Warming:
    """Connections that are held until all are open: the pool would hand out one twice."""

    served: Served
    wanted: int
    open: int = 0
    failure: Exception | None = None
    enough: anyio.Event = field(default_factory=anyio.Event)

    async def run(self) -> None:
        async with anyio.create_task_group() as group:
            for _ in range(self.wanted):
                group.start_soon(self._hold)
        if self.failure is not None:
            raise self.failure

    async def _hold(self) -> None:
        try:
            async with self.served.engine.connect():
                self.open += 1
                if self.open >= self.wanted:
                    self.enough.set()
                await self.enough.wait()
        except Exception as error:
            self.failure = error
            self.enough.set()


_engines: anyio.lowlevel.RunVar[Engines] = anyio.lowlevel.RunVar("dbwarden_engines")


def engines() -> Engines:
    """The engines of the running event loop."""
    try:
        return _engines.get()
    except LookupError:
        made = Engines()
        _engines.set(made)
        return made


# -- what the kinds of databases know -----------------------------------------------------------


async def _served(config: DatabaseConfig) -> Served:
    """Make an engine, in a thread: drivers are loaded, and SQLite's looks at the disk."""
    if config.database_type == "postgresql":
        return await anyio.to_thread.run_sync(_serve_postgresql, config)
    url = await config.resolve_url()
    return await anyio.to_thread.run_sync(_serve_sqlite, config, url)


def _serve_postgresql(config: DatabaseConfig) -> Served:
    connections: WeakSet[Any] = WeakSet()
    engine = _postgresql().make_engine(config, connections)
    return Served(config=config, engine=engine, url=config.url, connections=connections)


def _serve_sqlite(config: DatabaseConfig, url: DatabaseURL) -> Served:
    return Served(config=config, engine=_sqlite().make_engine(config, url), url=url)


def _postgresql() -> Any:
    from dbwarden.dialects.postgresql import serving

    return serving


def _sqlite() -> Any:
    from dbwarden.dialects.sqlite import serving

    return serving


def _read_only(served: Served) -> AsyncEngine:
    made: AsyncEngine
    if served.config.database_type == "postgresql":
        made = _postgresql().read_only_engine(served.config, served.engine)
    else:
        made = _sqlite().read_only_engine(served.config, served.url, served.engine)
    return made


async def _read_sqlite(served: Served) -> Reading:
    reading: Reading
    if not served.in_memory:
        reading = await _sqlite().read(None, served.config)
        return reading
    async with served.engine.connect() as connection:
        reading = await _sqlite().read(connection, served.config)
    return reading


async def _read_postgresql(served: Served, *, last: bool = False) -> Reading:
    serving = _postgresql()
    started = time.monotonic()
    token = serving.probing.set(True)
    try:
        async with served.autocommit.connect() as connection:
            reading: Reading = await serving.read(connection, served.config)
            return reading
    except PoolTimeout as error:
        raise _pool_empty(served, time.monotonic() - started) from error
    except DBAPIError as error:
        if error.connection_invalidated and not last:
            raise
        raise _lost(served, error) from error
    finally:
        serving.probing.reset(token)


def _pool_empty(served: Served, waited: float) -> TimedOut:
    return TimedOut(
        f"no connection of the pool was free within {waited:.1f} s ({served.pool.limit} are in "
        "use)",
        database=served.config.database_name,
        next_step="Look for requests that keep their session, or raise pool_size= or "
        "max_overflow= in its database_config.",
    )


def _lost(served: Served, error: DBAPIError) -> ConnectError | ConnectionLost:
    """A new connection that broke at once, or an error that nobody expected."""
    kind = ConnectError if error.connection_invalidated else ConnectionLost
    return kind(f"the database failed: {error.orig}", database=served.config.database_name)
