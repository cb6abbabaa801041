"""The example application: its own tests, and a run under uvicorn."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer

EXAMPLE = Path(__file__).parents[3] / "examples" / "fastapi_app"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the example, as a newcomer has it."""
    skipped = shutil.ignore_patterns("__pycache__", "*.db")
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'copy'\n")
    return Path(shutil.copytree(EXAMPLE, tmp_path / "fastapi_app", ignore=skipped))


@pytest.fixture(params=["sqlite", "postgresql"])
def environment(
    request: pytest.FixtureRequest, postgres_server: EmbeddedServer
) -> Generator[dict[str, str]]:
    if request.param == "sqlite":
        yield dict(os.environ)
        return
    names = ("app", "analytics", "logs", "tenant_acme", "tenant_globex")
    for name in names:
        anyio.run(postgres_server.create_database, name)
    yield {**os.environ, "APP_DATABASES": postgres_server.url("").rstrip("/")}
    for name in names:
        anyio.run(postgres_server.drop_database, name)


def run(words: str, project: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, *words.split()],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_examples_own_tests_pass(project: Path) -> None:
    run("-m pytest -q -p no:cacheprovider tests", project, dict(os.environ))


def test_the_example_runs_under_uvicorn_from_its_root(
    project: Path, environment: dict[str, str]
) -> None:
    run("-m dbwarden migrate --all", project, environment)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "app.main:app", "--port", str(port)]
    process = subprocess.Popen([*command, "--log-level", "warning"], cwd=project, env=environment)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            use(client, process)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in (0, -signal.SIGTERM)


def use(client: httpx.Client, process: "subprocess.Popen[bytes]") -> None:
    health: Any = None
    while health is None and process.poll() is None:
        try:
            health = client.get("/health/").json()
        except httpx.TransportError:
            time.sleep(0.05)
    assert health is not None, "uvicorn ended"
    assert health["status"] == "ok", health
    user = {"id": 1, "email": "ada@example.com"}
    assert client.post("/users", json=user).json() == user
    assert client.get("/users").json() == [user]
    dashboard = client.get("/dashboard").json()
    assert {name: len(rows) for name, rows in dashboard.items()} == {
        "users": 1,
        "events": 1,
        "logs": 1,
    }
    assert client.get("/enriched-events").json()[0]["user"] == user
    assert client.get("/health/analytics").json()["status"] == "ok"
    note: dict[str, int | str] = {"id": 1, "body": "ours"}
    assert client.post("/tenants/acme/notes", params=note).json() == note
    assert client.get("/data", params={"tenant_id": "acme"}).json() == [note]
    assert client.get("/tenants/globex/notes").json() == []
    assert client.get("/dbwarden").status_code == 200
