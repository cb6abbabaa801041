"""A primary and its streaming replica, with one database per test on both."""

import uuid
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
import pytest
from anyio.from_thread import start_blocking_portal

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from dbwarden.operations.migrate import migrate
from dbwarden.types import DatabaseName
from tests.commands import migration
from tests.conftest import MakeConfig
from tests.servers import streaming_replica, until_caught_up

Servers = tuple[EmbeddedServer, EmbeddedServer]


@pytest.fixture(scope="session")
def replicated() -> Generator[Servers]:
    """A primary and its replica; who pauses the replica resumes it."""
    primary = EmbeddedServer(tcp=True)
    primary.start()
    try:
        with (
            start_blocking_portal() as portal,
            portal.wrap_async_context_manager(streaming_replica(primary)) as replica,
        ):
            yield primary, replica
    finally:
        primary.stop()


@dataclass(frozen=True, slots=True)
class Pair:
    """A database with one migration on a primary, the same on its replica, and a project."""

    root: Path
    servers: Servers
    primary: DatabaseConfig
    replica: DatabaseConfig

    async def caught_up(self) -> None:
        """Wait until the replica has all that the primary wrote."""
        await until_caught_up(*self.servers)

    @asynccontextmanager
    async def paused(self) -> AsyncGenerator[None]:
        """The replica receives and shows nothing new, until the block ends."""
        await self.on_replica("SELECT pg_wal_replay_pause()")
        try:
            yield
        finally:
            await self.on_replica("SELECT pg_wal_replay_resume()")

    async def on_replica(self, sql: str) -> None:
        """Run *sql* there."""
        connection = await asyncpg.connect(self.servers[1].url())
        try:
            await connection.execute(sql)
        finally:
            connection.terminate()

    def add(self, version: int) -> None:
        """Write one more migration."""
        sql = (f"CREATE TABLE t{version} ();", f"DROP TABLE t{version};")
        migration(self.root, "primary", f"{version:04d}_more", *sql)


MakePair = Callable[[Servers], AbstractAsyncContextManager[Pair]]


@pytest.fixture
def make_pair(tmp_path: Path, make_config: MakeConfig) -> MakePair:
    """A database on these servers, with its project."""

    @asynccontextmanager
    async def make(servers: Servers) -> AsyncGenerator[Pair]:
        name = f"test_{uuid.uuid4().hex[:12]}"
        migration(tmp_path, "primary", "0001_users", "CREATE TABLE users ();", "DROP TABLE users;")
        primary = make_config(await servers[0].create_database(name), connect_timeout=2.0)
        await migrate(primary)
        replica = replace(
            primary,
            database_name=DatabaseName("replica"),
            database_url=servers[1].url(name),
            replica_of=primary.database_name,
            primary=primary,
        )
        made = Pair(tmp_path, servers, primary, replica)
        await made.caught_up()
        yield made

    return make
