"""One database per tenant: sessions by request, bounded engines, summed health."""

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import anyio
import httpx
import pytest
from fastapi import Depends, FastAPI, Request
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from dbwarden.dialects.postgresql.scratch.server import embedded_server
from dbwarden.errors import TimedOut, UsageError
from dbwarden.fastapi import (
    DBWardenHealthRouter,
    DBWardenStatusPage,
    get_session,
    migration_context,
    tenant_session,
)
from dbwarden.fastapi.probing import TENANTS_PER_SERVER
from dbwarden.fastapi.state import serving
from tests.integration.fastapi.conftest import Serve, Site

WHOSE = text("SELECT file FROM pragma_database_list WHERE name = 'main'")


@pytest.fixture
def tenants(site: Site) -> Site:
    """A project with a list of tenants in a file, and one database beside them."""
    site.add("primary", "sqlite:///primary.db", default=True)
    site.lines += [
        "from dbwarden import tenant_databases",
        "from pathlib import Path",
        "def everybody(): return Path('tenants.txt').read_text().split()",
        "tenant_databases(name='tenant_{tenant_id}', database_type='sqlite', "
        "database_url='sqlite:///t_{tenant_id}.db', tenants=everybody)",
    ]
    site.write()
    (site.root / "primary.db").touch()
    (site.root / "tenants.txt").write_text("acme globex")
    return site


async def whose(session: AsyncSession) -> str:
    return str((await session.execute(WHOSE)).scalar_one()).rpartition("/")[2]


def app_of(**options: Any) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with migration_context(mode="none", **options):
            yield

    def from_token(request: Request) -> str | None:
        return request.headers.get("X-Token", "").removeprefix("token-of-")

    app = FastAPI(lifespan=lifespan)
    app.include_router(DBWardenHealthRouter(ttl=0.0, list_tenants=True), prefix="/health")
    app.include_router(DBWardenStatusPage(), prefix="/dbwarden")
    path = Annotated[AsyncSession, Depends(tenant_session("tenant_{tenant_id}"))]
    header = Annotated[AsyncSession, Depends(tenant_session("tenant_{tenant_id}", source="header"))]
    host = Annotated[AsyncSession, Depends(tenant_session("tenant_{tenant_id}", source="host"))]
    own = Annotated[AsyncSession, Depends(tenant_session("tenant_{tenant_id}", source=from_token))]

    @app.get("/path/{tenant_id}")
    async def by_path(session: path) -> str:
        return await whose(session)

    @app.get("/header")
    async def by_header(session: header) -> str:
        return await whose(session)

    @app.get("/host")
    async def by_host(session: host) -> str:
        return await whose(session)

    @app.get("/token")
    async def by_token(session: own) -> str:
        return await whose(session)

    def get_tenant_session(tenant_id: str) -> Any:
        return get_session(f"tenant_{tenant_id}")

    @app.get("/data")
    async def get_data(tenant_id: str) -> str:
        async with get_tenant_session(tenant_id) as session:
            return await whose(session)

    return app


def test_the_tenant_is_read_from_its_place_in_the_request(tenants: Site, serve: Serve) -> None:
    with serve(app_of()) as client:
        assert client.get("/path/acme").json() == "t_acme.db"
        assert client.get("/header", headers={"X-Tenant-Id": "globex"}).json() == "t_globex.db"
        assert client.get("/host", headers={"Host": "Acme.example.com:80"}).json() == "t_acme.db"
        assert client.get("/token", headers={"X-Token": "token-of-acme"}).json() == "t_acme.db"
        assert client.get("/data", params={"tenant_id": "globex"}).json() == "t_globex.db"


def test_a_pattern_that_no_database_has_is_an_error(tenants: Site, serve: Serve) -> None:
    app = app_of()
    unknown = Annotated[AsyncSession, Depends(tenant_session("nothing_{tenant_id}"))]
    single = Annotated[AsyncSession, Depends(tenant_session("prim{tenant_id}"))]

    @app.get("/unknown/{tenant_id}")
    async def by_unknown_pattern(session: unknown) -> str:
        return await whose(session)

    @app.get("/single/{tenant_id}")
    async def by_single_database(session: single) -> str:
        return await whose(session)

    with serve(app) as client:
        assert client.get("/unknown/acme").status_code == 500
        assert client.get("/single/ary").json() == "primary.db"
        assert client.get("/single/nobody").status_code == 404


def test_an_unknown_or_malformed_id_is_404_and_touches_nothing(tenants: Site, serve: Serve) -> None:
    with serve(app_of()) as client:
        before = sorted(path.name for path in tenants.root.iterdir())
        for tenant_id in ("nobody", "..", "a%2Fb", "acme'--", "x" * 80, "%00"):
            assert client.get(f"/path/{tenant_id}").status_code == 404, tenant_id
        assert client.get("/header").status_code == 404
        assert client.get("/host").status_code == 404
        assert sorted(path.name for path in tenants.root.iterdir()) == before


def test_a_new_tenant_is_usable_without_a_restart(
    tenants: Site, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dbwarden.config import project

    monkeypatch.setattr(project, "MIN_RELOAD_INTERVAL", 0.0)
    with serve(app_of()) as client:
        assert client.get("/path/initech").status_code == 404
        (tenants.root / "tenants.txt").write_text("acme globex initech")
        assert client.get("/path/initech").json() == "t_initech.db"


@pytest.mark.long
async def test_hundreds_of_tenants_stay_within_the_open_engines(tenants: Site) -> None:
    names = [f"n{number}" for number in range(200)]
    (tenants.root / "tenants.txt").write_text(" ".join(names))
    app = app_of()
    transport = httpx.ASGITransport(app=app)
    most = [0]
    async with (
        migration_context(mode="none", max_open_engines=5),
        httpx.AsyncClient(transport=transport, base_url="http://app") as client,
    ):
        state = await serving()

        async def ask(name: str) -> None:
            assert (await client.get(f"/path/{name}")).json() == f"t_{name}.db"
            most[0] = max(most[0], len(state.engines.open))

        async with anyio.create_task_group() as group:
            for name in names:
                group.start_soon(ask, name)
        assert most[0] == 5
        assert all(each.users == 0 for each in state.engines.open.values())


async def test_an_engine_in_use_is_never_closed_to_make_room(tenants: Site) -> None:
    tenants.lines = [
        line.replace("tenants=everybody)", "tenants=everybody, pool_timeout=0.2)")
        for line in tenants.lines
    ]
    tenants.write()
    async with migration_context(mode="none", max_open_engines=1):
        async with get_session("tenant_acme") as held:
            with pytest.raises(TimedOut, match="1 engines were in use"):
                async with get_session("tenant_globex"):
                    raise AssertionError("there was no room")
            assert await whose(held) == "t_acme.db"
        async with get_session("tenant_globex") as session:
            assert await whose(session) == "t_globex.db"


def test_health_sums_tenants_up_and_lists_them_on_request(tenants: Site, serve: Serve) -> None:
    with serve(app_of()) as client:
        answer = client.get("/health").json()
        assert [each["database"] for each in answer["databases"]] == ["primary"]
        assert answer["tenants"] == [
            {
                "pattern": "tenant_{tenant_id}",
                "total": 2,
                "looked_at": 2,
                "ok": 2,
                "degraded": 0,
                "error": 0,
            }
        ]
        listed = client.get("/health", params={"tenants": "all"}).json()["databases"]
        names = [each["database"] for each in listed]
        assert names == ["primary", "tenant_acme", "tenant_globex"]
        assert client.get("/health/tenant_acme").status_code == 200
        assert client.get("/health/tenant_nobody").status_code == 404
        assert client.get("/dbwarden/data").json()["tenants"] == 2


async def test_health_reads_the_served_tenants_and_a_sample_of_others(
    tenants: Site,
) -> None:
    names = [f"n{number:02d}" for number in range(60)]
    (tenants.root / "tenants.txt").write_text(" ".join(names))
    for name in names:
        (tenants.root / f"t_{name}.db").touch()
    transport = httpx.ASGITransport(app=app_of())
    async with (
        migration_context(mode="none"),
        httpx.AsyncClient(transport=transport, base_url="http://app") as client,
    ):
        assert (await client.get("/path/n59")).status_code == 200
        (summed,) = (await client.get("/health")).json()["tenants"]
        assert (summed["total"], summed["looked_at"], summed["ok"]) == (60, 50, 50)
        state = await serving()
        assert "tenant_n59" in state.probes.last
        listed = (await client.get("/health", params={"tenants": "all"})).json()["databases"]
        assert len(listed) == 61
        assert not [name for name, _ in state.engines.open if name not in {"primary", "tenant_n59"}]


def test_tenants_are_listed_a_page_at_a_time(tenants: Site, serve: Serve) -> None:
    ids = [f"n{number:02d}" for number in range(25)]
    (tenants.root / "tenants.txt").write_text(" ".join(reversed(ids)))
    for name in ids:
        (tenants.root / f"t_{name}.db").touch()
    with serve(app_of()) as client:
        after: str | None = ""
        seen: list[str] = []
        for size in (10, 10, 5):
            asked: dict[str, str | int | None] = {"tenants": "all", "limit": 10, "after": after}
            page = client.get("/health", params=asked).json()
            rows = [each["database"] for each in page["databases"]]
            (summed,) = page["tenants"]
            assert (summed["total"], summed["looked_at"], summed["ok"]) == (25, size, size)
            assert (rows[0] == "primary") is (after == "")
            seen += rows
            after = page["next"]
        assert after is None
        assert seen == ["primary", *(f"tenant_{name}" for name in ids)]
        for wrong in ({"limit": 0}, {"limit": 1001}, {"after": "primary"}, {"tenants": "most"}):
            answer = client.get("/health", params={"tenants": "all", **wrong})
            assert answer.status_code == 422, wrong


def test_only_authorized_requests_list_tenants(tenants: Site, serve: Serve) -> None:
    def authorize(request: Request) -> bool:
        return request.headers.get("X-Token") == "sesame"

    app = FastAPI()
    app.include_router(DBWardenHealthRouter(), prefix="/closed")
    app.include_router(DBWardenHealthRouter(authorize=authorize), prefix="/guarded")
    with serve(app) as client:
        for path in ("/closed", "/closed/readiness", "/guarded"):
            assert client.get(path, params={"tenants": "all"}).status_code == 403
            assert client.get(path).status_code == 200
        answer = client.get("/guarded?tenants=all", headers={"X-Token": "sesame"})
        assert len(answer.json()["databases"]) == 3


async def test_a_start_that_checks_tenants_opens_no_pools_for_them(tenants: Site) -> None:
    async with migration_context(mode="check", all_databases=True):
        state = await serving()
        assert set(state.probes.last) == {"primary", "tenant_acme", "tenant_globex"}
        assert [name for name, _ in state.engines.open] == ["primary"]


async def test_a_list_of_tenants_leaves_connections_to_others(site: Site) -> None:
    names = [f"t{number:02d}" for number in range(34)]
    async with embedded_server(settings={"max_connections": "30"}, tcp=True) as server:
        for name in names:
            await server.create_database(name)
        site.lines += [
            "from dbwarden import tenant_databases",
            "tenant_databases(name='tenant_{tenant_id}', database_type='postgresql', "
            f"database_url={server.url('X').replace('X', '{tenant_id}')!r}, tenants={names!r})",
        ]
        site.add("primary", server.url(), default=True)
        app = FastAPI()
        router = DBWardenHealthRouter(list_tenants=True, probe_timeout=60.0, deadline=80.0)
        app.include_router(router, prefix="/health")
        transport = httpx.ASGITransport(app=app)
        async with (
            migration_context(mode="none"),
            httpx.AsyncClient(transport=transport, base_url="http://app", timeout=100) as client,
        ):
            listed = (await client.get("/health?tenants=all")).json()
            assert listed["next"] is None
            assert [each["status"] for each in listed["databases"]] == ["ok"] * 35
            state = await serving()
            assert [name for name, _ in state.engines.open] == ["primary"]


async def test_a_page_ends_at_its_time_limit(site: Site) -> None:
    names = [f"t{number:02d}" for number in range(60)]
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        url = f"postgresql://127.0.0.1:{silent.getsockname()[1]}/{{tenant_id}}?sslmode=disable"
        site.lines += [
            "from dbwarden import tenant_databases",
            "tenant_databases(name='tenant_{tenant_id}', database_type='postgresql', "
            f"database_url={url!r}, tenants={names!r}, connect_timeout=60)",
        ]
        site.add("primary", "sqlite:///primary.db", default=True)
        (site.root / "primary.db").touch()
        app = FastAPI()
        router = DBWardenHealthRouter(list_tenants=True, deadline=1.0, probe_timeout=60.0)
        app.include_router(router, prefix="/health")
        transport = httpx.ASGITransport(app=app)
        async with (
            migration_context(mode="none"),
            httpx.AsyncClient(transport=transport, base_url="http://app") as client,
        ):
            page = (await client.get("/health?tenants=all&limit=60")).json()
            own, *listed = page["databases"]
            assert own["status"] == "ok"
            asked = [f"tenant_{name}" for name in names[:TENANTS_PER_SERVER]]
            assert [each["database"] for each in listed] == asked
            assert {each["error"] for each in listed} == {"no answer in time"}
            assert page["next"] == asked[-1]


def test_a_failing_tenant_list_degrades_health(tenants: Site, serve: Serve) -> None:
    (tenants.root / "tenants.txt").unlink()
    with serve(app_of()) as client:
        answer = client.get("/health").json()
        assert answer["status"] == "degraded"
        assert answer["tenants"][0]["total"] is None


@pytest.mark.parametrize("pattern", ["tenant", "{a}_{b}", "tenant_{}", "tenant_{a.b}"])
def test_a_pattern_has_exactly_one_field(pattern: str) -> None:
    with pytest.raises(UsageError, match="exactly one field"):
        tenant_session(pattern)


def test_the_same_call_gives_the_same_dependency() -> None:
    assert tenant_session("t_{x}") is tenant_session("t_{x}")
    assert tenant_session("t_{x}") is not tenant_session("t_{x}", source="host")
