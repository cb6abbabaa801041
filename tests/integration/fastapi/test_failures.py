"""Requests to an unavailable database are a 503 with its cause and one log line."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, WebSocket
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from dbwarden.fastapi import get_session, install_error_handlers, migration_context, tenant_session
from tests.integration.fastapi.conftest import Serve, Site


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    async with migration_context(mode="none"):
        yield


Session = Annotated[AsyncSession, Depends(get_session())]


def app_of() -> FastAPI:
    app = FastAPI(lifespan=lifespan)
    install_error_handlers(app)

    @app.get("/run")
    async def run(session: Session, sql: str) -> str:
        for statement in sql.split(";"):
            await session.execute(text(statement))
        return "done"

    @app.get("/hold")
    async def hold(session: Session, sql: str) -> str:
        """Keep a transaction open until another request has ended."""
        await session.execute(text(sql))
        async with get_session() as other:
            await other.execute(text(sql))
        return "done"

    @app.get("/by-name/{name}")
    async def by_name(name: str) -> str:
        async with get_session(name):
            return "done"

    @app.get("/tenant/{tenant_id}")
    async def tenant(
        session: Annotated[AsyncSession, Depends(tenant_session("tenant_{tenant_id}"))],
    ) -> str:
        return "done"

    @app.websocket("/socket")
    async def socket(websocket: WebSocket, session: Session) -> None:
        await websocket.accept()
        await session.execute(text("SELECT 1"))

    return app


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]


KILL = "SELECT pg_terminate_backend(pg_backend_pid())"

POSTGRESQL = {
    "/run?sql=SET LOCAL statement_timeout = 1; SELECT pg_sleep(60)": "no answer in time",
    f"/run?sql={KILL}": "the connection broke",
    "/hold?sql=SELECT 1": "all connections of the pool are in use",
}


@pytest.mark.parametrize("path", POSTGRESQL)
def test_a_database_that_is_not_available_is_503(
    site: Site, serve: Serve, postgres_url: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    pool: dict[str, Any] = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 0.1}
    site.add("primary", postgres_url, default=True, **pool)
    with serve(app_of()) as client:
        assert client.get("/run?sql=SELECT 1").json() == "done"
        answer = client.get(path)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "5"
        assert answer.json() == {"detail": f"The database is not available: {POSTGRESQL[path]}."}
        assert client.get("/run?sql=SELECT 1").json() == "done"
    (line,) = lines(caplog)
    assert line.startswith("request_failed ") and "database=primary" in line


def test_a_locked_sqlite_database_is_503(
    site: Site, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    site.add("primary", "sqlite:///primary.db", default=True, engine_options=BUSY)
    with serve(app_of()) as client:
        assert client.get("/run?sql=CREATE TABLE t (id int)").json() == "done"
        answer = client.get("/hold?sql=INSERT INTO t VALUES (1)")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "error='database is locked'" in lines(caplog)[0]


BUSY = {"connect_args": {"timeout": 0}}


@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
def test_a_mistake_in_a_statement_stays_500(
    site: Site, serve: Serve, postgres_url: str, kind: str
) -> None:
    url = postgres_url if kind == "postgresql" else "sqlite:///primary.db"
    site.add("primary", url, default=True)
    with serve(app_of()) as client:
        assert client.get("/run?sql=SELECT nothing FROM nowhere").status_code == 500


def test_a_name_of_no_tenant_is_404_and_a_name_that_is_not_configured_stays_500(
    site: Site, serve: Serve
) -> None:
    site.add("primary", "sqlite:///primary.db", default=True)
    site.lines += [
        "from dbwarden import tenant_databases",
        "tenant_databases(name='tenant_{tenant_id}', database_type='sqlite', "
        "database_url='sqlite:///t_{tenant_id}.db', tenants=['acme'])",
    ]
    site.write()
    with serve(app_of()) as client:
        assert client.get("/by-name/tenant_acme").json() == "done"
        for path in ("/by-name/tenant_nobody", "/by-name/tenant_..", "/tenant/nobody"):
            answer = client.get(path)
            assert answer.status_code == 404
            assert answer.json() == {"detail": "There is no such tenant."}
        assert client.get("/by-name/analitycs").status_code == 500


async def test_a_websocket_is_closed_with_try_again_later(site: Site) -> None:
    site.add("primary", "postgresql://127.0.0.1:1/x", default=True)
    scope = {"type": "websocket", "path": "/socket", "headers": [], "query_string": b""}
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    async with migration_context(mode="none"):
        await app_of()(scope, receive, send)
    assert [each["type"] for each in sent] == ["websocket.accept", "websocket.close"]
    assert sent[-1]["code"] == 1013


def test_an_engine_of_the_application_is_left_alone(site: Site, serve: Serve) -> None:
    from sqlalchemy.ext.asyncio import create_async_engine

    site.add("primary", "sqlite:///primary.db", default=True)
    app = app_of()
    engine = create_async_engine("sqlite+aiosqlite:///nowhere/other.db")

    @app.get("/other")
    async def other() -> None:
        async with engine.connect():
            await asyncio.sleep(0)

    with serve(app) as client:
        assert client.get("/other").status_code == 500
