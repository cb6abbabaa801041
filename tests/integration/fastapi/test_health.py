"""Health over HTTP: the specification's JSON, and databases that stop and stall while serving."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import anyio
import anyio.lowlevel
import asyncpg
import httpx
import pytest
from fastapi import Depends, FastAPI, Request
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer, embedded_server
from dbwarden.fastapi import (
    DBWardenHealthRouter,
    get_session,
    install_error_handlers,
    migration_context,
)
from dbwarden.fastapi.state import serving
from tests.integration.fastapi.conftest import Serve, Site
from tests.proxy import Proxy, ProxyProcess

OK = {
    "database": "primary",
    "status": "ok",
    "connected": True,
    "pending_migrations": 0,
    "lock_active": False,
    "error": None,
}


def health_app(**options: Any) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with migration_context(mode="none"):
            yield

    app = FastAPI(lifespan=lifespan)
    app.include_router(DBWardenHealthRouter(**{"ttl": 0.0, **options}), prefix="/health")
    return app


def test_health_is_the_specifications_json_to_the_letter(three: Site, serve: Serve) -> None:
    with serve(health_app()) as client:
        for path in ("/health", "/health/", "/health/readiness"):
            answer = client.get(path, follow_redirects=False)
            assert answer.status_code == 200
            assert answer.json() == {
                "status": "ok",
                "databases": [{**OK, "database": n} for n in ("primary", "analytics", "logging")],
            }
            assert list(answer.json()) == ["status", "databases"]
            assert list(answer.json()["databases"][0]) == list(OK)


def test_one_database_is_read_by_its_name(three: Site, serve: Serve) -> None:
    with serve(health_app()) as client:
        answer = client.get("/health/analytics")
        assert (answer.status_code, answer.json()) == (200, {**OK, "database": "analytics"})


def test_an_unknown_name_is_404_with_a_clear_body(three: Site, serve: Serve) -> None:
    with serve(health_app()) as client:
        answer = client.get("/health/analitycs")
        assert answer.status_code == 404
        assert answer.json() == {"detail": "There is no database of that name."}


@pytest.mark.parametrize("code", [503, 200])
def test_pending_migrations_degrade(three: Site, serve: Serve, code: int) -> None:
    three.migration("analytics", "0002", "CREATE TABLE extra (id integer);")
    with serve(health_app(degraded_status_code=code)) as client:
        answer = client.get("/health")
        assert answer.status_code == code
        assert answer.json()["status"] == "degraded"
        states = {each["database"]: each for each in answer.json()["databases"]}
        assert states["analytics"]["pending_migrations"] == 1
        assert states["analytics"]["status"] == "degraded"
        assert states["primary"] == OK


def test_changed_files_are_seen_by_the_next_read(three: Site, serve: Serve) -> None:
    with serve(health_app()) as client:
        assert client.get("/health").status_code == 200
        three.migration("primary", "0002", "CREATE TABLE extra (id integer);")
        assert client.get("/health/primary").json()["pending_migrations"] == 1


def test_the_error_is_a_short_sentence_without_details(
    site: Site, serve: Serve, postgres_server: EmbeddedServer
) -> None:
    site.add("gone", "postgresql://ada:hunter2@127.0.0.1:1/secret_db", default=True)
    site.add("missing", postgres_server.url("not_there"))
    with serve(health_app()) as client:
        answer = client.get("/health")
    assert answer.status_code == 503
    errors = {each["database"]: each["error"] for each in answer.json()["databases"]}
    assert errors == {"gone": "cannot connect", "missing": "the database does not exist"}
    for each in answer.json()["databases"]:
        unknown = (each["connected"], each["pending_migrations"], each["lock_active"])
        assert unknown == (False, None, None)
    for secret in ("ada", "hunter2", "127.0.0.1", "secret_db", "not_there"):
        assert secret not in answer.text


def test_liveness_never_touches_a_database(site: Site, serve: Serve) -> None:
    (site.root / "dbwarden.py").write_text("raise RuntimeError('loaded')")
    app = FastAPI()
    app.include_router(DBWardenHealthRouter(), prefix="/health")
    with serve(app, lifespan="off") as client:
        assert client.get("/health/liveness").json() == {"status": "ok"}
        answer = client.get("/health")
        assert (answer.status_code, answer.json()["status"]) == (503, "error")
        assert "RuntimeError" not in answer.text


def test_details_are_shown_to_authorized_requests(three: Site, serve: Serve) -> None:
    async def authorize(request: Request) -> bool:
        return request.headers.get("X-Token") == "sesame"

    with serve(health_app(details=True, authorize=authorize)) as client:
        assert client.get("/health/primary").json() == OK
        more = client.get("/health/primary", headers={"X-Token": "sesame"}).json()["details"]
        assert more["version"] == "0001"
        assert more["next_step"] is None


def test_details_are_hidden_without_authorize(three: Site, serve: Serve) -> None:
    with serve(health_app(details=True)) as client:
        assert client.get("/health/primary").json() == OK


async def test_a_pool_that_is_used_up_is_not_a_dead_database(site: Site, postgres_url: str) -> None:
    site.add("primary", postgres_url, default=True, pool_size=1, max_overflow=0)
    transport = httpx.ASGITransport(app=health_app(probe_timeout=2.0))
    async with (
        migration_context(mode="none"),
        httpx.AsyncClient(transport=transport, base_url="http://app") as client,
    ):
        async with get_session() as session:
            await session.execute(text("SELECT 1"))
            used_up = {"status": "degraded", "error": "all connections of the pool are in use"}
            for _ in range(2):
                answer = await client.get("/health/primary")
                assert answer.json() == {**OK, **used_up}
        assert (await client.get("/health/primary")).json() == OK


async def test_a_server_without_a_free_connection_is_reported(site: Site) -> None:
    async with embedded_server(settings={"max_connections": "8"}, tcp=True) as server:
        site.add("primary", server.url(), default=True, pool_size=1, max_overflow=0)
        app = health_app(probe_timeout=2.0)
        transport = httpx.ASGITransport(app=app)
        async with (
            migration_context(mode="none"),
            httpx.AsyncClient(transport=transport, base_url="http://app") as client,
            all_connections(server.url()),
        ):
            (found,) = (await client.get("/health")).json()["databases"]
            assert found == {
                "database": "primary",
                "status": "error",
                "connected": False,
                "pending_migrations": None,
                "lock_active": None,
                "error": "all connections of the server are in use",
            }
        async with (
            migration_context(mode="none"),
            httpx.AsyncClient(transport=transport, base_url="http://app") as client,
            get_session() as session,
        ):
            await session.execute(text("SELECT 1"))
            async with all_connections(server.url()):
                (found,) = (await client.get("/health")).json()["databases"]
            assert found["connected"] is True
            assert found["pending_migrations"] is None
            assert found["error"] == "all connections of the pool are in use"


@asynccontextmanager
async def all_connections(url: str) -> AsyncGenerator[None]:
    """Hold every connection that the server still gives."""
    held = []
    try:
        with pytest.raises(asyncpg.TooManyConnectionsError):
            while True:
                held.append(await asyncpg.connect(url))
        yield
    finally:
        for connection in held:
            await connection.close()


async def test_a_hundred_probes_at_once_cost_one_query(
    site: Site, postgres_url: str, postgres_server: EmbeddedServer
) -> None:
    async with Proxy(postgres_server.port) as proxy:
        url = postgres_url.replace(f":{postgres_server.port}", f":{proxy.port}")
        site.add("primary", url, default=True)
        site.users("primary")
        async with migration_context(mode="migrate"):
            state = await serving()
            config = await state.database("primary")
            # The driver prepares its query first.
            for _ in range(2):
                await state.probes.probe(config, state.engines, ttl=0.0, limit=5)
            before = sum(counts.round_trips for counts in proxy.counts())
            proxy.delay = 0.2
            seen = []

            async def ask() -> None:
                seen.append(await state.probes.probe(config, state.engines, ttl=5.0, limit=5))

            state.probes.last.clear()
            async with anyio.create_task_group() as group:
                for _ in range(100):
                    group.start_soon(ask)
            flights = sum(counts.round_trips for counts in proxy.counts()) - before
            assert len(set(map(id, seen))) == 1
            assert flights == 1


async def test_a_read_through_a_warm_pool_is_one_round_trip(
    site: Site, postgres_url: str, postgres_server: EmbeddedServer
) -> None:
    async with Proxy(postgres_server.port) as proxy:
        url = postgres_url.replace(f":{postgres_server.port}", f":{proxy.port}")
        site.add("primary", url, default=True)
        site.users("primary")
        async with migration_context(mode="migrate"):
            state = await serving()
            config = await state.database("primary")
            for _ in range(2):
                await state.engines.read(config)
            before = sum(counts.round_trips for counts in proxy.counts())
            for _ in range(5):
                await state.engines.read(config)
            assert sum(counts.round_trips for counts in proxy.counts()) - before == 5


async def test_a_cancelled_prober_leaves_the_read_to_the_others(
    site: Site, postgres_url: str, postgres_server: EmbeddedServer
) -> None:
    async with Proxy(postgres_server.port) as proxy:
        url = postgres_url.replace(f":{postgres_server.port}", f":{proxy.port}")
        site.add("primary", url, default=True)
        async with migration_context(mode="none"):
            state = await serving()
            config = await state.database("primary")
            proxy.delay = 0.05
            seen = []

            async def first() -> None:
                with anyio.move_on_after(0.05):
                    await state.probes.probe(config, state.engines, ttl=0.0, limit=20)

            async def second() -> None:
                seen.append(await state.probes.probe(config, state.engines, ttl=0.0, limit=20))

            async with anyio.create_task_group() as group:
                group.start_soon(first)
                await anyio.lowlevel.checkpoint()
                group.start_soon(second)
            assert seen[0].health.status == "ok"


def test_a_stalled_database_costs_its_time_limit_and_the_others_answer(
    site: Site, serve: Serve, databases: Callable[[int], list[str]], postgres_server: EmbeddedServer
) -> None:
    first, second = databases(2)
    with ProxyProcess(postgres_server.port) as proxy:
        stalled = second.replace(f":{postgres_server.port}", f":{proxy.port}")
        site.add("primary", first, default=True)
        site.add("stalled", stalled, connect_timeout=30.0)
        app = health_app(probe_timeout=3.0, deadline=40.0)

        @app.get("/users")
        async def users(session: Annotated[AsyncSession, Depends(get_session())]) -> int:
            return int((await session.execute(text("SELECT 1"))).scalar_one())

        with serve(app) as client:
            assert client.get("/health").status_code == 200
            proxy.set_delay(60)
            answer = client.get("/health")
            states = {each["database"]: each for each in answer.json()["databases"]}
            assert answer.status_code == 503
            assert states["primary"]["status"] == "ok"
            assert states["stalled"]["error"] == "no answer in time"
            assert client.get("/users").json() == 1
            assert client.get("/health/liveness").status_code == 200
            proxy.set_delay(0)


async def test_the_deadline_answers_for_unresponsive_databases(
    site: Site, postgres_url: str, postgres_server: EmbeddedServer
) -> None:
    async with Proxy(postgres_server.port) as proxy:
        proxy.stall()
        stalled = postgres_url.replace(f":{postgres_server.port}", f":{proxy.port}")
        site.add("stalled", stalled, default=True, connect_timeout=60.0, timeout=60.0)
        site.add("lite", "sqlite:///lite.db")
        (site.root / "lite.db").touch()
        app = health_app(probe_timeout=60.0, deadline=1.0, ttl=3600.0)
        patient = DBWardenHealthRouter(probe_timeout=60.0, deadline=60.0)
        app.include_router(patient, prefix="/patient")
        transport = httpx.ASGITransport(app=app)
        async with (
            migration_context(mode="none"),
            httpx.AsyncClient(transport=transport, base_url="http://app") as client,
        ):
            await client.get("/patient/lite")  # its answer is reused, however slow the machine is
            answer = await client.get("/health")
        states = {each["database"]: each for each in answer.json()["databases"]}
        assert states["stalled"]["error"] == "no answer in time"
        assert states["lite"]["status"] == "ok"


def test_a_server_that_stops_and_starts_again_while_serving(site: Site, serve: Serve) -> None:
    server = EmbeddedServer(tcp=True)
    server.start()
    try:
        site.add("primary", server.url(), default=True)
        site.add("lite", "sqlite:///lite.db")
        (site.root / "lite.db").touch()
        app = health_app()
        install_error_handlers(app)

        @app.get("/users")
        async def users(session: Annotated[AsyncSession, Depends(get_session())]) -> int:
            return int((await session.execute(text("SELECT 1"))).scalar_one())

        with serve(app) as client:
            assert client.get("/health").status_code == 200
            assert client.get("/users").json() == 1
            server.halt()
            answer = client.get("/health")
            states = {each["database"]: each for each in answer.json()["databases"]}
            assert answer.status_code == 503
            assert states["primary"]["error"] == "cannot connect"
            assert states["lite"]["status"] == "ok"
            answer = client.get("/users")
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
            assert answer.json() == {"detail": "The database is not available: cannot connect."}
            server.start()
            assert client.get("/health").status_code == 200
            assert client.get("/users").json() == 1
    finally:
        server.stop()


async def test_more_databases_than_engines_are_all_read(site: Site) -> None:
    for number in range(12):
        site.add(f"db_{number}", f"sqlite:///{number}.db", default=number == 0)
        (site.root / f"{number}.db").touch()
    app = health_app()
    transport = httpx.ASGITransport(app=app)
    async with (
        migration_context(mode="none", max_open_engines=3),
        httpx.AsyncClient(transport=transport, base_url="http://app") as client,
    ):
        answer = await client.get("/health")
        assert [each["status"] for each in answer.json()["databases"]] == ["ok"] * 12
        state = await serving()
        assert len(state.engines.open) == 3
