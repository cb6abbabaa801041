"""One operation runs on many databases."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from dbwarden import fleet, telemetry
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import DBWardenError, NotStarted, TimedOut
from dbwarden.fleet import Limits, OutcomeState, Task, run, run_tasks
from dbwarden.types import DatabaseName

SUCCEEDED, FAILED = OutcomeState.SUCCEEDED, OutcomeState.FAILED
TIMED_OUT, INTERRUPTED = OutcomeState.TIMED_OUT, OutcomeState.INTERRUPTED
NOT_STARTED = OutcomeState.NOT_STARTED


def database(name: str, **more: Any) -> DatabaseConfig:
    return DatabaseConfig(
        database_name=DatabaseName(name),
        database_type="postgresql",
        database_url=more.pop("url", f"postgresql://{name}.example/app"),
        root=Path("/project"),
        migrations_dir=Path("/project/migrations") / name,
        **more,
    )


def databases(*names: str, **more: Any) -> list[DatabaseConfig]:
    return [database(name, **more) for name in names]


def states(outcomes: Any) -> list[OutcomeState]:
    return [outcome.state for outcome in outcomes]


def failing(*names: str) -> Callable[[DatabaseConfig], Any]:
    """An operation that fails on *names* and returns the name elsewhere."""

    async def operation(config: DatabaseConfig) -> str:
        await anyio.lowlevel.checkpoint()
        if config.database_name in names:
            raise DBWardenError("no", database=config.database_name)
        return config.database_name

    return operation


async def test_outcomes_come_in_configured_order_whatever_ends_first() -> None:
    delays = {"a": 0.03, "b": 0.0, "c": 0.01}

    async def operation(config: DatabaseConfig) -> str:
        await anyio.sleep(delays[config.database_name])
        return config.database_name.upper()

    outcomes = await run(operation, databases("a", "b", "c"))

    assert [(o.database, o.result) for o in outcomes] == [("a", "A"), ("b", "B"), ("c", "C")]
    assert all(o.succeeded and o.duration_ms is not None for o in outcomes)


async def test_all_databases_run_at_the_same_time() -> None:
    everybody = anyio.Event()
    waiting = 0

    async def operation(config: DatabaseConfig) -> None:
        nonlocal waiting
        waiting += 1
        if waiting == 5:
            everybody.set()
        await everybody.wait()

    outcomes = await run(operation, databases(*"abcde"), timeout=5)

    assert states(outcomes) == [SUCCEEDED] * 5


async def test_keep_going_runs_the_others_and_keeps_the_error() -> None:
    outcomes = await run(failing("b"), databases("a", "b", "c"))

    assert states(outcomes) == [SUCCEEDED, FAILED, SUCCEEDED]
    assert str(outcomes[1].error) == "b: no"


async def test_an_unexpected_exception_becomes_an_outcome_with_its_cause() -> None:
    async def operation(config: DatabaseConfig) -> None:
        raise ZeroDivisionError("oh")

    (outcome,) = await run(operation, databases("a"))

    assert outcome.state is FAILED
    assert outcome.error is not None
    assert outcome.error.message == "unexpected ZeroDivisionError: oh"
    assert isinstance(outcome.error.__cause__, ZeroDivisionError)


async def test_each_database_has_its_own_time_limit() -> None:
    async def operation(config: DatabaseConfig) -> None:
        await anyio.sleep(0 if config.database_name == "quick" else 60)

    slow = database("slow", timeout=0.01)
    outcomes = await run(operation, [database("quick"), slow])

    assert states(outcomes) == [SUCCEEDED, TIMED_OUT]
    assert isinstance(outcomes[1].error, TimedOut)
    assert "0.01 s" in outcomes[1].error.message


async def test_a_timeout_error_raised_inside_is_a_failure_and_not_our_time_limit() -> None:
    async def operation(config: DatabaseConfig) -> None:
        raise TimeoutError("its own")

    (outcome,) = await run(operation, databases("a", timeout=60))

    assert outcome.state is FAILED


async def test_the_run_s_timeout_replaces_each_database_s_own() -> None:
    async def operation(config: DatabaseConfig) -> float | None:
        return config.timeout

    ours = await run(operation, databases("a", timeout=7.0), timeout=3)
    none = await run(operation, databases("a", timeout=7.0), timeout=None)
    own = await run(operation, databases("a", timeout=7.0))

    assert [o[0].result for o in (ours, none, own)] == [3, None, 7.0]


async def test_fail_fast_cancels_what_runs_and_starts_nothing_new() -> None:
    begun: list[str] = []

    async def operation(config: DatabaseConfig) -> None:
        begun.append(config.database_name)
        if config.database_name == "b":
            raise DBWardenError("no")
        await anyio.sleep_forever()

    outcomes = await run(operation, databases("a", "b", "c"), fail_fast=True, concurrency=2)

    assert states(outcomes) == [INTERRUPTED, FAILED, NOT_STARTED]
    assert begun == ["a", "b"]
    assert "because b failed" in str(outcomes[0].error)
    assert isinstance(outcomes[2].error, NotStarted)


async def test_a_task_does_not_start_when_its_predecessor_fails() -> None:
    begun: list[str] = []

    async def operation(config: DatabaseConfig) -> None:
        begun.append(config.database_name)
        await anyio.lowlevel.checkpoint()
        raise DBWardenError("no")

    outcomes = await run(operation, databases(*"abcdef"), fail_fast=True, concurrency=1)

    assert begun == ["a"]
    assert states(outcomes) == [FAILED, *[NOT_STARTED] * 5]


async def test_max_failures_stops_after_that_number() -> None:
    outcomes = await run(failing(*"abc"), databases(*"abcd"), max_failures=2, concurrency=1)

    assert states(outcomes) == [FAILED, FAILED, NOT_STARTED, NOT_STARTED]


async def test_a_timed_out_database_counts_as_failed() -> None:
    async def operation(config: DatabaseConfig) -> None:
        await anyio.sleep_forever()

    outcomes = await run(
        operation, databases("a", "b"), fail_fast=True, concurrency=1, timeout=0.01
    )

    assert states(outcomes) == [TIMED_OUT, NOT_STARTED]


async def test_limits_hold_in_all_and_per_server() -> None:
    now: dict[str, int] = {"all": 0}
    most: dict[str, int] = {}

    async def operation(config: DatabaseConfig) -> None:
        for key in ("all", config.server):
            now[key] = now.get(key, 0) + 1
            most[key] = max(most.get(key, 0), now[key])
        await anyio.sleep(0.002)
        for key in ("all", config.server):
            now[key] -= 1

    here = [database(f"h{i}", url=f"postgresql://here/h{i}") for i in range(8)]
    there = [database(f"t{i}", url=f"postgresql://there/t{i}") for i in range(8)]
    outcomes = await run(operation, [*here, *there], concurrency=5, per_server=3)

    assert states(outcomes) == [SUCCEEDED] * 16
    assert most.pop("all") == 5
    assert set(most.values()) == {3}


async def test_the_canary_goes_first_and_alone() -> None:
    begun: list[str] = []

    async def operation(config: DatabaseConfig) -> None:
        begun.append(config.database_name)
        await anyio.lowlevel.checkpoint()

    outcomes = await run(operation, databases("a", "b", "c"), canary="c")

    assert begun[0] == "c"
    assert states(outcomes) == [SUCCEEDED] * 3


async def test_no_database_runs_after_a_failed_canary() -> None:
    outcomes = await run(failing("b"), databases("a", "b", "c"), canary="b")

    assert states(outcomes) == [NOT_STARTED, FAILED, NOT_STARTED]
    assert str(outcomes[0].error) == "a: not started: b must succeed first, but it failed"


async def test_tasks_wait_for_their_predecessors() -> None:
    ended: list[str] = []

    async def operation(config: DatabaseConfig) -> None:
        await anyio.sleep(0.005 if config.database_name == "a" else 0)
        ended.append(config.database_name)

    a, b, c = databases("a", "b", "c")
    tasks = [
        Task(key="b", config=b, operation=operation, after=frozenset({"a"})),
        Task(key="a", config=a, operation=operation),
        Task(key="c", config=c, operation=operation, after=frozenset({"b"})),
    ]
    outcomes = await run_tasks(tasks, Limits())

    assert ended == ["a", "b", "c"]
    assert states(outcomes) == [SUCCEEDED] * 3


async def test_stop_interrupts_what_runs_and_returns_the_outcomes() -> None:
    stop = anyio.Event()

    async def operation(config: DatabaseConfig) -> None:
        if config.database_name == "a":
            return
        stop.set()
        await anyio.sleep_forever()

    outcomes = await run(operation, databases("a", "b", "c"), concurrency=1, stop=stop)

    assert states(outcomes) == [SUCCEEDED, INTERRUPTED, NOT_STARTED]
    assert str(outcomes[1].error) == "b: interrupted: the run was stopped"


async def test_the_caller_s_cancel_goes_through() -> None:
    cleaned: list[str] = []

    async def operation(config: DatabaseConfig) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            cleaned.append(config.database_name)

    with anyio.move_on_after(0.01) as scope:
        await run(operation, databases("a", "b"))

    assert scope.cancelled_caught
    assert sorted(cleaned) == ["a", "b"]


async def test_every_event_of_a_task_names_its_database() -> None:
    heard: list[Any] = []

    async def operation(config: DatabaseConfig) -> None:
        await anyio.lowlevel.checkpoint()
        telemetry.emit("hello", level="debug")

    with telemetry.listening(heard.append):
        await run(operation, databases("a", "b"))

    hello = [event.fields["database"] for event in heard if event.name == "hello"]
    assert sorted(hello) == ["a", "b"]


async def test_an_empty_fleet_has_no_outcomes() -> None:
    assert await run(failing(), []) == ()


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (FAILED, "failed"),
        (TIMED_OUT, "ran out of time"),
        (INTERRUPTED, "was interrupted"),
        (NOT_STARTED, "was not started"),
    ],
)
def test_a_database_not_started_names_its_failed_predecessor(
    state: OutcomeState, said: str
) -> None:
    first, second = databases("first", "second")
    task = Task(key="second", config=second, operation=failing(), after=frozenset({"first"}))
    outcome: fleet.Outcome[Any] = fleet.Outcome(database=first.database_name, state=state)

    reason = fleet.blocked_by(task, {"first": outcome})

    assert reason == f"first must succeed first, but it {said}"
