"""Run one operation on many databases concurrently.

Each database is a task in one anyio task group, with its own time limit. Limits per server and
overall apply, and every database has an :class:`Outcome`, in configured order.
"""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, Never, TypeVar

import anyio

from dbwarden import telemetry
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import DBWardenError, Interrupted, NotStarted, TimedOut
from dbwarden.files.migration import Requirement
from dbwarden.operations.operation import files_once, timed_out
from dbwarden.secrets import clean_cause, describe_error
from dbwarden.types import DatabaseName

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Operation = Callable[[DatabaseConfig], Awaitable[T]]

Slots = AbstractAsyncContextManager[None]
"""A context manager that limits concurrency."""

CONCURRENCY = 128
"""The number of databases at the same time, overall."""
PER_SERVER = 32
"""The number of connections to one host and port at the same time (PostgreSQL allows 100)."""


class OutcomeState(StrEnum):
    """The state of one database after a fleet run."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    INTERRUPTED = "interrupted"
    NOT_STARTED = "not_started"


_FAILURES = (OutcomeState.FAILED, OutcomeState.TIMED_OUT)
_ENDS = {
    OutcomeState.SUCCEEDED: "succeeded",
    OutcomeState.FAILED: "failed",
    OutcomeState.TIMED_OUT: "ran out of time",
    OutcomeState.INTERRUPTED: "was interrupted",
    OutcomeState.NOT_STARTED: "was not started",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Generic[T_co]):
    """The outcome of one database: its state, and the result of the operation or its error.

    ``duration_ms`` is in milliseconds; ``None`` if the database was not started.
    """

    database: DatabaseName
    state: OutcomeState
    result: T_co | None = None
    error: DBWardenError | None = None
    duration_ms: float | None = None

    @property
    def succeeded(self) -> bool:
        """True if the operation returned a result."""
        return self.state is OutcomeState.SUCCEEDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(Generic[T_co]):
    """One operation on one database, and the tasks it waits for.

    ``after`` names the tasks that must have succeeded first, ``finished`` those that must have
    ended with any outcome. ``gate`` then returns why the task must not start, or ``None``; it reads
    the databases that ``requires`` names.
    """

    key: str
    config: DatabaseConfig
    operation: Operation[T_co]
    after: frozenset[str] = frozenset()
    finished: frozenset[str] = frozenset()
    requires: tuple[Requirement, ...] = ()
    gate: Callable[[], Awaitable[str | None]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a fleet run.

    Args:
        concurrency: Databases at the same time, overall.
        per_server: Databases at the same time on one host and port.
        max_failures: Stop when this many databases have failed; ``None`` never stops.
    """

    concurrency: int = CONCURRENCY
    per_server: int = PER_SERVER
    max_failures: int | None = None


@dataclass(slots=True)
class Stop:
    """A request to stop the run: set ``event``; ``reason`` becomes part of the outcomes."""

    event: anyio.Event = field(default_factory=anyio.Event)
    reason: str = "the run was stopped"


async def run_tasks(
    tasks: Sequence[Task[T]],
    limits: Limits,
    *,
    stop: Stop | None = None,
    receive: Callable[[Outcome[T]], None] = lambda outcome: None,
) -> tuple[Outcome[T], ...]:
    """Run *tasks*, each after its predecessors; their order has no cycle.

    *receive* is called with each outcome as it comes; those that a stop left out are not among
    them.
    """
    scope = anyio.CancelScope()
    record = Record[T](limits=limits, left=count_databases(tasks), on_stop=scope.cancel)
    run_ = _Run[T](tasks=tuple(tasks), limits=limits, receive=receive, record=record, scope=scope)
    with telemetry.run():
        async with files_once(task.config for task in tasks), anyio.create_task_group() as watch:
            if stop is not None:
                watch.start_soon(record.stop_when, stop)
            await run_.run_all()
            watch.cancel_scope.cancel()
    return tuple(record.outcome_of(task) for task in tasks)


@dataclass(slots=True, kw_only=True)
class Record(Generic[T]):
    """The outcomes of a fleet run so far, and why it stops.

    ``left`` counts the tasks of each database without an outcome. ``on_stop`` is called once.
    """

    limits: Limits
    left: Counter[DatabaseName]
    on_stop: Callable[[], None]
    outcomes: dict[str, Outcome[T]] = field(default_factory=dict)
    stopped_by: str | None = None

    def add(self, task: Task[T], outcome: Outcome[T]) -> None:
        """Add the outcome of *task*; stop the run if too many have failed."""
        self.outcomes[task.key] = outcome
        name = outcome.database
        self.left[name] -= 1
        last = self.left[name] == 0
        telemetry.emit("outcome", level="debug", database=name, state=outcome.state, last=last)
        most = self.limits.max_failures
        if outcome.state in _FAILURES and most is not None and self.failures >= most:
            self.stop(f"stopped because {name} failed")

    @property
    def failures(self) -> int:
        """The number of tasks that have failed."""
        return sum(outcome.state in _FAILURES for outcome in self.outcomes.values())

    async def stop_when(self, stop: Stop) -> None:
        """Stop the run when *stop* is requested."""
        await stop.event.wait()
        self.stop(stop.reason)

    def stop(self, reason: str) -> None:
        """Stop the run, unless it stops already."""
        if self.stopped_by is None:
            self.stopped_by = reason
            self.on_stop()

    def outcome_of(self, task: Task[T]) -> Outcome[T]:
        """Return the outcome of *task*; "not started" if its turn never came."""
        reason = self.stopped_by or "the run ended before its turn"
        return self.outcomes.get(task.key) or not_started(task.config.database_name, reason)


def count_databases(tasks: Iterable[Task[object]]) -> Counter[DatabaseName]:
    """Return the number of tasks of each database."""
    return Counter(task.config.database_name for task in tasks)


@dataclass(slots=True, kw_only=True)
class _Run(Generic[T]):
    """One fleet run in this process."""

    tasks: tuple[Task[T], ...]
    limits: Limits
    receive: Callable[[Outcome[T]], None]
    record: Record[T]
    scope: anyio.CancelScope
    ended: dict[str, anyio.Event] = field(default_factory=dict)

    async def run_all(self) -> None:
        self.ended = {task.key: anyio.Event() for task in self.tasks}
        servers = [task.config.server for task in self.tasks]
        slots_per_server = {
            server: limiter_slots(self.limits.per_server, demand)
            for server, demand in Counter(servers).items()
        }
        all_slots = limiter_slots(self.limits.concurrency, len(self.tasks))
        with self.scope:
            async with anyio.create_task_group() as group:
                for task, server in zip(self.tasks, servers, strict=True):
                    group.start_soon(self._run_in_turn, task, slots_per_server[server], all_slots)

    async def _run_in_turn(self, task: Task[T], server: Slots, all_slots: Slots) -> None:
        for key in sorted((task.after | task.finished) & self.ended.keys()):
            await self.ended[key].wait()
        reason = blocked_by(task, self.record.outcomes)
        if reason is None and task.gate is not None:
            reason = await task.gate()
        if reason is not None:
            self._record(task, not_started(task.config.database_name, reason))
            return
        # Wait for the server first, so that the wait does not occupy an overall slot.
        async with server, all_slots:
            started = time.perf_counter()
            try:
                outcome = await _attempt(task)
            except anyio.get_cancelled_exc_class():
                self._record(task, _interrupted(task, started, self.record.stopped_by))
                raise
            # Inside the limiters, so that a stop cancels the group before the next task starts.
            self._record(task, outcome)

    def _record(self, task: Task[T], outcome: Outcome[T]) -> None:
        self.record.add(task, outcome)
        self.ended[task.key].set()
        self.receive(outcome)


def limiter_slots(limit: int, demand: int) -> Slots:
    """Limit concurrency to *limit*, unless *demand* never exceeds it."""
    return nullcontext() if demand <= limit else anyio.CapacityLimiter(limit)


def blocked_by(task: Task[T], outcomes: Mapping[str, Outcome[T]]) -> str | None:
    """Return why *task* must not start when its turn comes; ``None`` if it may."""
    for key in sorted(task.after):
        outcome = outcomes.get(key)
        if outcome is not None and not outcome.succeeded:
            return f"{outcome.database} must succeed first, but it {_ENDS[outcome.state]}"
    return None


async def _attempt(task: Task[T]) -> Outcome[T]:
    """Run one operation within its time limit and return its outcome."""
    started = time.perf_counter()
    name, limit = task.config.database_name, task.config.timeout
    state = OutcomeState.SUCCEEDED
    result: T | None = None
    error: DBWardenError | None = None
    with telemetry.bound(database=name), anyio.move_on_after(limit) as scope:
        try:
            result = await task.operation(task.config)
        except TimedOut as raised:
            state, error = OutcomeState.TIMED_OUT, raised
        except DBWardenError as raised:
            state, error = OutcomeState.FAILED, raised
        except Exception as raised:
            state, error = OutcomeState.FAILED, _unexpected(name, raised)
    if scope.cancelled_caught:
        state, error = OutcomeState.TIMED_OUT, timed_out(task.config)
    duration_ms = (time.perf_counter() - started) * 1000
    return Outcome(database=name, state=state, result=result, error=error, duration_ms=duration_ms)


def _unexpected(name: DatabaseName, cause: Exception) -> DBWardenError:
    error = DBWardenError(
        f"unexpected {describe_error(cause)}",
        database=name,
        next_step="This is a bug in dbwarden or in your own operation. Run it again with "
        "--log-level debug and report it.",
    )
    error.__cause__ = clean_cause(cause)
    return error


def not_started(name: DatabaseName, reason: str) -> Outcome[Never]:
    """Return the outcome of a database whose turn did not come."""
    error = NotStarted(f"not started: {reason}", database=name)
    return Outcome(database=name, state=OutcomeState.NOT_STARTED, error=error)


def _interrupted(task: Task[object], started: float, reason: str | None) -> Outcome[Never]:
    name = task.config.database_name
    return Outcome(
        database=name,
        state=OutcomeState.INTERRUPTED,
        error=Interrupted(f"interrupted: {reason or 'the caller cancelled'}", database=name),
        duration_ms=(time.perf_counter() - started) * 1000,
    )
