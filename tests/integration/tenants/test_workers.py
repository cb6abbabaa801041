"""A fleet run on worker processes comes to the same as a run in one process."""

import os
import signal
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import asyncpg

from dbwarden import fleet, telemetry
from dbwarden.config.loading import load_project
from dbwarden.config.project import Project
from dbwarden.fleet import Outcome, OutcomeState, migrate_all
from dbwarden.fleet.documents import plain
from dbwarden.fleet.workers.protocol import Workers
from dbwarden.operations.history import history
from dbwarden.operations.migrate import MigrateResult
from tests.commands import dbwarden as command
from tests.commands import migration

TENANTS = [f"t{number:02}" for number in range(12)]
BROKEN = "t05"
WORKERS = Workers(address="2", lot_size=3)

CONFIG = """
import os
from dbwarden import database_config, tenant_databases

print("the project is loaded")
database_config(database_name="primary", database_url="sqlite:///data/primary.db", default=True)
tenant_databases(
    name="tenant_{tenant_id}",
    database_url="sqlite:///data/{tenant_id}.db",
    tenants=[f"t{number:02}" for number in range(12)],
)
"""


def _make_project(root: Path) -> Project:
    (root / "data").mkdir(parents=True)
    (root / "dbwarden.py").write_text(CONFIG)
    migration(root, "primary", "0001_tenants", "CREATE TABLE tenants (id TEXT);")
    migration(root, "tenant", "0001_users", "CREATE TABLE users (id INTEGER PRIMARY KEY);")
    orders = migration(root, "tenant", "0002_orders", "CREATE TABLE orders (id INTEGER);")
    orders.write_text(f"-- requires: primary@0001\n\n{orders.read_text()}")
    with sqlite3.connect(root / "data" / f"{BROKEN}.db") as connection:
        connection.execute("CREATE TABLE orders (id INTEGER)")
    return load_project(root / "dbwarden.py")


async def make_project(root: Path) -> Project:
    return await anyio.to_thread.run_sync(_make_project, root)


def described(outcomes: Sequence[Outcome[Any]], root: Path) -> Any:
    """Return the outcomes as JSON types, without what differs from run to run."""
    return _without_times(
        [
            (each.database, each.state, plain(each.result), str(each.error).replace(str(root), ""))
            for each in outcomes
        ]
    )


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        varying = ("duration_ms", "pid", "started_at", "finished_at")
        return {key: _without_times(item) for key, item in value.items() if key not in varying}
    return [*map(_without_times, value)] if isinstance(value, list | tuple) else value


async def test_the_outcomes_and_histories_are_those_of_a_run_in_one_process(
    tmp_path: Path,
) -> None:
    one, spread = await make_project(tmp_path / "one"), await make_project(tmp_path / "spread")

    alone = await migrate_all(one.databases)
    together = await migrate_all(spread.databases, workers=WORKERS)

    assert described(together, spread.root) == described(alone, one.root)
    assert [o.database for o in together if not o.succeeded] == [f"tenant_{BROKEN}"]
    assert [type(o.result) for o in together if o.succeeded] == [MigrateResult] * len(TENANTS)
    histories = [
        described(await fleet.run(history, project.databases, workers=workers), project.root)
        for project, workers in ((one, None), (spread, WORKERS))
    ]
    assert histories[0] == histories[1]


async def test_the_lots_of_a_killed_worker_are_taken_over(tmp_path: Path) -> None:
    project = await make_project(tmp_path / "project")
    killed: list[int] = []
    lost: list[str] = []

    def kill_once(event: telemetry.Event) -> None:
        if event.name == "worker_lost":
            lost.append(event.fields["error"])
        if event.name == "migration_applied" and not killed:
            killed.append(int(event.fields["worker"].rpartition(":")[2]))
            os.kill(killed[0], signal.SIGKILL)

    names = [config for config in project.databases if config.database_name != f"tenant_{BROKEN}"]
    with telemetry.listening(kill_once):
        outcomes = await migrate_all(names, workers=WORKERS)

    assert lost == [f"the worker process {killed[0]} was killed by signal 9"]
    assert {each.state for each in outcomes} == {OutcomeState.SUCCEEDED}
    rows = await fleet.run(history, names)
    assert [len(each.result.rows) for each in rows if each.result] == [1, *[2] * (len(names) - 1)]


async def test_a_stop_ends_the_work_on_the_servers(postgres_url: str, tmp_path: Path) -> None:
    (tmp_path / "dbwarden.py").write_text(
        "from dbwarden import database_config\n"
        f"database_config(database_name='primary', database_url={postgres_url!r}, default=True)\n"
    )
    migration(tmp_path, "primary", "0001_slow", "SELECT pg_sleep(600);")
    stop = anyio.Event()

    async def stop_when_it_sleeps() -> None:
        connection = await asyncpg.connect(postgres_url)
        while not await connection.fetchval(SLEEPING):  # noqa: ASYNC110  # a server has no event
            await anyio.sleep(0.05)
        stop.set()
        await connection.close()

    project = await anyio.to_thread.run_sync(load_project, tmp_path / "dbwarden.py")
    async with anyio.create_task_group() as group:
        group.start_soon(stop_when_it_sleeps)
        (outcome,) = await migrate_all(project.databases, workers=1, stop=stop)

    assert (outcome.state, outcome.error and outcome.error.message) == (
        OutcomeState.INTERRUPTED,
        "interrupted: the run was stopped",
    )
    connection = await asyncpg.connect(postgres_url)
    assert not await connection.fetchval(SLEEPING)
    assert await connection.fetchval("SELECT count(*) FROM pg_locks WHERE locktype='advisory'") == 0
    await connection.close()


SLEEPING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%pg_sleep(600)%'
    AND state = 'active'
"""


async def test_the_command_prints_and_exits_as_in_one_process(tmp_path: Path) -> None:
    await make_project(tmp_path / "project")
    await command(tmp_path / "project", "migrate", "--all")

    alone = await command(tmp_path / "project", "status", "--all", "--json")
    spread = await command(
        tmp_path / "project", "status", "--all", "--json", "--workers", "2", "--log-format", "json"
    )

    assert spread.code == alone.code == 0
    assert _without_times(spread.json) == _without_times(alone.json)
    logged = [line for line in spread.err.splitlines() if line.startswith("{")]
    assert len({line.partition('"run": "')[2][:8] for line in logged}) == 1
    assert len({line.partition('"worker": "')[2].partition('"')[0] for line in logged}) == 2


async def test_a_project_that_a_worker_cannot_load_is_one_sentence(tmp_path: Path) -> None:
    project = await make_project(tmp_path / "project")
    (tmp_path / "project" / "dbwarden.py").write_text("raise ValueError('no')")

    outcomes = await fleet.run(history, project.databases, workers=WORKERS)

    assert {each.state for each in outcomes} == {OutcomeState.NOT_STARTED}
    assert "the configuration file fails: ValueError: no" in str(outcomes[0].error)
