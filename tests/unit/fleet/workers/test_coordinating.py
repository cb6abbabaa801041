"""A run on workers has one outcome for each database, whatever happens to the workers."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest

from dbwarden import fleet, telemetry
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.config.project import Project
from dbwarden.errors import DBWardenError, UsageError
from dbwarden.fleet import Outcome, OutcomeState
from dbwarden.fleet.documents import Json
from dbwarden.fleet.workers import coordinating, operations
from dbwarden.fleet.workers.lots import Order, read_order
from dbwarden.fleet.workers.protocol import Cluster, EngineLost, Receive, Setup, WorkerLost, Workers
from dbwarden.fleet.workers.wire import write_error, write_outcome
from dbwarden.operations.wait import WaitResult, wait
from dbwarden.types import DatabaseName
from tests.unit.fleet.workers.fleets import database

SUCCEEDED, FAILED = OutcomeState.SUCCEEDED, OutcomeState.FAILED
INTERRUPTED, NOT_STARTED = OutcomeState.INTERRUPTED, OutcomeState.NOT_STARTED


def outcome(name: str, state: OutcomeState = SUCCEEDED) -> Json:
    name = DatabaseName(name)
    result = WaitResult(database=name, waited_ms=1.0, attempts=1, server_version="18")
    error = None if state is SUCCEEDED else DBWardenError("no", database=name)
    return {
        "outcome": write_outcome(
            Outcome(
                database=name,
                state=state,
                result=result if state is SUCCEEDED else None,
                error=error,
                duration_ms=1.0,
            )
        )
    }


@dataclass(slots=True)
class Script:
    """Workers that do what a test says with each lot, which has the ``names`` of its databases."""

    do: Callable[["Script", list[str], Receive], Any]
    workers: int = 2
    orders: list[Order] = field(default_factory=list)
    stopped: anyio.Event = field(default_factory=anyio.Event)
    reason: str | None = None

    def connect(self, address: str, setup: Setup) -> AbstractAsyncContextManager[Cluster]:
        return self._connected()

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[Cluster]:
        yield self

    async def run(self, order: Json, receive: Receive) -> None:
        read = read_order(order)
        self.orders.append(read)
        await anyio.lowlevel.checkpoint()
        await self.do(self, [member.name for member in read.databases], receive)

    async def stop(self, reason: str) -> None:
        self.reason = reason
        self.stopped.set()

    @property
    def lots(self) -> list[list[str]]:
        return [[member.name for member in order.databases] for order in self.orders]


async def succeed(script: Script, names: Sequence[str], receive: Receive) -> None:
    for name in names:
        receive(outcome(name))


def databases(*names: str) -> list[DatabaseConfig]:
    configs = [database(name) for name in names]
    project = Project(path=Path("/project/dbwarden.py"), root=Path("/"), declared=tuple(configs))
    return [*project.single]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run ``wait`` on *names* with *script* in lots of 2, and return the outcomes."""

    async def run(script: Script, names: str, **options: Any) -> tuple[Outcome[WaitResult], ...]:
        monkeypatch.setattr(coordinating, "engine_of", lambda address: script)
        workers = Workers(address="2", lot_size=2)
        return await fleet.run(wait, databases(*names), workers=workers, **options)

    return run


def states(outcomes: Sequence[Outcome[Any]]) -> list[OutcomeState]:
    return [each.state for each in outcomes]


async def test_outcomes_come_in_configured_order_with_their_results(run: Any) -> None:
    async def backwards(script: Script, names: list[str], receive: Receive) -> None:
        await succeed(script, names[::-1], receive)

    script = Script(backwards)
    outcomes = await run(script, "abcde")

    assert [each.result.database for each in outcomes] == [*"abcde"]
    assert script.lots == [["a"], ["b", "c"], ["d", "e"]]
    assert [order.limits.per_server for order in script.orders] == [16, 16, 32]


async def test_events_of_workers_are_events_of_the_run(run: Any) -> None:
    heard: list[tuple[str, Any]] = []

    async def migrated(script: Script, names: list[str], receive: Receive) -> None:
        for name in names:
            fields = {"database": name, "version": "0001", "run": script.orders[0].run}
            receive({"event": {"name": "migration_applied", "level": "info", "fields": fields}})
            receive(outcome(name))

    with (
        telemetry.run() as run_id,
        telemetry.listening(lambda event: heard.append((event.name, event.fields["database"]))),
    ):
        script = Script(migrated)
        await run(script, "ab")

    assert script.orders[0].run == run_id
    assert sorted(heard) == [
        ("migration_applied", "a"),
        ("migration_applied", "b"),
        ("outcome", "a"),
        ("outcome", "b"),
    ]


async def test_another_worker_takes_over_what_a_lost_one_left(run: Any) -> None:
    async def lose_the_first(script: Script, names: list[str], receive: Receive) -> None:
        await succeed(script, names[:1], receive)
        if names == ["a", "b"]:
            raise WorkerLost("the worker was killed")
        await succeed(script, names, receive)

    script = Script(lose_the_first)
    outcomes = await run(script, "abcd")

    assert states(outcomes) == [SUCCEEDED] * 4
    assert script.lots == [["a", "b"], ["c", "d"], ["b"]]


async def test_a_lot_that_costs_every_worker_fails_after_three(run: Any) -> None:
    async def lose(script: Script, names: list[str], receive: Receive) -> None:
        if "a" in names:
            raise WorkerLost("the worker was killed")
        await succeed(script, names, receive)

    script = Script(lose)
    outcomes = await run(script, "abc")

    assert states(outcomes) == [FAILED, SUCCEEDED, SUCCEEDED]
    assert sum("a" in lot for lot in script.lots) == 3
    assert "3 workers ended in the middle of its lot" in str(outcomes[0].error)
    assert "the worker was killed" in str(outcomes[0].error)


async def test_what_must_not_run_twice_is_not_taken_over(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lose(script: Script, names: list[str], receive: Receive) -> None:
        receive(outcome(names[0]))
        raise WorkerLost("the worker was killed")

    monkeypatch.setattr(operations, "is_repeatable", lambda name, options: False)
    script = Script(lose, workers=1)
    outcomes = await run(script, "abcd")

    assert script.lots == [["a", "b"], ["c", "d"]]
    assert states(outcomes) == [SUCCEEDED, INTERRUPTED, SUCCEEDED, INTERRUPTED]
    assert outcomes[1].error.message == "interrupted: the worker was killed"


async def test_the_run_ends_with_its_engine_and_says_what_is_not_known(run: Any) -> None:
    async def lose(script: Script, names: list[str], receive: Receive) -> None:
        receive(outcome(names[0]))
        raise EngineLost("the scheduler does not answer any more")

    script = Script(lose, workers=1)
    outcomes = await run(script, "abcd")

    assert states(outcomes) == [SUCCEEDED, INTERRUPTED, NOT_STARTED, NOT_STARTED]
    assert all("the scheduler does not answer" in str(each.error) for each in outcomes[1:])


async def test_a_worker_that_refuses_a_lot_says_why(run: Any) -> None:
    async def refuse(script: Script, names: list[str], receive: Receive) -> None:
        error = UsageError("the worker has dbwarden 2, but the run needs 3", next_step="Install 3.")
        receive({"refused": write_error(error)})

    outcomes = await run(Script(refuse), "ab")

    assert states(outcomes) == [NOT_STARTED] * 2
    assert str(outcomes[1].error).endswith("the worker has dbwarden 2, but the run needs 3")
    assert outcomes[1].error.next_step == "Install 3."


async def test_fail_fast_stops_the_lots_of_all_workers(run: Any) -> None:
    async def fail(script: Script, names: list[str], receive: Receive) -> None:
        if names == ["a", "b"]:
            receive(outcome("a", FAILED))
        await script.stopped.wait()
        for name in set(names) - {"a"}:
            receive(outcome(name, INTERRUPTED))

    script = Script(fail)
    outcomes = await run(script, "abcdef", fail_fast=True)

    assert states(outcomes) == [FAILED, *[INTERRUPTED] * 3, *[NOT_STARTED] * 2]
    assert script.reason == "stopped because a failed"
    assert "because a failed" in str(outcomes[-1].error)


async def test_failures_count_across_lots(run: Any) -> None:
    async def fail(script: Script, names: list[str], receive: Receive) -> None:
        for name in names:
            receive(outcome(name, FAILED if name in "ac" else SUCCEEDED))

    script = Script(fail, workers=1)
    outcomes = await run(script, "abcdef", max_failures=2)

    assert states(outcomes) == [FAILED, SUCCEEDED, FAILED, SUCCEEDED, NOT_STARTED, NOT_STARTED]
    assert [order.limits.max_failures for order in script.orders] == [2, 1]


async def test_ctrl_c_stops_the_lots_of_all_workers(run: Any) -> None:
    stop = anyio.Event()

    async def wait_for_stop(script: Script, names: list[str], receive: Receive) -> None:
        stop.set()
        await script.stopped.wait()
        for name in names:
            receive(outcome(name, INTERRUPTED))

    outcomes = await run(Script(wait_for_stop), "abcdef", stop=stop)

    assert states(outcomes) == [*[INTERRUPTED] * 4, *[NOT_STARTED] * 2]


async def test_nothing_runs_after_a_canary_that_fails(run: Any) -> None:
    async def fail(script: Script, names: list[str], receive: Receive) -> None:
        for name in names:
            receive(outcome(name, FAILED))

    script = Script(fail)
    outcomes = await run(script, "abcd", canary="c")

    assert script.lots == [["c"]]
    assert states(outcomes) == [NOT_STARTED, NOT_STARTED, FAILED, NOT_STARTED]
    assert "c must succeed first, but it failed" in str(outcomes[0].error)


async def test_an_operation_needs_a_name_that_workers_can_import() -> None:
    async def local(config: DatabaseConfig) -> None: ...

    with pytest.raises(UsageError, match="cannot be imported by name"):
        await fleet.run(local, databases("a"), workers=2)


async def test_a_database_needs_a_configuration_file() -> None:
    with pytest.raises(UsageError, match="no configuration file declares it"):
        await fleet.run(wait, [database("a")], workers=2)


async def test_databases_of_several_projects_need_several_runs() -> None:
    other = Project(path=Path("/b/dbwarden.py"), root=Path("/b"), declared=(database("b"),))

    with pytest.raises(UsageError, match="the databases of one project, not of 2"):
        await fleet.run(wait, [*databases("a"), *other.single], workers=2)
