"""A streaming replica and its primary in health, page, startup and metrics."""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import asyncpg
import httpx
import pytest
from anyio.from_thread import start_blocking_portal
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

import dbwarden
from dbwarden import telemetry
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from dbwarden.errors import StartupFailed
from dbwarden.fastapi import DBWardenHealthRouter, DBWardenStatusPage, migration_context
from dbwarden.fastapi.metrics import DBWardenCollector
from dbwarden.testing import override_database
from tests.integration.fastapi.conftest import Site
from tests.servers import streaming_replica, until_caught_up

Servers = tuple[EmbeddedServer, EmbeddedServer]


@pytest.fixture(scope="module")
def servers() -> Generator[Servers]:
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


@pytest.fixture
async def replicated(site: Site, servers: Servers) -> Any:
    """A primary with one migration that its replica has too."""
    site.add("primary", servers[0].url("shop"), default=True)
    site.add("replica", servers[1].url("shop"), replica_of="primary")
    site.users("primary")
    await servers[0].create_database("shop")
    await dbwarden.migrate("primary")
    await until_caught_up(*servers)
    yield site
    await servers[0].drop_database("shop")


async def run(server: EmbeddedServer, sql: str) -> None:
    connection = await asyncpg.connect(server.url())
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


@asynccontextmanager
async def asking(**options: Any) -> AsyncGenerator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(
        DBWardenHealthRouter(ttl=0.0, details=True, authorize=lambda request: True, **options),
        prefix="/details",
    )
    app.include_router(DBWardenHealthRouter(ttl=0.0, **options), prefix="/health")
    app.include_router(DBWardenStatusPage(refresh=0.0), prefix="/dbwarden")
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        yield client


def metrics() -> dict[str, float | None]:
    registry = CollectorRegistry()
    registry.register(DBWardenCollector())
    return {
        name: registry.get_sample_value(f"dbwarden_replica_{name}", {"database": "replica"})
        for name in ("behind", "lag_seconds")
    }


async def test_a_replica_is_compared_with_its_primary(replicated: Any, servers: Servers) -> None:
    async with migration_context(all_databases=True), asking() as client:
        well = (await client.get("/health/replica")).json()
        assert well == {
            "database": "replica",
            "status": "ok",
            "connected": True,
            "pending_migrations": 0,
            "lock_active": False,
            "error": None,
        }
        details = (await client.get("/details/replica")).json()["details"]["replica"]
        assert details == {
            "primary": "primary",
            "writable": False,
            "caught_up": True,
            "behind": [],
            "lag_seconds": 0.0,
            "primary_error": None,
        }
        assert metrics() == {"behind": 0.0, "lag_seconds": 0.0}
        assert (await client.get("/details/primary")).json()["details"]["replica"] is None

        await run(servers[1], "SELECT pg_wal_replay_pause()")
        try:
            replicated.migration("primary", "0002", "CREATE TABLE extra (id integer);")
            await dbwarden.migrate("primary")
            answer = await client.get("/health")
            late = answer.json()["databases"][1]
            assert (answer.status_code, answer.json()["status"]) == (503, "degraded")
            assert late["error"] == "replica: 1 migration behind"
            assert late["connected"] is True
            details = (await client.get("/details/replica")).json()["details"]["replica"]
            assert (details["caught_up"], details["behind"]) == (False, ["0002"])
            assert metrics()["behind"] == 1.0
            shown = (await client.get("/dbwarden/data")).json()["databases"][1]["replica"]
            assert shown["behind"] == ["0002"]
            await starts_only_when_that_is_said()
        finally:
            await run(servers[1], "SELECT pg_wal_replay_resume()")
        await until_caught_up(*servers)
        assert (await client.get("/health")).json()["status"] == "ok"


async def starts_only_when_that_is_said() -> None:
    with pytest.raises(StartupFailed, match="1 not here yet: 0002"):
        async with migration_context(database="replica"):
            raise AssertionError("it started")
    events: list[telemetry.Event] = []
    with telemetry.listening(events.append):
        async with migration_context(database="replica", on_pending="warn"):
            pass
    assert "startup_finding" in [event.name for event in events]


async def test_an_unreachable_primary_does_not_degrade_its_replica(
    replicated: Any, servers: Servers
) -> None:
    replicated.lines[1] = replicated.lines[1].replace(f":{servers[0].port}/", ":1/")
    replicated.write()
    async with migration_context(mode="none"), asking() as client:
        assert (await client.get("/health/replica")).json()["status"] == "ok"
        details = (await client.get("/details/replica")).json()["details"]["replica"]
        assert details["caught_up"] is None
        assert "127.0.0.1" in details["primary_error"]
        page = (await client.get("/dbwarden/data")).text
        assert '"caught_up":null' in page and "127.0.0.1" not in page


async def test_a_database_that_takes_writes_is_no_replica_but_the_application_starts(
    replicated: Any, servers: Servers
) -> None:
    replicated.lines[2] = replicated.lines[2].replace(str(servers[1].port), str(servers[0].port))
    replicated.write()
    async with migration_context(all_databases=True), asking() as client:
        answer = (await client.get("/health/replica")).json()
        assert (answer["status"], answer["error"]) == ("degraded", "replica: accepts writes")


async def test_a_test_database_is_not_compared_with_the_real_primary(
    replicated: Any, servers: Servers
) -> None:
    (replicated.root / "lite.db").touch()
    for name in ("replica", "primary"):
        with override_database(name, f"sqlite:///{replicated.root}/lite.db"):
            async with migration_context(mode="none"), asking() as client:
                found = (await client.get("/details/replica")).json()
                assert found["details"]["replica"] is None
                assert found["error"] is None


async def test_a_replica_and_its_primary_are_asked_at_the_same_time(
    replicated: Any, servers: Servers
) -> None:
    """Each waits for the other's look to begin, so one after the other would never end."""
    from dbwarden.fastapi.state import serving

    async with migration_context(mode="none"), asking() as client:
        await client.get("/health/replica")
        state = await serving()
        begun: set[str] = set()
        both = anyio.Event()
        read = type(state.engines).read

        async def together(engines: Any, config: Any) -> Any:
            begun.add(config.database_name)
            if len(begun) == 2:
                both.set()
            await both.wait()
            return await read(engines, config)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(state.engines), "read", together)
            assert (await client.get("/health/replica")).json()["status"] == "ok"
    assert begun == {"primary", "replica"}
