"""Sessions on real databases, under a real server."""

import gc
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import anyio
import httpx
import pytest
from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from dbwarden.engines.failures import failure_of
from dbwarden.errors import (
    ConfigurationError,
    ConnectError,
    ConnectionLost,
    PoolExhausted,
    UnknownDatabase,
)
from dbwarden.fastapi import get_session, migration_context
from dbwarden.fastapi.state import serving
from dbwarden.library import DatabaseHandle
from dbwarden.testing import override_database
from tests.integration.fastapi.conftest import Running, Serve, Site
from tests.proxy import Proxy


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    async with migration_context(mode="check", all_databases=True):
        yield


async def insert(session: AsyncSession, number: int, name: str = "ada") -> None:
    await session.execute(
        text("INSERT INTO users (id, name) VALUES (:id, :name)"), {"id": number, "name": name}
    )


async def count(session: AsyncSession) -> int:
    return int((await session.execute(text("SELECT count(*) FROM users"))).scalar_one())


def spec_app() -> FastAPI:
    """The specification's routes, with three sessions in one of them."""
    app = FastAPI(lifespan=lifespan)
    Primary = Annotated[AsyncSession, Depends(get_session())]
    Analytics = Annotated[AsyncSession, Depends(get_session("analytics"))]
    Logging = Annotated[AsyncSession, Depends(get_session("logging"))]

    @app.get("/dashboard")
    async def dashboard(primary: Primary, analytics: Analytics, logging: Logging) -> list[int]:
        return [await count(primary), await count(analytics), await count(logging)]

    @app.post("/all/{number}")
    async def add_all(
        number: int, primary: Primary, analytics: Analytics, logging: Logging
    ) -> None:
        await insert(primary, number)
        await primary.commit()
        await insert(logging, number)
        await logging.commit()
        await insert(analytics, number)
        raise HTTPException(409, "the analytics are not committed")

    @app.post("/crash/{number}")
    async def crash(number: int, primary: Primary) -> None:
        await insert(primary, number)
        raise RuntimeError("after the insert")

    return app


def test_each_database_has_its_own_session_and_transaction(three: Site, serve: Serve) -> None:
    with serve(spec_app()) as client:
        assert client.get("/dashboard").json() == [0, 0, 0]
        assert client.post("/all/1").status_code == 409
        assert client.get("/dashboard").json() == [1, 0, 1]


def test_uncommitted_changes_of_a_failing_request_are_rolled_back(
    three: Site, serve: Serve
) -> None:
    with serve(spec_app()) as client:
        assert client.post("/crash/1").status_code == 500
        assert client.get("/dashboard").json() == [0, 0, 0]


def test_the_same_call_gives_the_same_object_and_different_calls_do_not() -> None:
    assert get_session("analytics") is get_session("analytics")
    assert get_session() is get_session(None)
    assert get_session("analytics") is not get_session("analytics", read_only=True)
    assert get_session("a_database", dev=True) is not get_session("a_database")


def test_a_handle_names_the_same_session_as_its_name() -> None:
    handle = DatabaseHandle("analytics")
    dependency = handle.session.__metadata__[0].dependency
    assert handle.session.__origin__ is AsyncSession
    assert dependency is get_session("analytics")


def test_the_name_of_a_missing_holder_leaves_no_trace() -> None:
    from dbwarden.fastapi import sessions

    before = len(sessions._sources)
    for number in range(1000):
        get_session(f"tenant_{number}")
    gc.collect()
    assert len(sessions._sources) <= before


async def test_async_with_gives_a_session_outside_a_request(three: Site) -> None:
    async with migration_context(mode="none"):
        async with get_session("analytics") as session:
            await insert(session, 1)
            await session.commit()
        async with get_session("analytics") as first, get_session("analytics") as second:
            assert first is not second
            assert [await count(first), await count(second)] == [1, 1]


async def test_the_one_object_serves_many_tasks_at_once(three: Site) -> None:
    source = get_session("primary")
    seen: list[AsyncSession] = []

    async def use() -> None:
        async with source as session:
            seen.append(session)
            await anyio.sleep(0.01)
            assert await count(session) == 0

    async with migration_context(mode="none"), anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(use)
    assert len(set(map(id, seen))) == 10


async def test_a_session_does_not_expire_what_it_committed(three: Site) -> None:
    async with migration_context(mode="none"), get_session() as session:
        assert session.sync_session.expire_on_commit is False


async def test_an_unknown_name_fails_at_use_with_a_suggestion(three: Site) -> None:
    async with migration_context(mode="none"):
        with pytest.raises(UnknownDatabase, match="did you mean 'analytics'"):
            async with get_session("analitycs"):
                raise AssertionError("there is no such session")


def test_unknown_names_in_routes_stop_the_start_and_are_all_listed(three: Site) -> None:
    app = FastAPI()
    in_a_handler = get_session("tenant_nobody")

    @app.get("/")
    async def route(
        one: Annotated[AsyncSession, Depends(get_session("analitycs"))],
        two: Annotated[AsyncSession, Depends(get_session("primry"))],
        three: Annotated[AsyncSession, Depends(get_session("logging"))],
    ) -> None: ...

    async def start() -> None:
        async with migration_context(mode="none"):
            raise AssertionError("it started")

    with pytest.raises(ConfigurationError) as raised:
        anyio.run(start)
    said = str(raised.value)
    assert "get_session('analitycs')" in said and "did you mean 'analytics'?" in said
    assert "get_session('primry')" in said and "did you mean 'primary'?" in said
    assert "get_session('logging')" not in said
    assert in_a_handler.name is not None and in_a_handler.name not in said


def test_declaring_a_session_loads_no_project(site: Site) -> None:
    (site.root / "dbwarden.py").write_text("raise SystemExit('loaded')")
    assert Annotated[AsyncSession, Depends(get_session("analytics"))]


def test_a_session_is_overridden_as_any_dependency(three: Site, serve: Serve) -> None:
    app = spec_app()
    used: list[str] = []

    async def instead() -> AsyncGenerator[AsyncSession]:
        used.append("override")
        async with get_session("primary") as session:
            yield session

    with serve(app) as client:
        assert client.post("/all/1").status_code == 409
        assert client.get("/dashboard").json() == [1, 0, 1]
        app.dependency_overrides[get_session("analytics")] = instead
        assert client.get("/dashboard").json() == [1, 1, 1]
    assert used


async def test_a_read_only_session_cannot_write_on_sqlite(three: Site) -> None:
    async with migration_context(mode="none"):
        async with get_session("primary", read_only=True) as session:
            assert await count(session) == 0
            with pytest.raises(DBAPIError, match="readonly"):
                await insert(session, 1)
        async with get_session("primary") as session:
            await insert(session, 1)


async def test_a_read_only_session_cannot_write_on_postgresql(
    site: Site, postgres_url: str
) -> None:
    site.add("primary", postgres_url, default=True)
    async with migration_context(mode="none"):
        async with get_session() as session:
            await session.execute(text("CREATE TABLE users (id int, name text)"))
            await session.commit()
        async with get_session(read_only=True) as session:
            assert await count(session) == 0
            with pytest.raises(DBAPIError, match="read-only transaction"):
                await insert(session, 1)
        async with get_session() as session:
            await insert(session, 1)


async def test_a_replica_gives_read_only_sessions_unless_asked_otherwise(site: Site) -> None:
    site.add("primary", "sqlite:///primary.db", default=True)
    site.users("primary")
    site.add("replica", "sqlite:///file:primary.db?uri=true", replica_of="primary")
    import dbwarden

    await dbwarden.migrate("primary")
    async with migration_context(mode="none"):
        async with get_session("replica") as session:
            with pytest.raises(DBAPIError, match="readonly"):
                await insert(session, 1)
        async with get_session("replica", read_only=False) as session:
            await insert(session, 1)


async def test_all_sessions_of_a_database_in_memory_see_the_same_database(site: Site) -> None:
    site.add("cache", "sqlite:///:memory:", default=True)
    async with migration_context(mode="none"):
        async with get_session() as session:
            await session.execute(text("CREATE TABLE users (id integer, name text)"))
            await insert(session, 1)
            await session.commit()
        async with get_session() as session:
            assert await count(session) == 1


async def test_a_changing_password_is_read_for_each_new_connection(
    site: Site, postgres_server: EmbeddedServer, databases: Callable[[int], list[str]]
) -> None:
    first, second = await anyio.to_thread.run_sync(databases, 2)
    site.lines += [
        "from pathlib import Path",
        "def where(): return Path('where.txt').read_text()",
    ]
    site.add("primary", "postgresql://", expression="where", default=True, pool_size=1)
    name = text("SELECT current_database()")
    place = site.root / "where.txt"
    place.write_text(first)
    async with migration_context(mode="none"):
        async with get_session() as session:
            assert (await session.execute(name)).scalar_one() == first.rpartition("/")[2]
        place.write_text(second)
        async with get_session() as held, get_session() as new:
            assert (await held.execute(name)).scalar_one() == first.rpartition("/")[2]
            assert (await new.execute(name)).scalar_one() == second.rpartition("/")[2]


async def test_a_connection_that_died_in_the_pool_is_replaced_before_use(
    site: Site, postgres_url: str, ask: Callable[..., list[Any]]
) -> None:
    site.add("primary", postgres_url, default=True)
    async with migration_context(mode="none"):
        async with get_session() as session:
            await session.execute(text("SELECT 1"))
        await anyio.to_thread.run_sync(
            lambda: ask(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1",
                postgres_url.rpartition("/")[2],
            )
        )
        (served,) = (await serving()).engines.open.values()
        while not all(connection.is_closed() for connection in served.connections):  # noqa: ASYNC110 - the driver has no event for it
            await anyio.sleep(0.01)
        async with get_session() as session:
            assert (await session.execute(text("SELECT 1"))).scalar_one() == 1


async def test_a_silent_connection_is_replaced_before_use(
    site: Site, postgres_url: str, postgres_server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dbwarden.dialects.postgresql.serve import engine as postgres_serving

    monkeypatch.setattr(postgres_serving, "PING_AFTER", 0.0)
    async with Proxy(postgres_server.port) as proxy:
        url = postgres_url.replace(f":{postgres_server.port}", f":{proxy.port}")
        site.add("primary", url, default=True, connect_timeout=2.0)
        async with migration_context(mode="none"):
            async with get_session() as session:
                await session.execute(text("SELECT 1"))
            for connection in proxy.open_connections:
                connection.silence()
            async with get_session() as session:
                assert (await session.execute(text("SELECT 1"))).scalar_one() == 1


def backends(ask: Callable[..., list[Any]], url: str) -> list[Any]:
    return ask(
        "SELECT pid, state, query FROM pg_stat_activity WHERE datname = $1",
        url.rpartition("/")[2],
    )


def test_nothing_is_left_on_the_server_after_shutdown(
    site: Site, serve: Serve, databases: Callable[[int], list[str]], ask: Callable[..., list[Any]]
) -> None:
    urls = databases(3)
    for name, url in zip(("primary", "analytics", "logging"), urls, strict=True):
        site.add(name, url, default=name == "primary")
    site.users("primary", "analytics", "logging")
    site.migrate("primary", "analytics", "logging")
    with serve(spec_app()) as client:
        assert client.get("/dashboard").json() == [0, 0, 0]
        assert all(backends(ask, url) for url in urls)
    assert [backends(ask, url) for url in urls] == [[], [], []]


async def test_a_cancelled_request_leaves_no_statement_running_on_the_server(
    site: Site, postgres_url: str, ask: Callable[..., list[Any]]
) -> None:
    site.add("primary", postgres_url, default=True)
    async with migration_context(mode="none"):
        with anyio.move_on_after(0.5) as scope:
            async with get_session() as session:
                await session.execute(text("SELECT pg_sleep(60)"))
        assert scope.cancelled_caught
        left = await anyio.to_thread.run_sync(backends, ask, postgres_url)
        assert not [row for row in left if "pg_sleep" in row["query"] and row["state"] == "active"]
        async with get_session() as session:
            assert (await session.execute(text("SELECT 1"))).scalar_one() == 1


async def test_cancelled_sessions_give_their_connections_back(
    site: Site, postgres_url: str
) -> None:
    site.add("primary", postgres_url, default=True, pool_size=2, max_overflow=0, pool_timeout=5)
    async with migration_context(mode="none"):
        for _ in range(5):
            with anyio.move_on_after(0.05):
                async with get_session() as session:
                    await session.execute(text("SELECT 1"))
                    await anyio.sleep(60)
        state = await serving()
        (served,) = state.engines.open.values()
        assert (served.users, served.pool.in_use) == (0, 0)


@pytest.mark.long
async def test_five_hundred_requests_at_once_over_three_databases(
    site: Site, running: Callable[..., Running], databases: Callable[[int], list[str]]
) -> None:
    urls = await anyio.to_thread.run_sync(databases, 3)
    for name, url in zip(("primary", "analytics", "logging"), urls, strict=True):
        # What is asked here is that all are answered, however slow the machine is.
        site.add(name, url, default=name == "primary", connect_timeout=60.0, pool_timeout=120.0)
    site.users("primary", "analytics", "logging")
    import dbwarden

    for name in ("primary", "analytics", "logging"):
        await dbwarden.migrate(name)
    server = running(spec_app())
    answers: list[httpx.Response] = []

    async def request(client: httpx.AsyncClient) -> None:
        answers.append(await client.get("/dashboard"))

    await anyio.to_thread.run_sync(server.__enter__)
    try:
        limits = httpx.Limits(max_connections=500)
        async with (
            httpx.AsyncClient(base_url=server.url, timeout=120, limits=limits) as client,
            anyio.create_task_group() as group,
        ):
            for _ in range(500):
                group.start_soon(request, client)
        state = await anyio.to_thread.run_sync(server.run, serving)
        assert [each.users for each in state.engines.open.values()] == [0, 0, 0]
        assert [each.pool.in_use for each in state.engines.open.values()] == [0, 0, 0]
    finally:
        await anyio.to_thread.run_sync(server.stop)
    assert {answer.status_code for answer in answers} == {200}
    assert len(answers) == 500


async def test_a_live_connection_is_kept_after_its_ping(
    site: Site, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dbwarden.dialects.postgresql.serve import engine as postgres_serving

    monkeypatch.setattr(postgres_serving, "PING_AFTER", 0.0)
    site.add("primary", postgres_url, default=True)
    pids = []
    async with migration_context(mode="none"):
        for _ in range(3):
            async with get_session() as session:
                found = await session.execute(text("SELECT pg_backend_pid()"))
                pids.append(found.scalar_one())
    assert len(set(pids)) == 1


async def test_a_read_survives_connections_that_died_in_the_pool(
    site: Site, postgres_url: str, ask: Callable[..., list[Any]]
) -> None:
    site.add("primary", postgres_url, default=True)
    async with migration_context(mode="none"):
        state = await serving()
        config = await state.database("primary")
        before = await state.engines.read(config)
        await anyio.to_thread.run_sync(
            lambda: ask(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1",
                postgres_url.rpartition("/")[2],
            )
        )
        assert await state.engines.read(config) == before


def end_without_closing(state: Any) -> None:
    """Give the one connection of the pool what a server sends before it closes the socket."""
    (served,) = state.engines.open.values()
    (driver,) = served.connections
    fields = b"SFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"
    driver._protocol.data_received(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)


async def test_a_read_survives_a_connection_that_ended_and_is_not_closed(
    site: Site, postgres_url: str
) -> None:
    site.add("primary", postgres_url, default=True)
    async with migration_context(mode="none"):
        state = await serving()
        config = await state.database("primary")
        before = await state.engines.read(config)
        end_without_closing(state)
        assert await state.engines.read(config) == before


@pytest.mark.parametrize("ping_after", [0.0, 60.0])
async def test_a_session_on_a_connection_that_ended_and_is_not_closed_reports_its_loss_or_survives(
    site: Site, postgres_url: str, monkeypatch: pytest.MonkeyPatch, ping_after: float
) -> None:
    from dbwarden.dialects.postgresql.serve import engine as postgres_serving

    monkeypatch.setattr(postgres_serving, "PING_AFTER", ping_after)
    site.add("primary", postgres_url, default=True)
    async with migration_context(mode="none"):
        async with get_session() as session:
            await session.execute(text("SELECT 1"))
        end_without_closing(await serving())
        if ping_after:
            async with get_session() as session:
                with pytest.raises(DBAPIError) as caught:
                    await session.execute(text("SELECT 1"))
            assert isinstance(failure_of(caught.value), ConnectionLost)
        async with get_session() as session:
            assert await session.scalar(text("SELECT 1")) == 1


async def test_a_session_names_the_file_of_its_url_that_cannot_be_read(
    site: Site, postgres_url: str
) -> None:
    joint = "&" if "?" in postgres_url else "?"
    url = f"{postgres_url}{joint}sslmode=verify-full&sslrootcert=/no/such/file.pem"
    site.add("primary", url, default=True)
    async with migration_context(mode="none"), get_session() as session:
        with pytest.raises(ConnectError, match=r"sslrootcert: /no/such/file\.pem"):
            await session.execute(text("SELECT 1"))


async def test_an_exhausted_pool_is_reported(site: Site, postgres_url: str) -> None:
    site.add("primary", postgres_url, default=True, pool_size=1, max_overflow=0, pool_timeout=0.2)
    async with migration_context(mode="none"), get_session() as session:
        await session.execute(text("SELECT 1"))
        state = await serving()
        with pytest.raises(PoolExhausted, match="all 1 connections of the pool were in use"):
            await state.engines.read(await state.database("primary"))


async def test_a_moved_database_gets_a_new_engine_and_open_sessions_keep_the_old_one(
    three: Site,
) -> None:
    file = text("SELECT file FROM pragma_database_list WHERE name = 'main'")
    async with migration_context(mode="none"):
        async with get_session() as held:
            state = await serving()
            (old,) = state.engines.open.values()
            with override_database("primary", f"sqlite:///{three.root}/other.db"):
                async with get_session() as moved:
                    assert str(await moved.scalar(file)).endswith("other.db")
            assert old.retired
            assert str(await held.scalar(file)).endswith("primary.db")
        async with get_session() as session:
            assert str(await session.scalar(file)).endswith("primary.db")
        assert len(state.engines.open) == 1
        assert old not in state.engines.open.values()
