"""One AsyncEngine per database for the application's sessions: made late, shared, bounded, closed.

Engines belong to one event loop. ``engines()`` gives those of the running loop; whoever serves
(``dbwarden.fastapi``) closes them at the end.
"""

from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import anyio.lowlevel
from sqlalchemy.exc import DBAPIError

from dbwarden.config.model import DatabaseConfig
from dbwarden.engines.served import Served, read_postgresql, read_sqlite, serve
from dbwarden.errors import PoolExhausted
from dbwarden.history import Reading

MAX_OPEN_ENGINES = 100
"""How many databases have an engine at the same time in one event loop."""

PROBED_PER_SERVER = 50
"""On how many databases of one server probes open engines of their own accord."""


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
    _making_on: dict[Key, str] = field(default_factory=dict)
    _promised: int = 0
    _freed: anyio.Event | None = None

    def may_open_to_probe(self, config: DatabaseConfig) -> bool:
        """Return whether a probe may open an engine, which then keeps a connection open.

        A probe must neither close an engine of the application to make room, nor keep more than
        :data:`PROBED_PER_SERVER` connections on one server. A tenant's engine is opened only by
        the application's sessions, because most tenants are idle.
        """
        if config.migrations_name is not None or len(self.open) + len(self._making) >= self.limit:
            return False
        servers = [*(each.server for each in self.open.values()), *self._making_on.values()]
        return servers.count(config.server) < PROBED_PER_SERVER

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
            PoolExhausted: All engines stayed in use for ``pool_timeout`` seconds.
        """
        served = self.ready(config)
        while served is None:
            await self._make(config)
            served = self.ready(config)
        served.users += 1
        return served

    async def give_back(self, served: Served) -> None:
        """Say that *served* is not used any more by one who took it."""
        if self.let_go(served):
            await served.close()

    def let_go(self, served: Served) -> bool:
        """Say that one less uses *served*; whether the caller has to close it now."""
        served.users -= 1
        if served.users == 0:
            self._tell_waiting()
        return served.retired and served.users == 0

    def _tell_waiting(self) -> None:
        # Nobody waits as a rule, and this runs with every request.
        if self._freed is not None:
            self._freed.set()
            self._freed = None

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
        self._making_on[key] = config.server
        try:
            await self._retire(key)
            await self._make_room(config)
            try:
                self.open[key] = await serve(config)
            finally:
                self._promised -= 1
                self._tell_waiting()
        finally:
            del self._making_on[key]
            self._making.pop(key).set()

    async def _retire(self, key: Key) -> None:
        """Replace the engine of another configuration; who uses it keeps it to the end."""
        served = self.open.pop(key, None)
        if served is not None:
            served.retired = True
            if not served.users:
                await served.close()

    async def _make_room(self, config: DatabaseConfig) -> None:
        """Wait until there is room for one more, which is promised to the caller."""
        with anyio.move_on_after(config.pool_timeout):
            while not await self._has_made_room():
                self._freed = self._freed or anyio.Event()
                await self._freed.wait()
            return
        raise PoolExhausted(
            f"all {self.limit} engines were in use for {config.pool_timeout:g} s",
            database=config.database_name,
            next_step="Give migration_context a greater max_open_engines, or use fewer databases "
            "at the same time.",
        )

    async def _has_made_room(self) -> bool:
        """Promise room for one more, for which unused engines are closed; whether there is."""
        surplus = len(self.open) + self._promised + 1 - self.limit
        victims = closable(self.open.values(), surplus)
        if len(victims) < surplus:
            return False
        self._promised += 1
        try:
            for served in victims:
                del self.open[(served.config.database_name, served.config.dev)]
            for served in victims:
                await served.close()
        except BaseException:
            self._promised -= 1
            self._tell_waiting()
            raise
        return True

    async def read(self, config: DatabaseConfig) -> Reading:
        """Look at ledger and lock through the pool that serves; one round trip when it is warm.

        Raises:
            ConnectError: The database cannot be reached.
            LedgerError: The ledger cannot be read.
            PoolExhausted: Every connection of the pool was in use for ``pool_timeout`` seconds.
        """
        async with self.using(config) as served:
            if config.database_type == "sqlite":
                return await read_sqlite(served)
            try:
                return await read_postgresql(served)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
            # The connection had died in the pool; SQLAlchemy has emptied it.
            return await read_postgresql(served, last=True)

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
        """Close every engine, all at once, within ``CLOSED_WITHIN`` seconds."""
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
