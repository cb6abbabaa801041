"""Where authoring works: a scratch server that starts when it is first needed, and a cache."""

from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import anyio
import anyio.to_thread

from dbwarden import telemetry
from dbwarden.authoring import schema_cache as cache
from dbwarden.config.model import DatabaseConfig
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
    """How a schema comes about in an empty scratch database.

    ``parts`` are all texts that it depends on: equal parts build equal schemas.
    """

    parts: tuple[str, ...]
    build: Callable[[ScratchDatabase], Awaitable[None]]


async def _nothing(database: ScratchDatabase) -> None:
    """An empty database stays empty."""


EMPTY = Source(parts=(), build=_nothing)


def sql_source(statements: Sequence[str]) -> Source:
    """The source that runs *statements*."""

    async def build(database: ScratchDatabase) -> None:
        if statements:
            await database.execute(statements)

    return Source(parts=("sql", *statements), build=build)


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
        """Whether a scratch server was needed so far."""
        return self._scratch is not None

    async def scratch_server(self) -> ScratchServer:
        """The scratch server, started now if it was not before."""
        async with self._starting:
            if self._scratch is None:
                telemetry.doing("starting a scratch server")
                with telemetry.step("scratch_started") as found:
                    self._scratch = await self._stack.enter_async_context(
                        self.authoring_dialect.open(self.config)
                    )
                    found["server"] = self._scratch.version
            return self._scratch

    async def prepare(self, source: Source) -> None:
        """Start the scratch server, if the schema that *source* builds will have to be read there.

        Before other work begins that would keep it waiting.
        """
        root = self.config.root
        key = await self._key(source) if self.use_cache else None
        if key is None or not await anyio.to_thread.run_sync(cache.has, root, key):
            await self.scratch_server()

    async def server_version(self) -> str:
        """The scratch server's kind and version, if possible without starting it."""
        known = await self.authoring_dialect.identity(self.config)
        return known if known is not None else (await self.scratch_server()).version

    async def database(self, source: Source) -> ScratchDatabase:
        """The scratch database that *source* builds, built once; don't change it."""
        async with self._building[source.parts]:
            if source.parts not in self._databases:
                made = await (await self.scratch_server()).create()
                if source.parts:
                    telemetry.doing("building a scratch database")
                await source.build(made)
                self._databases[source.parts] = made
            return self._databases[source.parts]

    async def normalize(
        self, source: Source, expressions: Sequence[Expression]
    ) -> tuple[str | None, ...]:
        """Return one text for all *expressions* that mean the same where *source* was built."""
        async with self._normalizing:
            return await (await self.database(source)).normalize(expressions)

    async def copy(self, source: Source) -> ScratchDatabase:
        """A copy of the database that *source* builds, to be changed at will."""
        original = await self.database(source)
        return await (await self.scratch_server()).create(copy_of=original)

    async def schema(self, source: Source) -> Schema:
        """The schema that *source* builds: from the cache, or read from scratch."""
        async with self._reading[source.parts]:
            if source.parts not in self._schemas:
                self._schemas[source.parts] = await self._find(source)
            return self._schemas[source.parts]

    async def _find(self, source: Source) -> Schema:
        if not self.use_cache:
            return await (await self.database(source)).read()
        key = await self._key(source)
        kept = await anyio.to_thread.run_sync(cache.load, self.config.root, key)
        if kept is not None and (known := await self._parsed(kept)) is not None:
            return known
        schema = await (await self.database(source)).read()
        return await self._save(key, schema)

    async def keep(self, source: Source, schema: Schema) -> None:
        """Keep *schema*, which was just seen to be what *source* builds."""
        if self.use_cache:
            await self._save(await self._key(source), schema)

    async def _key(self, source: Source) -> str:
        return cache.key_of([await self.server_version(), await self._settings(), *source.parts])

    async def _parsed(self, content: bytes) -> Schema | None:
        """Return the schema kept as *content*, ``None`` if it cannot be read; equal ones once."""
        async with self._keeping:
            if content not in self._kept:
                schema = await anyio.to_thread.run_sync(cache.parse, content)
                if schema is None:
                    return None
                self._kept[content] = schema
            return self._kept[content]

    async def _save(self, key: str, schema: Schema) -> Schema:
        """Keep *schema* under *key*; return the same one that was kept before, if there is one."""
        async with self._keeping:
            try:
                content = await anyio.to_thread.run_sync(cache.dump, schema)
            except TypeError:  # it cannot be kept: it is read again next time
                return schema
            schema = self._kept.setdefault(content, schema)
        await anyio.to_thread.run_sync(cache.save, self.config.root, key, content)
        return schema

    async def _settings(self) -> str:
        """What else a scratch database depends on: its set-up file and the URL's search_path."""
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
    """A bench for the time of the block; the scratch server stops when it ends."""
    async with AsyncExitStack() as stack:
        yield ScratchSession(config, authoring_dialect_for(config.database_type), use_cache, stack)
