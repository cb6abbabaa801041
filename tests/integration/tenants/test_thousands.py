"""Thousands of tenants: the manifest lists all, and the output stays short."""

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from dbwarden.cli.progress import MOST_EVENTS, Summary
from dbwarden.telemetry import Event
from tests.commands import Ran, migration
from tests.commands import dbwarden as command

TENANTS = 2000
NAMES = [f"tenant_n{number:04d}" for number in range(TENANTS)]
BROKEN = "n0700"
PROJECT = f"""
from dbwarden import tenant_databases

tenant_databases(
    name="tenant_{{tenant_id}}",
    database_url="sqlite:///data/{{tenant_id}}.db",
    # Not in the order of their names: what is configured counts.
    tenants=[f"n{{number:04d}}" for number in reversed(range({TENANTS}))],
)
"""


@pytest.fixture
def root() -> Generator[Path]:
    """A project whose tenants have a file each, in memory where there is room."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 2**30
    with tempfile.TemporaryDirectory(dir=memory if roomy else None) as folder:
        path = Path(folder)
        (path / "data").mkdir()
        (path / "dbwarden.py").write_text(PROJECT)
        migration(path, "tenant", "0001_users", "CREATE TABLE users (id int);")
        yield path


async def migrate(root: Path) -> tuple[Ran, dict[str, Any]]:
    """Run it with a manifest."""
    ran = await command(root, "migrate", "--all", "--report", "manifest.json")
    return ran, json.loads(await anyio.Path(root / "manifest.json").read_text())


def execute(root: Path, sql: str) -> list[Any]:
    connection = sqlite3.connect(root / "data" / f"{BROKEN}.db")
    try:
        with connection:
            return connection.execute(sql).fetchall()
    finally:
        connection.close()


@pytest.mark.long
async def test_the_manifest_lists_two_thousand_tenants_and_a_second_run_finishes(
    root: Path,
) -> None:
    await anyio.to_thread.run_sync(execute, root, "CREATE TABLE users (name text)")

    ran, manifest = await migrate(root)
    assert ran.code == 1
    assert (manifest["command"], manifest["exit_code"]) == ("migrate", 1)
    assert manifest["summary"] == {"failed": 1, "succeeded": TENANTS - 1}
    assert [item["database"] for item in manifest["databases"]] == NAMES[::-1]
    assert all(item["duration_ms"] > 0 for item in manifest["databases"])
    (failed,) = [item for item in manifest["databases"] if item["state"] != "succeeded"]
    assert (failed["database"], failed["result"]) == (f"tenant_{BROKEN}", None)
    assert failed["error"]["message"] == "table users already exists"
    assert (failed["error"]["line"], failed["error"]["column"]) == (2, 1)
    versions = {item["result"]["version"] for item in manifest["databases"] if item["result"]}
    assert versions == {"0001"}

    lines = ran.err.splitlines()
    counted = [line for line in lines if line.endswith("databases done, 1 failed")]
    assert counted[-1].startswith(f"{TENANTS}/{TENANTS} ")
    assert len(lines) <= 20
    assert lines[-1] == f"  dbwarden migrate -d tenant_{BROKEN}"

    await anyio.to_thread.run_sync(execute, root, "DROP TABLE users")
    ran, manifest = await migrate(root)
    assert ran.code == 0, ran.err
    assert manifest["summary"] == {"succeeded": TENANTS}
    did = [item["database"] for item in manifest["databases"] if item["result"]["applied"]]
    assert did == [f"tenant_{BROKEN}"]
    assert execute(root, "SELECT count(*) FROM users") == [(0,)]


def event(name: str, **fields: Any) -> Event:
    return Event(name=name, level="info", fields=fields)


def test_a_database_of_several_stages_counts_once_and_one_not_started_has_not_ended() -> None:
    many = Summary(total=20)
    ended = [event("outcome", state="succeeded", last=True)]
    assert [many.line(each) for each in ended] == [None]
    assert many.line(event("outcome", state="succeeded", last=False)) is None
    assert many.line(event("outcome", state="not_started", last=True)) is None
    assert many.line(event("migration_applied", version="0001")) is None
    line = many.line(event("outcome", state="timed_out", last=True))
    assert line == "2/20 databases done, 1 failed"


def test_equal_messages_of_many_tenants_are_shown_once() -> None:
    many = Summary(total=100)

    def notice(database: str, message: str) -> str | None:
        return many.line(event("notice", database=database, message=message))

    assert notice("a", "skipped") == "a: server notice: skipped"
    assert notice("b", "skipped") is None
    told = [notice("c", f"number {number}") for number in range(100)]
    shown = [line for line in told if line is not None]
    assert len(shown) == MOST_EVENTS
    assert shown[-1] == "Further events are not shown. Pass --log-level info to log them."
