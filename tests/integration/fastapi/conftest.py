"""Real projects in their own folder, served by a real uvicorn on loopback."""

import asyncio
import socket
import sys
import textwrap
import threading
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import anyio
import httpx
import pytest
import uvicorn

from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from dbwarden.fastapi import sessions
from tests.loading import reload_project

CREATE_USERS = "CREATE TABLE users (id integer PRIMARY KEY, name text NOT NULL);"


@dataclass
class Site:
    """A project folder: its dbwarden.py and its migrations."""

    root: Path
    lines: list[str] = field(default_factory=lambda: ["from dbwarden import database_config"])
    url: str = ""
    """The database on a server, where the project has one."""

    def add(self, name: str, url: str, *, expression: str | None = None, **options: Any) -> None:
        """Configure one more database; *expression* is the URL as Python code."""
        kind = "sqlite" if url.startswith("sqlite") else "postgresql"
        options = {"connect_timeout": 2.0, **options}
        given = "".join(f", {key}={value!r}" for key, value in options.items())
        self.lines.append(
            f"database_config(database_name={name!r}, database_type={kind!r}, "
            f"database_url={expression or repr(url)}{given})"
        )
        self.write()

    def write(self) -> None:
        path = self.root / "dbwarden.py"
        path.write_text("\n".join(self.lines) + "\n")
        reload_project(path)

    def migration(self, name: str, version: str, upgrade: str, rollback: str = "") -> Path:
        folder = self.root / "migrations" / name
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}__{version}_step.sql"
        path.write_text(f"-- upgrade\n{upgrade}\n\n-- rollback\n{rollback or '-- nothing'}\n")
        return path

    def users(self, *names: str) -> None:
        """Give each of these databases a table of users as its first migration."""
        for name in names:
            self.migration(name, "0001", CREATE_USERS, "DROP TABLE users;")

    def migrate(self, *names: str) -> None:
        """Apply what is pending, as the command line does."""
        import dbwarden

        async def run() -> None:
            for name in names:
                await dbwarden.migrate(name)

        anyio.run(run)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """An empty project, which is the working folder."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sessions, "_sources", WeakValueDictionary())
    monkeypatch.chdir(tmp_path)
    return Site(root=tmp_path)


@pytest.fixture
def three(site: Site) -> Site:
    """The three databases of the specification, on SQLite, migrated."""
    for name in ("primary", "analytics", "logging"):
        site.add(name, f"sqlite:///{name}.db", default=name == "primary")
    site.users("primary", "analytics", "logging")
    site.migrate("primary", "analytics", "logging")
    return site


class Running:
    """An application under uvicorn, in a thread with an event loop of its own."""

    def __init__(self, app: Any, **options: Any) -> None:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        settings = {"log_level": "critical", "lifespan": "on", "timeout_graceful_shutdown": 5}
        self.server = uvicorn.Server(uvicorn.Config(app, **{**settings, **options}))
        self.loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        async def serve() -> None:
            self.loop = asyncio.get_running_loop()
            await self.server.serve(sockets=[self._socket])

        asyncio.run(serve())

    def __enter__(self) -> "Running":
        self._thread.start()
        while not self.server.started and self._thread.is_alive():
            self._thread.join(0.01)
        if not self.server.started:
            self.stop()
            raise RuntimeError("the application did not start")
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        self.server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive(), "uvicorn does not end"
        self._socket.close()

    def run(self, function: Callable[[], Any]) -> Any:
        """Run the coroutine function in the server's event loop."""
        assert self.loop is not None
        return asyncio.run_coroutine_threadsafe(function(), self.loop).result(20)


Serve = Callable[..., AbstractContextManager[httpx.Client]]


@pytest.fixture
def running() -> Callable[..., Running]:
    """``with running(app) as server``: the application under uvicorn."""
    return Running


@pytest.fixture
def serve() -> Serve:
    """``with serve(app) as client``: the application under uvicorn, and a client of it."""

    @contextmanager
    def serving(app: Any, **options: Any) -> Iterator[httpx.Client]:
        # A connection for each request: after a route that raised, uvicorn answers 500 and then
        # closes the connection, at the very moment at which the next request would go out on it.
        fresh = httpx.Limits(max_keepalive_connections=0)
        with (
            Running(app, **options) as server,
            httpx.Client(base_url=server.url, timeout=30, limits=fresh) as client,
        ):
            yield client

    return serving


@pytest.fixture
def databases(postgres_server: EmbeddedServer) -> Generator[Callable[[int], Sequence[str]]]:
    """Makes fresh databases on the embedded PostgreSQL; returns their URLs."""
    made: list[str] = []

    def make(count: int) -> Sequence[str]:
        names = [f"api_{uuid.uuid4().hex[:12]}" for _ in range(count)]
        made.extend(names)
        return [anyio.run(postgres_server.create_database, name) for name in names]

    yield make
    for name in made:
        anyio.run(postgres_server.drop_database, name)


@pytest.fixture
def ask(postgres_server: EmbeddedServer) -> Callable[..., list[Any]]:
    """Asks the embedded PostgreSQL, past everything that is tested."""
    import asyncpg

    def asking(sql: str, *parameters: Any, url: str | None = None) -> list[Any]:
        async def run() -> list[Any]:
            connection = await asyncpg.connect(url or postgres_server.url())
            try:
                return list(await connection.fetch(sql, *parameters))
            finally:
                await connection.close()

        return anyio.run(run)

    return asking


def dedent(text: str) -> str:
    return textwrap.dedent(text).strip() + "\n"
