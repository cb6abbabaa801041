"""A fleet run on worker processes comes to the same as a run in one process."""

import os
import signal
from pathlib import Path

import anyio
import anyio.to_thread
import asyncpg

from dbwarden import fleet, telemetry
from dbwarden.config.loading import load_project
from dbwarden.fleet import OutcomeState, migrate_all
from dbwarden.fleet.workers.protocol import Workers
from dbwarden.operations.history import history
from dbwarden.operations.migrate import MigrateResult
from dbwarden.operations.status import status
from tests.commands import dbwarden as command
from tests.commands import migration
from tests.integration.workers.projects import (
    BROKEN,
    TENANTS,
    described,
    make_project,
    without_times,
)

WORKERS = Workers(address="2", lot_size=3)


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
    developing = [config.for_dev() for config in spread.single]
    (looked,) = await fleet.run(status, developing, workers=1)
    assert looked.result is not None and looked.result.pending == ("0001",)


async def test_the_lots_of_a_killed_worker_are_taken_over(tmp_path: Path) -> None:
    project = await make_project(tmp_path / "project")
    killed: list[int] = []
    lost: set[str] = set()

    def kill_once(event: telemetry.Event) -> None:
        if event.name == "worker_lost":
            lost.add(event.fields["error"])  # for each of its lots
        if event.name == "migration_applied" and not killed:
            killed.append(int(event.fields["worker"].rpartition(":")[2]))
            os.kill(killed[0], signal.SIGKILL)

    names = [config for config in project.databases if config.database_name != f"tenant_{BROKEN}"]
    with telemetry.listening(kill_once):
        outcomes = await migrate_all(names, workers=WORKERS)

    assert lost == {f"the worker process {killed[0]} was killed by signal 9"}
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
    assert without_times(spread.json) == without_times(alone.json)
    logged = [line for line in spread.err.splitlines() if line.startswith("{")]
    assert len({line.partition('"run": "')[2][:8] for line in logged}) == 1
    assert len({line.partition('"worker": "')[2].partition('"')[0] for line in logged}) == 2


async def test_a_project_that_a_worker_cannot_load_is_one_sentence(tmp_path: Path) -> None:
    project = await make_project(tmp_path / "project")
    (tmp_path / "project" / "dbwarden.py").write_text("raise ValueError('no')")

    outcomes = await fleet.run(history, project.databases, workers=WORKERS)

    assert {each.state for each in outcomes} == {OutcomeState.NOT_STARTED}
    assert "the configuration file fails: ValueError: no" in str(outcomes[0].error)
