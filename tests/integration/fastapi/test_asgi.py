"""dbwarden.asgi in frameworks that are not FastAPI, and in a process without it."""

import re
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from litestar import Litestar, asgi, get
from litestar.types import Receive, Scope, Send
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from dbwarden.asgi import HealthApp, get_session, lifespan, migration_context
from tests.integration.fastapi.conftest import Running, Site

COUNT = text("SELECT count(*) FROM users")


def starlette(**options: Any) -> Starlette:
    async def users(request: Request) -> JSONResponse:
        async with get_session("analytics") as session:
            return JSONResponse(await session.scalar(COUNT))

    return Starlette(
        routes=[Mount("/health", HealthApp(**options)), Route("/users", users)],
        lifespan=partial(lifespan, mode="check", all_databases=True),
    )


def litestar(**options: Any) -> Litestar:
    mounted = HealthApp(**options)

    @asgi("/health", is_mount=True, copy_scope=True)
    async def health(scope: Scope, receive: Receive, send: Send) -> None:
        await mounted(scope, receive, send)  # type: ignore[arg-type]  # Litestar's own types

    @get("/users")
    async def users() -> int:
        async with get_session("analytics") as session:
            return int(await session.scalar(COUNT) or 0)

    @asynccontextmanager
    async def ready(app: Litestar) -> AsyncGenerator[None]:
        async with migration_context(mode="check", all_databases=True):
            yield

    return Litestar([health, users], lifespan=[ready], logging_config=None)


FRAMEWORKS = [starlette, litestar]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_framework_serves_sessions_and_health(
    three: Site, running: Callable[..., Running], framework: Callable[..., Any]
) -> None:
    with (
        running(framework(details=True, authorize=lambda scope: True)) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        assert client.get("/users").json() == 0
        for path in ("/health/", "/health/readiness"):
            answer = client.get(path)
            assert (answer.status_code, answer.json()["status"]) == (200, "ok")
            assert answer.headers["cache-control"] == "no-store"
        assert len(client.get("/health/").json()["databases"]) == 3
        assert client.get("/health/liveness").json() == {"status": "ok"}
        assert client.get("/health/primary").json()["details"]["version"] == "0001"
        assert client.get("/health/nobody").status_code == 404
        assert client.get("/health/?limit=x").status_code == 422
        assert client.post("/health/primary").status_code == 405
        assert client.head("/health/primary").content == b""
        three.migration("analytics", "0002", "CREATE TABLE extra (id integer);")
        while client.get("/health/").json()["status"] == "ok":  # the last probe is valid for 1 s
            pass
        assert client.get("/health/analytics").status_code == 503


# uvicorn ends its thread with SystemExit.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_framework_does_not_start_with_pending_migrations(
    three: Site, running: Callable[..., Running], framework: Callable[..., Any]
) -> None:
    three.migration("analytics", "0002", "CREATE TABLE extra (id integer);")
    with pytest.raises(RuntimeError, match="did not start"), running(framework()):
        pass


def test_health_is_an_application_by_itself(three: Site, running: Callable[..., Running]) -> None:
    with running(HealthApp()) as server:
        assert httpx.get(f"{server.url}/").json()["status"] == "ok"
        assert httpx.get(f"{server.url}/?tenants=all").status_code == 403


def test_the_door_needs_no_fastapi() -> None:
    script = (
        "import sys\n"
        "sys.modules['fastapi'] = sys.modules['starlette'] = None\n"
        "import dbwarden.asgi\n"
        "try:\n"
        "    from dbwarden.fastapi import get_session, DBWardenHealthRouter\n"
        "except ModuleNotFoundError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == (
        "dbwarden.fastapi.DBWardenHealthRouter needs FastAPI: pip install 'dbwarden[fastapi]'. "
        "For other frameworks, see dbwarden.asgi.\n"
    ), done.stderr


@pytest.mark.parametrize("name", ["starlette", "litestar"])
def test_the_applications_of_the_guide_run(
    three: Site, running: Callable[..., Running], name: str
) -> None:
    page = (Path(__file__).parents[3] / "docs" / "asgi.md").read_text(encoding="utf-8")
    (code,) = re.findall(rf'^```python title="{name}"\n(.*?)^```', page, re.DOTALL | re.MULTILINE)
    module = ModuleType(f"guide_of_{name}")
    sys.modules[module.__name__] = module  # Litestar reads the annotations of its handlers
    exec(compile(code, f"{name}.py", "exec"), module.__dict__)
    with running(module.__dict__["app"]) as server:
        assert httpx.get(f"{server.url}/one").json() == 1
        assert httpx.get(f"{server.url}/health/liveness").json() == {"status": "ok"}
