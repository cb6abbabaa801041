"""Ctrl-C, SIGTERM and fail-fast: what runs is stopped on the server before the command returns."""

import json
import signal
import subprocess
from typing import Any

import anyio
import anyio.to_thread
import pytest

from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from tests.cancellation.conftest import LOCKS, MIGRATORS, OTHERS, MakeProject, ask

SLOW = "-- upgrade\nCREATE TABLE slow (id int);\nSELECT pg_sleep(60);\n"
QUICK = "-- upgrade\nCREATE TABLE quick (id int);\n"


async def until_asleep(url: str) -> None:
    """Wait until another process's statement sleeps on the server."""
    with anyio.fail_after(30):
        while not any(row[0] == "PgSleep" for row in await ask(url, OTHERS)):  # noqa: ASYNC110
            await anyio.sleep(0.02)  # another process has to begin: nobody can tell us


async def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = await anyio.to_thread.run_sync(lambda: process.communicate(timeout=30))
    return process.returncode, out, err


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "sigterm"]
)
async def test_a_signal_rolls_back_on_the_server_and_reports_the_remaining_migrations(
    postgres_url: str, make_project: MakeProject, number: int, code: int
) -> None:
    project = make_project(postgres_url)
    project.migration("db0", "0001_quick", QUICK)
    project.migration("db0", "0002_slow", SLOW)
    process = project.start("migrate", "--json")
    await until_asleep(postgres_url)

    process.send_signal(number)
    returned, out, err = await ended(process)

    assert returned == code
    assert json.loads(out)["databases"][0]["state"] == "interrupted"
    assert json.loads(out)["exit_code"] == code
    assert "Traceback" not in err
    assert await ask(postgres_url, OTHERS) == []
    assert await ask(postgres_url, LOCKS) == []
    assert await ask(postgres_url, "SELECT to_regclass('slow')::text") == [(None,)]
    rows = await ask(postgres_url, "SELECT key, state FROM dbwarden_ledger")
    assert rows == [("0001", "applied")]


async def two(server: EmbeddedServer, request: Any) -> tuple[str, str]:
    names = [f"pair_{abs(hash(request.node.nodeid)) % 10**8}_{i}" for i in range(2)]
    first, second = [await server.create_database(name) for name in names]
    return first, second


async def test_fail_fast_stops_the_others_on_their_servers(
    postgres_server: EmbeddedServer, make_project: MakeProject, request: Any
) -> None:
    slow, failing = await two(postgres_server, request)
    project = make_project(slow, failing)
    project.migration("db0", "0001_slow", SLOW)
    project.migration("db1", "0001_fails", "-- upgrade\nSELECT pg_sleep(1);\nSELECT 1 / 0;\n")
    process = project.start("migrate", "--all", "--fail-fast", "--json")

    returned, out, _ = await ended(process)

    assert returned == 1
    states = {item["database"]: item["state"] for item in json.loads(out)["databases"]}
    assert states == {"db0": "interrupted", "db1": "failed"}
    for url in (slow, failing):
        assert await ask(url, OTHERS) == []
        assert await ask(url, LOCKS) == []
    assert await ask(slow, "SELECT to_regclass('slow')::text") == [(None,)]


async def test_a_concurrent_index_is_left_to_finish_by_fail_fast(
    postgres_server: EmbeddedServer, make_project: MakeProject, request: Any
) -> None:
    building, failing = await two(postgres_server, request)
    project = make_project(building, failing)
    project.migration(
        "db0",
        "0001_index",
        "-- upgrade\nCREATE TABLE t AS SELECT i FROM generate_series(1, 300000) i;\n"
        "CREATE INDEX CONCURRENTLY t_i ON t (i);\n",
    )
    project.migration("db1", "0001_fails", "-- upgrade\nSELECT 1 / 0;\n")
    process = project.start("migrate", "--all", "--fail-fast", "--json")

    returned, _, _ = await ended(process)
    assert returned == 1
    again = project.start("migrate", "-d", "db0", "--json")
    assert (await ended(again))[0] == 0
    valid = await ask(
        building, "SELECT indisvalid FROM pg_index WHERE indexrelid = 't_i'::regclass"
    )
    assert valid == [(True,)]
    assert await ask(building, MIGRATORS) == []


async def test_the_time_limit_of_one_database_does_not_affect_another(
    postgres_server: EmbeddedServer, make_project: MakeProject, request: Any
) -> None:
    slow, quick = await two(postgres_server, request)
    project = make_project(slow, quick)
    project.migration("db0", "0001_slow", SLOW)
    project.migration("db1", "0001_quick", QUICK)
    configuration = project.root / "dbwarden.py"
    limited = "database_url=url, timeout=3 if number == 0 else 600"
    configuration.write_text(configuration.read_text().replace("database_url=url", limited))

    returned, out, _ = await ended(project.start("migrate", "--all", "--json"))

    assert returned == 1
    states = {item["database"]: item["state"] for item in json.loads(out)["databases"]}
    assert states == {"db0": "timed_out", "db1": "succeeded"}
    assert await ask(slow, OTHERS) == []
    assert await ask(slow, LOCKS) == []
    _, out, _ = await ended(project.start("migrate", "--all", "--timeout", "0.1", "--json"))
    assert json.loads(out)["databases"][0]["state"] == "timed_out"
    assert " 0.1 s" in json.loads(out)["databases"][0]["error"]["message"]
