"""Projects whose tenants are databases of one PostgreSQL, and what its server says about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread
import asyncpg

from dbwarden.config.loading import load_project
from dbwarden.config.project import Project
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from tests.commands import migration

CONFIG = """
from dbwarden import tenant_databases

tenant_databases(
    name="{prefix}_{{tenant_id}}",
    database_url="{url}",
    tenants=[f"t{{number:02}}" for number in range({count})],
)
"""

WORKING = """
    SELECT datname FROM pg_stat_activity
    WHERE application_name LIKE 'dbwarden%' OR query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()
"""
LOCKED = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"


@dataclass(frozen=True, slots=True)
class Tenants:
    """A project with tenants on one server; ``prefix`` is the name of the family."""

    server: EmbeddedServer
    project: Project
    prefix: str

    @property
    def names(self) -> list[str]:
        return [config.database_name for config in self.project.databases]

    async def ask(self, sql: str, database: str = "postgres") -> Sequence[Any]:
        connection = await asyncpg.connect(self.server.url(database))
        try:
            return [tuple(row) for row in await connection.fetch(sql)]
        finally:
            await connection.close()

    async def until(self, sql: str, wanted: Any) -> None:
        """Wait until *wanted* is true of the rows of *sql*."""
        connection = await asyncpg.connect(self.server.url("postgres"))
        with anyio.fail_after(60):
            while not wanted(await connection.fetch(sql)):  # noqa: ASYNC110  # a server has no event
                await anyio.sleep(0.02)
        await connection.close()

    async def assert_nothing_runs(self) -> None:
        """Fail unless the server is as free of work as before the run."""
        assert await self.ask(WORKING) == []
        assert await self.ask(LOCKED) == [(0,)]


async def make_tenants(
    root: Path, server: EmbeddedServer, prefix: str, count: int, *migrations: str
) -> Tenants:
    """Create the databases and the project with one migration for each of *migrations*."""
    for number in range(count):
        await server.create_database(f"{prefix}_t{number:02}")

    def make() -> Project:
        root.mkdir(parents=True, exist_ok=True)
        url = server.url(f"{prefix}_tenant_id").replace("tenant_id", "{tenant_id}")
        text = CONFIG.format(prefix=prefix, url=url, count=count)
        (root / "dbwarden.py").write_text(text)
        for number, upgrade in enumerate(migrations, start=1):
            migration(root, prefix, f"{number:04}_change", upgrade)
        return load_project(root / "dbwarden.py")

    return Tenants(server, await anyio.to_thread.run_sync(make), prefix)
