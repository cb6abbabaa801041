"""Open, share, limit and close one AsyncEngine per database for the application's sessions.

Engines belong to one event loop. ``engines()`` returns those of the running loop;
``dbwarden.fastapi`` closes them when the application stops.
"""

from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import anyio
import anyio.lowlevel
from sqlalchemy.exc import DBAPIError

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.engines.served import Served, serve
from dbwarden.errors import PoolExhausted
from dbwarden.migration_history import DatabaseStatus

MAX_OPEN_ENGINES = 100
"""Maximum number of open engines in one event loop."""

PROBED_PER_SERVER = 50
"""Maximum number of a server's databases for which probes open an engine."""


def closable(served: Iterable[Served], room: int) -> tuple[Served, ...]:
    """Return the unused engines to close to make room for *room* more, oldest first."""
    idle = [each for each in served if not each.users]
    return tuple(idle[: max(0, room)])


EngineKey = tuple[str, bool]


@dataclass(slots=True, kw_only=True, eq=False)
class Engines:
    """The engines of one event loop, least recently used first.

    Args:
        limit: Maximum number of open engines (``max_open_engines``).
    """

    limit: int = MAX_OPEN_ENGINES
    open: "OrderedDict[EngineKey, Served]" = field(default_factory=OrderedDict)
    _opening: dict[EngineKey, tuple[DatabaseConfig, anyio.Event]] = field(default_factory=dict)
    _reserved: int = 0
    _room_freed: anyio.Event | None = None

    def may_open_to_probe(self, config: DatabaseConfig) -> bool:
        """Return whether a probe may open an engine, which keeps a connection open.

        A probe must not close an engine of the application to make room, or keep more than
        :data:`PROBED_PER_SERVER` connections to one server. A tenant's engine is opened only by
        the application's sessions, because most tenants are idle.
        """
        if config.migrations_name is not None or len(self.open) + len(self._opening) >= self.limit:
            return False
        opened = [each.config for each in self.open.values()]
        configs = [*opened, *(opening for opening, _ in self._opening.values())]
        here = sum(other.server == config.server for other in configs)
        return here < PROBED_PER_SERVER

    def ready(self, config: DatabaseConfig) -> Served | None:
        """Return the engine of *config* if it is open with the same configuration."""
        key = (config.database_name, config.dev)
        served = self.open.get(key)
        if served is None or (served.config is not config and served.config != config):
            return None
        self.open.move_to_end(key)
        return served

    async def take(self, config: DatabaseConfig) -> Served:
        """Return the engine of *config*, opened if necessary; return it with :meth:`give_back`.

        Raises:
            ConnectError: A function that returns the URL failed.
            PoolExhausted: All engines stayed in use for ``pool_timeout`` seconds.
        """
        served = self.ready(config)
        while served is None:
            await self._open(config)
            served = self.ready(config)
        served.users += 1
        return served

    async def give_back(self, served: Served) -> None:
        """Release *served*, and close it if it was the last user of a retired engine."""
        if self.release(served):
            await served.close()

    def release(self, served: Served) -> bool:
        """Remove one user of *served*; return whether the caller has to close it."""
        served.users -= 1
        if served.users == 0:
            self._wake_waiters()
        return served.retired and served.users == 0

    def _wake_waiters(self) -> None:
        # This runs with every request, and usually no task waits.
        if self._room_freed is not None:
            self._room_freed.set()
            self._room_freed = None

    @asynccontextmanager
    async def using(self, config: DatabaseConfig) -> AsyncGenerator[Served]:
        """Use the engine of *config* inside the block."""
        served = await self.take(config)
        try:
            yield served
        finally:
            with anyio.CancelScope(shield=True):
                await self.give_back(served)

    async def _open(self, config: DatabaseConfig) -> None:
        """Open the engine, or wait for another task that opens it."""
        key = (config.database_name, config.dev)
        if (opening := self._opening.get(key)) is not None:
            await opening[1].wait()
            return
        opened = anyio.Event()
        self._opening[key] = (config, opened)
        try:
            await self._retire(key)
            await self._make_room(config)
            try:
                self.open[key] = await serve(config)
            finally:
                self._reserved -= 1
                self._wake_waiters()
        finally:
            del self._opening[key]
            opened.set()

    async def _retire(self, key: EngineKey) -> None:
        """Remove an engine with an outdated configuration; its users keep it until they end."""
        served = self.open.pop(key, None)
        if served is not None:
            served.retired = True
            if not served.users:
                await served.close()

    async def _make_room(self, config: DatabaseConfig) -> None:
        """Wait until there is room for one more engine, and reserve it for the caller."""
        with anyio.move_on_after(config.pool_timeout):
            while not await self._reserve_room():
                self._room_freed = self._room_freed or anyio.Event()
                await self._room_freed.wait()
            return
        raise PoolExhausted(
            f"all {self.limit} engines were in use for {config.pool_timeout:g} s",
            database=config.database_name,
            next_step="Give migration_context a greater max_open_engines, or use fewer databases "
            "at the same time.",
        )

    async def _reserve_room(self) -> bool:
        """Reserve room for one more engine by closing unused ones; return whether there is room."""
        surplus = len(self.open) + self._reserved + 1 - self.limit
        victims = closable(self.open.values(), surplus)
        if len(victims) < surplus:
            return False
        self._reserved += 1
        try:
            for served in victims:
                del self.open[(served.config.database_name, served.config.dev)]
            for served in victims:
                await served.close()
        except BaseException:
            self._reserved -= 1
            self._wake_waiters()
            raise
        return True

    async def read(self, config: DatabaseConfig) -> DatabaseStatus:
        """Read ledger and lock through the application's pool, in one round trip if it is warm.

        Raises:
            ConnectError: The database cannot be reached.
            LedgerError: The ledger cannot be read.
            PoolExhausted: Every connection of the pool was in use for ``pool_timeout`` seconds.
        """
        async with self.using(config) as served:
            try:
                return await served.read()
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
            # A pooled connection was dead; SQLAlchemy has emptied the pool.
            return await served.read(last=True)

    async def warm(self, config: DatabaseConfig, connections: int) -> None:
        """Open *connections* pooled connections, at most ``pool_size``, for the first requests.

        Raises:
            ConnectError: The database cannot be reached.
        """
        async with self.using(config) as served:
            if not served.in_memory:
                await _warm(served, min(connections, config.pool_size))

    async def close(self) -> None:
        """Close all engines concurrently, within ``CLOSED_WITHIN`` seconds."""
        with anyio.CancelScope(shield=True):
            closing = tuple(self.open.values())
            self.open.clear()
            async with anyio.create_task_group() as group:
                for served in closing:
                    served.retired = True
                    group.start_soon(served.close)


async def _warm(served: Served, wanted: int) -> None:
    """Hold each connection until all are open, because the pool would reuse a returned one."""
    failures: list[Exception] = []
    async with AsyncExitStack() as held, anyio.create_task_group() as group:

        async def open_one() -> None:
            try:
                await held.enter_async_context(served.engine.connect())
            except Exception as error:
                failures.append(error)

        for _ in range(wanted):
            group.start_soon(open_one)
    if failures:
        raise failures[0]


_engines: anyio.lowlevel.RunVar[Engines] = anyio.lowlevel.RunVar("dbwarden_engines")


def engines() -> Engines:
    """Return the engines of the running event loop."""
    try:
        return _engines.get()
    except LookupError:
        new = Engines()
        _engines.set(new)
        return new
