"""A fleet run on a Dask cluster comes to the same as a run in one process."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import anyio
import pytest

from dbwarden import fleet
from dbwarden.errors import ConfigurationNotFound, DBWardenError, UsageError
from dbwarden.fleet import OutcomeState, migrate_all
from dbwarden.fleet.workers import coordinating
from dbwarden.fleet.workers.dask_engine import DaskCluster
from dbwarden.fleet.workers.protocol import EngineLost, Setup, Workers
from dbwarden.fleet.workers.wire import write_error
from dbwarden.operations.status import status
from tests.commands import dbwarden as command
from tests.integration.workers.dask_cluster import DaskProcesses, dask_processes
from tests.integration.workers.projects import BROKEN, described, make_project, without_times


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Generator[DaskProcesses]:
    with dask_processes(tmp_path_factory.mktemp("dask"), workers=2) as processes:
        anyio.run(processes.until_ready, 2)
        yield processes


async def test_the_outcomes_are_those_of_a_run_in_one_process(
    tmp_path: Path, dask: DaskProcesses
) -> None:
    one, spread = await make_project(tmp_path / "one"), await make_project(tmp_path / "spread")
    workers = Workers(address=dask.address, lot_size=3)

    alone = await migrate_all(one.databases)
    together = await migrate_all(spread.databases, workers=workers)

    assert described(together, spread.root) == described(alone, one.root)
    assert [o.database for o in together if not o.succeeded] == [f"tenant_{BROKEN}"]

    # The same run again, as a command.
    alone_again = await command(one.root, "status", "--all", "--json")
    spread_again = await command(
        spread.root, "status", "--all", "--json", "--workers", dask.address
    )
    assert (spread_again.code, spread_again.err) == (alone_again.code, alone_again.err)
    assert without_times(spread_again.json) == without_times(alone_again.json)


async def test_a_stop_reaches_the_workers(tmp_path: Path, dask: DaskProcesses) -> None:
    project = await make_project(tmp_path / "project")
    stop = anyio.Event()
    stop.set()

    outcomes = await fleet.run(status, project.databases, workers=dask.address, stop=stop)

    assert OutcomeState.FAILED not in {each.state for each in outcomes}


async def test_a_worker_of_another_version_is_refused_before_anything_runs(
    tmp_path: Path, dask: DaskProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = await make_project(tmp_path / "project")
    monkeypatch.setattr(coordinating, "__version__", "9.9")

    with pytest.raises(UsageError, match=r"has dbwarden .*, but this command is 9\.9"):
        await migrate_all(project.databases, workers=dask.address)

    assert not await anyio.Path(project.root / "data" / "primary.db").exists()


async def test_a_scheduler_that_does_not_answer_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = await make_project(tmp_path / "project")
    monkeypatch.setattr("dbwarden.fleet.workers.dask_engine.CONNECT", 0.5)

    with pytest.raises(EngineLost, match=r"Dask scheduler at .* does not answer"):
        await migrate_all(project.databases, workers="dask://127.0.0.1:1")


FACTS: dict[str, Any] = {"version": "1", "guarded": True, "fingerprint": "f", "error": None}
MISSING = write_error(ConfigurationNotFound("there is no dbwarden.py in /srv", next_step="Look."))


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (FACTS, None),
        ({**FACTS, "version": "2"}, "has dbwarden 2, but this command is 1"),
        ({**FACTS, "guarded": False}, "lacks dbwarden's import guard"),
        ({**FACTS, "fingerprint": None, "error": MISSING}, "there is no dbwarden.py in /srv"),
        ({**FACTS, "fingerprint": "g"}, "has another version of"),
        (ModuleNotFoundError("No module named 'dbwarden'"), "cannot run dbwarden 1: ModuleNot"),
        (TimeoutError("no answer within 30 s"), "no answer within 30 s"),
    ],
)
async def test_a_worker_that_differs_takes_no_part(
    tmp_path: Path, answer: Any, problem: str | None
) -> None:
    project = await make_project(tmp_path / "project")
    setup = Setup(version="1", project=project)
    cluster = DaskCluster(client=None, address="dask://x:1", setup=setup, fingerprint="f")

    found: DBWardenError | None = cluster.problem_of("tcp://y:2", answer)

    if problem is None:
        assert found is None
    else:
        assert found is not None and found.next_step
        assert found.message.startswith("the Dask worker tcp://y:2 ") and problem in found.message
