"""Workers that are killed, that come late and that must stop, on both engines."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import asyncpg
import pytest

from dbwarden import fleet, telemetry
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from dbwarden.fleet import Limits, OutcomeState, migrate_all
from dbwarden.fleet.workers.protocol import Workers
from dbwarden.operations.status import status
from tests.integration.workers.dask_cluster import DaskProcesses, dask_processes
from tests.integration.workers.projects import BROKEN, described, make_project
from tests.integration.workers.servers import WORKING, Tenants, make_tenants

pytestmark = pytest.mark.long

ENGINES = ["2", "4", "dask:2", "dask:4"]
BOTH = ["2", "dask:2"]
KILLS = 20

TABLE = "CREATE TABLE users (id int PRIMARY KEY, email text);"
ROWS = "INSERT INTO users SELECT n, 'user' || n FROM generate_series(1, 5000) n;"
INDEX = "CREATE INDEX CONCURRENTLY users_email ON users (email);"
INDEXES = "SELECT count(*), bool_and(indisvalid) FROM pg_index WHERE indrelid = 'users'::regclass"
SLEEP = "SELECT pg_sleep(600);"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[EmbeddedServer]:
    server = EmbeddedServer(tcp=True)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@asynccontextmanager
async def engine(
    name: str, folder: Path, *, nanny: bool = False
) -> AsyncGenerator[tuple[str, DaskProcesses | None]]:
    """Yield the address of a number of workers, and the processes of Dask."""
    kind, _, count = name.rpartition(":")
    if not kind:
        yield count, None
        return
    await anyio.Path(folder).mkdir(parents=True, exist_ok=True)
    with dask_processes(folder, int(count), nanny=nanny) as dask:
        await dask.until_ready(int(count))
        yield dask.address, dask


@pytest.mark.parametrize("name", ENGINES)
async def test_sqlite_comes_to_the_same_as_in_one_process(tmp_path: Path, name: str) -> None:
    one, spread = await make_project(tmp_path / "one"), await make_project(tmp_path / "spread")
    async with engine(name, tmp_path / "dask") as (address, _):
        workers = Workers(address=address, lot_size=2)
        for canary in (None, f"tenant_{BROKEN}"):
            alone = await migrate_all(one.databases, canary=canary)
            together = await migrate_all(spread.databases, canary=canary, workers=workers)
            assert described(together, spread.root) == described(alone, one.root)
        looks = [
            described(await fleet.run(status, project.databases, workers=each), project.root)
            for project, each in ((one, None), (spread, workers))
        ]
        assert looks[0] == looks[1]


@pytest.mark.parametrize("name", ENGINES)
async def test_postgresql_comes_to_the_same_as_in_one_process(
    tmp_path: Path, server: EmbeddedServer, name: str
) -> None:
    prefix = f"same{ENGINES.index(name)}"
    changes = (TABLE, ROWS, INDEX)
    one = await make_tenants(tmp_path / "one", server, f"{prefix}a", 24, *changes)
    two = await make_tenants(tmp_path / "two", server, f"{prefix}b", 24, *changes)
    async with engine(name, tmp_path / "dask") as (address, _):
        workers = Workers(address=address, lot_size=4)
        alone = await migrate_all(one.project.databases)
        together = await migrate_all(two.project.databases, workers=workers)

    expected = json.dumps(described(alone, one.project.root)).replace(one.prefix, two.prefix)
    assert json.dumps(described(together, two.project.root)) == expected
    assert {each.state for each in together} == {OutcomeState.SUCCEEDED}
    await two.assert_nothing_runs()


class Killer:
    """Kills the worker of the Nth migration that is applied."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.killed: int | None = None
        self.lost = 0

    def hear(self, event: telemetry.Event) -> None:
        self.lost += event.name == "worker_lost"
        if event.name != "migration_applied" or self.killed is not None:
            return
        self.at -= 1
        if self.at <= 0:
            self.killed = int(event.fields["worker"].rpartition(":")[2])
            os.kill(self.killed, signal.SIGKILL)


@pytest.mark.parametrize("name", BOTH)
async def test_killed_workers_leave_histories_and_indexes_exact(
    tmp_path: Path, server: EmbeddedServer, name: str
) -> None:
    lost = 0
    async with engine(name, tmp_path / "dask") as (address, dask):
        for number in range(KILLS):
            prefix = f"kill{BOTH.index(name)}r{number:02}"
            tenants = await make_tenants(tmp_path / prefix, server, prefix, 8, TABLE, ROWS, INDEX)
            killer = Killer(at=1 + number)
            with telemetry.listening(killer.hear), anyio.fail_after(120):
                workers = Workers(address=address, lot_size=2)
                outcomes = await migrate_all(tenants.project.databases, workers=workers)
            assert killer.killed is not None
            lost += killer.lost
            assert {each.state for each in outcomes} == {OutcomeState.SUCCEEDED}, number
            assert [each.database for each in outcomes] == tenants.names
            await _assert_exact(tenants)
            if dask is not None:
                dask.forget(killer.killed)
                dask.start_worker()
                await dask.until_ready(2)
    # A worker may have ended its lot when the message arrived that led to its end.
    assert lost >= KILLS // 2


async def _assert_exact(tenants: Tenants) -> None:
    for name in tenants.names:
        rows = await tenants.ask("SELECT key, state FROM dbwarden_ledger ORDER BY key", name)
        assert rows == [(f"{number:04}", "applied") for number in (1, 2, 3)], name
        assert await tenants.ask(INDEXES, name) == [(2, True)], name
        assert await tenants.ask("SELECT count(*) FROM users", name) == [(5000,)], name
    await tenants.assert_nothing_runs()


ASLEEP_ONCE = """
DO $$ BEGIN
  IF to_regclass('awake') IS NULL THEN PERFORM pg_sleep(600); END IF;
END $$;
"""
FAILING = """
DO $$ BEGIN
  IF current_database() LIKE '%_t03' THEN PERFORM pg_sleep(1.5); RAISE 'it fails'; END IF;
END $$;
"""


@pytest.mark.parametrize("name", BOTH)
async def test_fail_fast_leaves_nothing_running_on_the_server(
    tmp_path: Path, server: EmbeddedServer, name: str
) -> None:
    prefix = f"fast{BOTH.index(name)}"
    tenants = await make_tenants(tmp_path / prefix, server, prefix, 12, FAILING + SLEEP)
    async with engine(name, tmp_path / "dask") as (address, _):
        with anyio.fail_after(60):
            outcomes = await migrate_all(
                tenants.project.databases,
                limits=Limits(max_failures=1),
                workers=Workers(address=address, lot_size=3),
            )
        await tenants.assert_nothing_runs()

    states = [each.state for each in outcomes]
    assert (states[3], states[:3]) == (OutcomeState.FAILED, [OutcomeState.INTERRUPTED] * 3)
    assert set(states[6:]) <= {OutcomeState.INTERRUPTED, OutcomeState.NOT_STARTED}
    assert all("stopped because" in str(each.error) for each in outcomes if each.state != states[3])


@pytest.mark.parametrize("signal_group", [False, True], ids=["command", "group"])
@pytest.mark.parametrize("name", BOTH)
async def test_ctrl_c_leaves_nothing_running_on_the_server(
    tmp_path: Path, server: EmbeddedServer, name: str, signal_group: bool
) -> None:
    prefix = f"int{BOTH.index(name)}{int(signal_group)}"
    tenants = await make_tenants(tmp_path / prefix, server, prefix, 8, SLEEP)
    async with engine(name, tmp_path / "dask") as (address, _):
        process = _start(tenants, "migrate", "--all", "--json", "--workers", address)
        await tenants.until(WORKING, lambda rows: len({row[0] for row in rows}) == 8)
        if signal_group:
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(signal.SIGINT)
        out, err = await anyio.to_thread.run_sync(lambda: process.communicate(timeout=60))
        await tenants.assert_nothing_runs()

    assert process.returncode == 130, err
    assert json.loads(out)["summary"] == {"interrupted": 8}
    assert "Traceback" not in err


def _start(tenants: Tenants, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "dbwarden", *words],
        cwd=tenants.project.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


async def test_processes_do_not_outlive_a_killed_command(
    tmp_path: Path, server: EmbeddedServer
) -> None:
    tenants = await make_tenants(tmp_path / "dead", server, "dead", 6, SLEEP)
    process = _start(tenants, "migrate", "--all", "--workers", "2")
    await tenants.until(WORKING, lambda rows: len({row[0] for row in rows}) == 6)

    process.kill()
    await anyio.to_thread.run_sync(process.wait)

    await tenants.until(WORKING, lambda rows: not rows)
    await tenants.assert_nothing_runs()
    for stream in (process.stdout, process.stderr):
        assert stream is not None
        stream.close()


LEASE = 20
OLDER = f"""
    SELECT datname FROM pg_stat_activity
    WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()
    AND query_start < clock_timestamp() - interval '{LEASE + 2} seconds'
"""


async def test_dask_workers_end_the_lots_of_a_killed_command_after_their_lease(
    tmp_path: Path, server: EmbeddedServer
) -> None:
    tenants = await make_tenants(tmp_path / "lease", server, "lease", 3, SLEEP)
    file = tenants.project.path  # the time limit of a database would end the work as well
    file.write_text(file.read_text().replace("tenants=", "timeout=None, tenants="))
    preload = tmp_path / "short_lease.py"
    preload.write_text(
        f"from dbwarden.fleet.workers import dask_worker\n\ndask_worker.LEASE = {LEASE}\n"
    )
    with dask_processes(tmp_path, 0) as dask:
        dask.start_worker(DASK_DISTRIBUTED__WORKER__PRELOAD=f"['{preload}']")
        await dask.until_ready(1)
        process = _start(tenants, "migrate", "--all", "--workers", dask.address)
        # The command renews the lease, or its work would not live longer than that.
        await tenants.until(OLDER, lambda rows: len(rows) == 3)

        process.kill()
        await anyio.to_thread.run_sync(lambda: process.communicate(timeout=60))

        await tenants.until(WORKING, lambda rows: not rows)
        await tenants.assert_nothing_runs()


@pytest.mark.parametrize("name", ["3", "dask:3"])
async def test_the_limit_of_a_server_holds_for_all_workers(
    tmp_path: Path, server: EmbeddedServer, name: str
) -> None:
    limit, seen = 5, set[int]()
    prefix = f"limit{'dask' in name:d}"
    tenants = await make_tenants(tmp_path / prefix, server, prefix, 40, "SELECT pg_sleep(0.2);")
    done = anyio.Event()

    async def count() -> None:
        connection = await asyncpg.connect(server.url("postgres"))
        while not done.is_set():
            rows = await connection.fetch(WORKING)
            seen.add(len({row["datname"] for row in rows}))
            await anyio.sleep(0.005)
        await connection.close()

    async with engine(name, tmp_path / "dask") as (address, _), anyio.create_task_group() as group:
        group.start_soon(count)
        outcomes = await migrate_all(
            tenants.project.databases,
            limits=Limits(per_server=limit),
            workers=Workers(address=address, lot_size=8),
        )
        done.set()

    assert {each.state for each in outcomes} == {OutcomeState.SUCCEEDED}
    assert max(seen) == limit


async def test_a_worker_that_joins_late_takes_lots(tmp_path: Path, server: EmbeddedServer) -> None:
    tenants = await make_tenants(tmp_path / "late", server, "late", 40, "SELECT pg_sleep(0.5);")
    seen: set[str] = set()

    async with engine("dask:1", tmp_path / "dask") as (address, dask):
        assert dask is not None
        progress = anyio.Event()

        def hear(event: telemetry.Event) -> None:
            if event.name == "migration_applied":
                seen.add(event.fields["worker"])
                progress.set()

        async def start_another() -> None:
            await progress.wait()
            dask.start_worker()

        async with anyio.create_task_group() as group:
            group.start_soon(start_another)
            with telemetry.listening(hear):
                outcomes = await migrate_all(
                    tenants.project.databases,
                    limits=Limits(per_server=2),
                    workers=Workers(address=address, lot_size=2),
                )

    assert {each.state for each in outcomes} == {OutcomeState.SUCCEEDED}
    assert len(seen) == 2


async def test_the_run_ends_with_its_scheduler(tmp_path: Path, server: EmbeddedServer) -> None:
    tenants = await make_tenants(tmp_path / "gone", server, "gone", 12, TABLE, SLEEP)
    async with engine("dask:2", tmp_path / "dask") as (address, dask):
        assert dask is not None and dask.scheduler is not None
        scheduler = dask.scheduler

        async def kill_when_all_sleep() -> None:
            await tenants.until(WORKING, lambda rows: len({row[0] for row in rows}) == 8)
            scheduler.kill()

        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                group.start_soon(kill_when_all_sleep)
                outcomes = await migrate_all(
                    tenants.project.databases, workers=Workers(address=address, lot_size=4)
                )

        states = [each.state for each in outcomes]
        assert states == [OutcomeState.INTERRUPTED] * 8 + [OutcomeState.NOT_STARTED] * 4
        assert all("does not answer any more" in str(each.error) for each in outcomes)
        await tenants.until(WORKING, lambda rows: not rows)
        await tenants.assert_nothing_runs()


@pytest.mark.parametrize("nanny", [False, True], ids=["alone", "nanny"])
async def test_a_worker_that_is_asked_to_end_hands_its_lot_over(
    tmp_path: Path, server: EmbeddedServer, nanny: bool
) -> None:
    prefix = f"term{nanny:d}"
    tenants = await make_tenants(tmp_path / prefix, server, prefix, 4, ASLEEP_ONCE)
    async with engine("dask:1", tmp_path / "dask", nanny=nanny) as (address, dask):
        assert dask is not None

        async def end_worker() -> None:
            await tenants.until(WORKING, lambda rows: len({row[0] for row in rows}) == 4)
            for name in tenants.names:
                await tenants.ask("CREATE TABLE awake ()", name)
            dask.workers[0].terminate()
            await tenants.until(WORKING, lambda rows: not rows)
            dask.start_worker()

        with anyio.fail_after(120):
            async with anyio.create_task_group() as group:
                group.start_soon(end_worker)
                outcomes = await migrate_all(tenants.project.databases, workers=address)
    assert {each.state for each in outcomes} == {OutcomeState.SUCCEEDED}
    await tenants.assert_nothing_runs()
