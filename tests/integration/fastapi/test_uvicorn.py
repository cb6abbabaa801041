"""Deployed applications: uvicorn with workers and --reload, clients that disconnect."""

import re
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from dbwarden.fastapi import DBWardenHealthRouter, get_session, migration_context
from dbwarden.fastapi.state import serving
from tests.integration.fastapi.conftest import Running, Site

Ask = Callable[..., list[Any]]

APP = """
import os
from contextlib import asynccontextmanager
from typing import Annotated
from fastapi import Depends, FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from dbwarden.fastapi import DBWardenHealthRouter, get_session, migration_context

@asynccontextmanager
async def lifespan(app):
    async with migration_context(mode="migrate", all_databases=True, warm=2):
        yield

app = FastAPI(lifespan=lifespan)
app.include_router(DBWardenHealthRouter(), prefix="/health")

@app.get("/who")
async def who(session: Annotated[AsyncSession, Depends(get_session())]):
    backend = (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one()
    return {"word": "first", "worker": os.getpid(), "backend": backend}
"""


@pytest.fixture
def project(site: Site, databases: Callable[[int], list[str]]) -> Site:
    """An application on a PostgreSQL database that is still to be migrated."""
    (site.url,) = databases(1)
    site.add("primary", site.url, default=True, migration_lock_timeout=60.0)
    site.migration("primary", "0001", "CREATE TABLE users (id int); SELECT pg_sleep(0.3);")
    (site.root / "site_main.py").write_text(APP)
    return site


def connected(ask: Ask, url: str) -> set[int]:
    """The server's processes that work for this database."""
    rows = ask("SELECT pid FROM pg_stat_activity WHERE datname = $1", url.rpartition("/")[2])
    return {row["pid"] for row in rows}


@contextmanager
def uvicorn(root: Path, *options: str, log: list[str] | None = None) -> Iterator[str]:
    """uvicorn in a process of its own; yields its address, and asks it to end at the end.

    What it wrote to stderr after its start is appended to *log*.
    """
    command = [sys.executable, "-m", "uvicorn", "site_main:app", "--port", "0", *options]
    process = subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        yield next(
            found[1]
            for line in process.stderr
            if (found := re.search(r"running on (http://[\d.]+:\d+)", line))
        )
    finally:
        process.terminate()
        _, said = process.communicate(timeout=30)
        if log is not None:
            log.append(said)


def who(address: str) -> dict[str, Any] | None:
    """Ask on a connection of its own; ``None`` while nobody serves."""
    try:
        answer = httpx.get(f"{address}/who", timeout=20)
    except httpx.TransportError:
        time.sleep(0.02)
        return None
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.long
def test_four_workers_migrate_once_serve_and_release_everything(project: Site, ask: Ask) -> None:
    with uvicorn(project.root, "--workers", "4") as address:
        workers: set[int] = set()
        for _ in range(2000):
            found = who(address)
            workers |= {found["worker"]} if found else set()
            if len(workers) == 4:
                break
        assert len(workers) == 4
        assert httpx.get(f"{address}/health", timeout=20).json()["status"] == "ok"
        assert len(connected(ask, project.url)) >= 4
    assert connected(ask, project.url) == set()
    rows = ask("SELECT key, state FROM dbwarden_ledger", url=project.url)
    assert [tuple(row) for row in rows] == [("0001", "applied")]


def test_a_changed_file_reloads_and_the_old_connections_are_given_back(
    project: Site, ask: Ask
) -> None:
    with uvicorn(project.root, "--reload") as address:
        before = None
        while before is None:
            before = who(address)
        old = connected(ask, project.url)
        assert before["word"] == "first" and before["backend"] in old
        project.migration("primary", "0002", "CREATE TABLE extra (id int);")
        (project.root / "site_main.py").write_text(APP.replace('"first"', '"second"'))
        for _ in range(1000):
            after = who(address)
            if after is not None and after["word"] == "second":
                break
        assert after is not None and after["word"] == "second"
        assert not old & connected(ask, project.url)
    assert connected(ask, project.url) == set()
    assert len(ask("SELECT key FROM dbwarden_ledger", url=project.url)) == 2


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    async with migration_context(mode="migrate", warm=2):
        yield


Session = Annotated[AsyncSession, Depends(get_session())]


def leaving_app(sql: str) -> FastAPI:
    """A response that takes for ever, whose client may leave; nothing it wrote is committed."""
    app = FastAPI(lifespan=lifespan)
    app.include_router(DBWardenHealthRouter(), prefix="/health")

    @app.get("/stream")
    async def stream(session: Session) -> StreamingResponse:
        async def lines() -> AsyncGenerator[bytes]:
            await session.execute(text("INSERT INTO users VALUES (1)"))
            yield b"one\n"
            await session.execute(text(sql))
            yield b"never\n"

        return StreamingResponse(lines())

    @app.get("/count")
    async def count(session: Session) -> int:
        return int((await session.execute(text("SELECT count(*) FROM users"))).scalar_one())

    return app


def test_a_client_that_leaves_ends_its_statement_and_gives_the_connection_back(
    project: Site, running: Callable[..., Running], ask: Ask
) -> None:
    sleeping = "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND query LIKE '%pg_sleep(60)%'"
    name = project.url.rpartition("/")[2]
    with running(leaving_app("SELECT pg_sleep(60)")) as server:
        with (
            httpx.Client(base_url=server.url, timeout=20) as client,
            client.stream("GET", "/stream") as answer,
        ):
            lines = answer.iter_lines()  # held: without its iterator the client leaves at once
            assert next(lines) == "one"
            while not ask(sleeping, name):
                pass
        while True:
            (served,) = server.run(serving).engines.open.values()
            if served.users == 0:
                break
        assert served.pool.in_use == 0
        while ask(sleeping, name):  # it has been told to end, long before its minute is over
            pass
        with httpx.Client(base_url=server.url, timeout=20) as client:
            assert client.get("/count").json() == 0
            assert client.get("/health").json()["status"] == "ok"


@pytest.mark.parametrize("mode", ["check", "migrate"])
@pytest.mark.parametrize("server", [["-m", "uvicorn", "site_main:app"], ["-m", "fastapi", "run"]])
def test_a_failed_start_is_reported_once_with_the_failure_first(
    site: Site, server: list[str], mode: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"postgresql://127.0.0.1:{silent.getsockname()[1]}/x?sslmode=disable"
        site.add("stalled", address, connect_timeout=60.0, default=True)
        site.add("broken", "postgresql://127.0.0.1:1/x")
        site.migration("broken", "0001", "CREATE TABLE users (id int);")
        (site.root / "site_main.py").write_text(APP.replace('"migrate"', repr(mode)))
        entry = ["site_main.py"] if "fastapi" in server else []
        command = [sys.executable, *server, *entry, "--port", "0"]
        done = subprocess.run(command, cwd=site.root, capture_output=True, text=True, timeout=120)
    said = done.stdout + done.stderr
    assert done.returncode == 3
    assert said.count("nothing listens on 127.0.0.1:1") == 1, said
    assert said.count("Traceback") == 1 and "\\n" not in said
    reported = re.findall(r"^  - (\w+): ", said, re.MULTILINE)
    assert reported == ["broken", "stalled"]


DOWN = """
from typing import Annotated
from fastapi import Depends, FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from dbwarden.fastapi import get_session, install_error_handlers

app = FastAPI()
install_error_handlers(app, retry_after=7)

@app.get("/users")
async def users(session: Annotated[AsyncSession, Depends(get_session())]):
    return (await session.execute(text("SELECT 1"))).scalar_one()
"""


def test_a_database_that_is_down_is_503_and_one_line_in_the_log(site: Site) -> None:
    site.add("primary", "postgresql://ada:hunter2@127.0.0.1:1/x", default=True)
    (site.root / "site_main.py").write_text(DOWN)
    log: list[str] = []
    with uvicorn(site.root, "--no-access-log", log=log) as address:
        answer = httpx.get(f"{address}/users", timeout=20)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
        assert answer.json() == {"detail": "The database is not available: cannot connect."}
    (line,) = [line for line in "".join(log).splitlines() if not line.startswith("INFO:")]
    assert line == (
        "request_failed method=GET path=/users database=primary "
        "error='nothing listens on 127.0.0.1:1'"
    )


FAILS = APP.replace("        yield", "        raise RuntimeError('no cache')\n        yield")


def test_an_application_that_fails_later_closes_its_databases(project: Site, ask: Ask) -> None:
    (project.root / "site_main.py").write_text(FAILS)
    command = [sys.executable, "-m", "uvicorn", "site_main:app", "--port", "0"]
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3
    assert "RuntimeError: no cache" in done.stderr
    assert connected(ask, project.url) == set()
    assert len(ask("SELECT key FROM dbwarden_ledger", url=project.url)) == 1
