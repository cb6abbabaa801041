"""Provide authoring with a lazily started scratch server and a schema cache."""

from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import anyio
import anyio.to_thread

from dbwarden import telemetry
from dbwarden.authoring import schema_cache as cache
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.authoring import (
    AuthoringDialect,
    Expression,
    ScratchDatabase,
    ScratchServer,
    setup_of,
)
from dbwarden.kinds import authoring_dialect_for
from dbwarden.schema import Schema


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """A recipe that builds a schema in an empty scratch database.

    ``parts`` are all texts that it depends on. Equal parts build equal schemas.
    """

    parts: tuple[str, ...]
    build: Callable[[ScratchDatabase], Awaitable[None]]


def sql_source(statements: Sequence[str]) -> Source:
    """Return the source that runs *statements*."""

    async def build(database: ScratchDatabase) -> None:
        if statements:
            await database.execute(statements)

    return Source(parts=("sql", *statements) if statements else (), build=build)


EMPTY = sql_source(())


def chain(first: Source, second: Source) -> Source:
    """Return the source that builds *second* on top of *first*."""
    if not first.parts:
        return second

    async def build(database: ScratchDatabase) -> None:
        await first.build(database)
        await second.build(database)

    return Source(parts=(*first.parts, "then", *second.parts), build=build)


@dataclass(slots=True)
class ScratchSession:
    """One command's scratch server, databases and schemas."""

    config: DatabaseConfig
    authoring_dialect: AuthoringDialect
    use_cache: bool
    _stack: AsyncExitStack
    _scratch: ScratchServer | None = None
    _databases: dict[tuple[str, ...], ScratchDatabase] = field(default_factory=dict)
    _schemas: dict[tuple[str, ...], Schema] = field(default_factory=dict)
    _kept: dict[bytes, Schema] = field(default_factory=dict)
    _keeping: anyio.Lock = field(default_factory=anyio.Lock)
    _normalizing: anyio.Lock = field(default_factory=anyio.Lock)
    _starting: anyio.Lock = field(default_factory=anyio.Lock)
    _building: defaultdict[tuple[str, ...], anyio.Lock] = field(
        default_factory=lambda: defaultdict(anyio.Lock)
    )
    _reading: defaultdict[tuple[str, ...], anyio.Lock] = field(
        default_factory=lambda: defaultdict(anyio.Lock)
    )

    @property
    def started(self) -> bool:
        """``True`` once a scratch server was started."""
        return self._scratch is not None

    async def scratch_server(self) -> ScratchServer:
        """Return the scratch server; start it on the first call."""
        async with self._starting:
            if self._scratch is None:
                telemetry.doing("starting a scratch server")
                with telemetry.step("scratch_started") as results:
                    self._scratch = await self._stack.enter_async_context(
                        self.authoring_dialect.open(self.config)
                    )
                    results["server"] = self._scratch.version
            return self._scratch

    async def prepare(self, source: Source) -> None:
        """Start the scratch server early if the schema that *source* builds is not cached."""
        root = self.config.root
        key = await self._key(source) if self.use_cache else None
        if key is None or not await anyio.to_thread.run_sync(cache.has, root, key):
            await self.scratch_server()

    async def server_version(self) -> str:
        """Return the scratch server's kind and version, if possible without starting it."""
        known = await self.authoring_dialect.identity(self.config)
        return known if known is not None else (await self.scratch_server()).version

    async def database(self, source: Source) -> ScratchDatabase:
        """Return the scratch database that *source* builds. It is shared: do not change it."""
        async with self._building[source.parts]:
            if source.parts not in self._databases:
                database = await (await self.scratch_server()).create()
                if source.parts:
                    telemetry.doing("building a scratch database")
                await source.build(database)
                self._databases[source.parts] = database
            return self._databases[source.parts]

    async def normalize(
        self, source: Source, expressions: Sequence[Expression]
    ) -> tuple[str | None, ...]:
        """Return one text for all *expressions* that mean the same where *source* was built."""
        async with self._normalizing:
            return await (await self.database(source)).normalize(expressions)

    async def copy(self, source: Source) -> ScratchDatabase:
        """Return a private copy of the database that *source* builds."""
        original = await self.database(source)
        return await (await self.scratch_server()).create(copy_of=original)

    @asynccontextmanager
    async def borrow_copy(self, source: Source) -> AsyncGenerator[ScratchDatabase]:
        """Yield a private copy of the database that *source* builds, and drop it afterwards."""
        database = await self.copy(source)
        try:
            yield database
        finally:
            await (await self.scratch_server()).discard(database)

    async def schema(self, source: Source) -> Schema:
        """Return the schema that *source* builds, from the cache or from a scratch database."""
        async with self._reading[source.parts]:
            if source.parts not in self._schemas:
                self._schemas[source.parts] = await self._find(source)
            return self._schemas[source.parts]

    async def _find(self, source: Source) -> Schema:
        if not self.use_cache:
            return await (await self.database(source)).read()
        key = await self._key(source)
        content = await anyio.to_thread.run_sync(cache.load, self.config.root, key)
        if content is not None and (known := await self._parsed(content)) is not None:
            return known
        schema = await (await self.database(source)).read()
        return await self._save(key, schema)

    async def keep(self, source: Source, schema: Schema) -> None:
        """Cache *schema* as the schema that *source* builds."""
        if self.use_cache:
            await self._save(await self._key(source), schema)

    async def _key(self, source: Source) -> str:
        return cache.key_of([await self.server_version(), await self._settings(), *source.parts])

    async def _parsed(self, content: bytes) -> Schema | None:
        """Return the one schema of *content*, ``None`` if it cannot be parsed."""
        async with self._keeping:
            if content not in self._kept:
                schema = await anyio.to_thread.run_sync(cache.parse, content)
                if schema is None:
                    return None
                self._kept[content] = schema
            return self._kept[content]

    async def _save(self, key: str, schema: Schema) -> Schema:
        """Cache *schema* under *key*, and return the equal schema that was cached first."""
        async with self._keeping:
            try:
                content = await anyio.to_thread.run_sync(cache.dump, schema)
            except TypeError:  # not serializable, so it is read again next time
                return schema
            schema = self._kept.setdefault(content, schema)
        await anyio.to_thread.run_sync(cache.save, self.config.root, key, content)
        return schema

    async def _settings(self) -> str:
        """Return the other inputs of a scratch database: its set-up file and the search_path."""
        config = self.config
        url = config.url
        path = dict(url.query).get("options", "") if url is not None else ""
        if config.compare_privileges:
            path += " with privileges"
        setup = await anyio.to_thread.run_sync(setup_of, config)
        return path + (setup.upgrade.text if setup is not None else "")


@asynccontextmanager
async def open_scratch_session(
    config: DatabaseConfig, *, use_cache: bool = True
) -> AsyncGenerator[ScratchSession]:
    """Open a scratch session. Its server stops when the block ends."""
    async with AsyncExitStack() as stack:
        yield ScratchSession(config, authoring_dialect_for(config.database_type), use_cache, stack)
