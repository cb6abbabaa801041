"""The servers of the acceptance tests, and a project folder."""

import sys
from collections.abc import Generator
from pathlib import Path

import anyio
import pytest

from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from dbwarden.dialects.postgresql.sql.quoting import literal
from tests.acceptance.canary import CANARY
from tests.acceptance.judging import pg_dump


@pytest.fixture(scope="session")
def cases_url(postgres_server: EmbeddedServer) -> str:
    """Where databases can be made: each case makes its own."""
    pg_dump()
    return postgres_server.url()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def strict(cache_of_the_session: None) -> Generator[EmbeddedServer]:
    """A server that asks for passwords; that of bea is the canary."""
    server = EmbeddedServer(tcp=True)
    server.start()
    try:
        (server.data / "pg_hba.conf").write_text(
            "local all all trust\nhost all postgres all trust\nhost all all all md5\n"
        )
        anyio.run(server.execute, "CREATE ROLE ann LOGIN PASSWORD 'another'")
        bea = f"CREATE ROLE bea LOGIN CREATEDB PASSWORD {literal(CANARY)}"
        anyio.run(server.execute, bea)
        anyio.run(server.execute, "SELECT pg_reload_conf()")
        yield server
    finally:
        server.stop()
