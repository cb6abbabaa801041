"""Spread the tasks of a fleet run over workers, and collect their outcomes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Never, TypeVar

import anyio
import anyio.abc
import anyio.to_thread

from dbwarden import __version__, telemetry
from dbwarden.config.project import Project
from dbwarden.errors import DBWardenError, Interrupted, UsageError
from dbwarden.fleet.documents import Json
from dbwarden.fleet.running import (
    Limits,
    Outcome,
    OutcomeState,
    Record,
    Stop,
    Task,
    blocked_by,
    count_databases,
    not_started,
)
from dbwarden.fleet.workers.engines import engine_of
from dbwarden.fleet.workers.lots import Lot, LotStart, LotWork, Order, cut, next_grant, waves
from dbwarden.fleet.workers.operations import find_operation, work_of
from dbwarden.fleet.workers.protocol import Cluster, EngineLost, Setup, WorkerLost, Workers
from dbwarden.fleet.workers.wire import read_error, read_outcome, type_hints
from dbwarden.types import DatabaseName

T = TypeVar("T")

MOST_LOSSES = 3
"""The number of workers in a row that a lot may cost without an outcome."""

NEW_WORKERS = 0.5
"""Seconds between two looks at the number of workers."""

FEW = 50
"""Up to this many databases, progress shows every activity; of more, what is unusual."""


async def run_on_workers(
    tasks: Sequence[Task[T]],
    limits: Limits,
    *,
    workers: Workers | str | int,
    stop: Stop | None = None,
) -> tuple[Outcome[T], ...]:
    """Run *tasks* on *workers*, each after its predecessors; their order has no cycle.

    Raises:
        UsageError: The workers cannot be used; nothing ran.
    """
    chosen = workers if isinstance(workers, Workers) else Workers(address=str(workers))
    engine = await anyio.to_thread.run_sync(engine_of, chosen.address)
    project = _project_of(tasks)
    work = {task.key: work_of(task) for task in tasks}
    setup = Setup(version=__version__, project=project)
    with telemetry.run() as run_id:
        async with engine.connect(chosen.address, setup) as cluster:
            run_ = _Run(
                cluster=cluster,
                tasks={task.key: task for task in tasks},
                work=work,
                limits=limits,
                lot_size=chosen.lot_size,
                project=str(project.path),
                run_id=run_id,
            )
            await run_.run_all(stop)
    return tuple(run_.record.outcome_of(task) for task in tasks)


def _project_of(tasks: Sequence[Task[object]]) -> Project:
    """Return the project that the workers load.

    Raises:
        UsageError: There is none that declares all databases.
    """
    projects: dict[str, Project] = {}
    for task in tasks:
        if task.config.project is None:
            raise UsageError(
                "workers cannot use it, because no configuration file declares it",
                database=task.config.database_name,
                next_step="Declare it with database_config in a dbwarden.py.",
            )
        projects[str(task.config.project.path)] = task.config.project
    if len(projects) > 1:
        raise UsageError(
            f"workers run the databases of one project, not of {len(projects)}",
            next_step=f"Run each on its own: {', '.join(sorted(projects))}.",
        )
    return projects.popitem()[1]


@dataclass(slots=True, kw_only=True)
class _Run:
    """The state of one run on workers."""

    cluster: Cluster
    tasks: Mapping[str, Task[object]]
    work: Mapping[str, LotWork]
    limits: Limits
    lot_size: int | None
    project: str
    run_id: str
    record: Record[Any] = field(init=False)
    waiting: list[Lot] = field(default_factory=list)
    running: list[LotStart] = field(default_factory=list)
    changed: anyio.Event = field(default_factory=anyio.Event)
    stopping: anyio.Event = field(default_factory=anyio.Event)

    def __post_init__(self) -> None:
        left = count_databases(self.tasks.values())
        self.record = Record(limits=self.limits, left=left, on_stop=self._drop_waiting)

    async def run_all(self, stop: Stop | None) -> None:
        async with anyio.create_task_group() as watch:
            watch.start_soon(self._stop_cluster)
            if stop is not None:
                watch.start_soon(self.record.stop_when, stop)
            for wave in waves(tuple(self.tasks.values())):
                await self._run_wave(wave)
            watch.cancel_scope.cancel()

    def _drop_waiting(self) -> None:
        self.waiting.clear()
        self.stopping.set()
        self.changed.set()

    async def _stop_cluster(self) -> None:
        await self.stopping.wait()
        await self.cluster.stop(self.record.stopped_by or "")

    async def _run_wave(self, wave: Sequence[Task[object]]) -> None:
        """Run the tasks of *wave* that may start; none waits for another."""
        ready = []
        if self.record.stopped_by is not None:
            return
        for task in wave:
            reason = blocked_by(task, self.record.outcomes)
            if reason is None:
                ready.append((task, self.work[task.key]))
            else:
                self.record.add(task, not_started(task.config.database_name, reason))
        self.waiting = [*cut(ready, max(1, self.cluster.workers), size=self.lot_size)]
        async with anyio.create_task_group() as group:
            while self.waiting or self.running:
                self.changed = anyio.Event()
                self._start_lots(group)
                with anyio.move_on_after(NEW_WORKERS if self.waiting else None):
                    await self.changed.wait()

    def _start_lots(self, group: anyio.abc.TaskGroup) -> None:
        while True:
            workers = self.cluster.workers
            grant = next_grant(self.waiting, self.running, self.limits, workers)
            if grant is None:
                return
            self.waiting.remove(grant.lot)
            self.running.append(grant)
            group.start_soon(self._run_lot, grant)

    async def _run_lot(self, grant: LotStart) -> None:
        lot = grant.lot
        by_name = {task.config.database_name: task for task in lot.tasks}
        hint = type_hints(find_operation(lot.work.operation)).get("return")
        lost: DBWardenError | None = None
        try:
            await self.cluster.run(
                self._order(grant).document(),
                partial(self._receive, by_name=by_name, hint=hint),
            )
        except (WorkerLost, EngineLost) as error:
            lost = error
        self.running.remove(grant)
        rest = tuple(task for task in lot.tasks if task.key not in self.record.outcomes)
        if rest and lost is not None:
            self._take_over(lot, rest, lost)
        self.changed.set()

    def _order(self, grant: LotStart) -> Order:
        lot, failures = grant.lot, self.limits.max_failures
        if failures is not None:
            failures = max(1, failures - self.record.failures)
        few = len(self.tasks) <= FEW
        limits = Limits(
            concurrency=grant.concurrency, per_server=grant.per_server, max_failures=failures
        )
        return Order(
            version=__version__,
            project=self.project,
            work=lot.work,
            databases=lot.members,
            limits=limits,
            run=self.run_id,
            level="debug" if few or telemetry.wants("debug") else "info",
            routine=few or telemetry.wants("info"),
        )

    def _receive(
        self, message: Json, by_name: Mapping[DatabaseName, Task[object]], hint: object
    ) -> None:
        match message:
            case {"outcome": document}:
                outcome = read_outcome(document, hint)
                task = by_name[outcome.database]
                if task.key not in self.record.outcomes:
                    self.record.add(task, outcome)
            case {"event": {"name": name, "level": level, "fields": fields}}:
                telemetry.emit(name, level=level, **fields)
            case {"refused": document}:
                error = read_error(document)
                for task in by_name.values():
                    if task.key not in self.record.outcomes:
                        self.record.add(task, _refused(task, error))

    def _take_over(self, lot: Lot, rest: tuple[Task[object], ...], lost: DBWardenError) -> None:
        """Give the *rest* of a lot to another worker, unless the run ends here."""
        losses = 1 if len(rest) < len(lot.tasks) else lot.losses + 1
        telemetry.emit("worker_lost", level="warning", error=lost.message, databases=len(rest))
        if isinstance(lost, EngineLost):
            self.record.stop(lost.message)
        stopped_by = self.record.stopped_by
        if stopped_by is None and not lot.work.repeatable:
            stopped_by = lost.message
        if stopped_by is None and losses < MOST_LOSSES:
            self.waiting.insert(0, replace(lot, tasks=rest, losses=losses))
            return
        for task in rest:
            ended = _gave_up(task, lost) if stopped_by is None else _unknown(task, stopped_by)
            self.record.add(task, ended)


def _refused(task: Task[object], error: DBWardenError) -> Outcome[Never]:
    name = task.config.database_name
    outcome = not_started(name, error.message)
    assert outcome.error is not None
    outcome.error.next_step = error.next_step
    outcome.error.location = error.location
    return outcome


def _unknown(task: Task[object], reason: str) -> Outcome[Never]:
    name = task.config.database_name
    error = Interrupted(
        f"interrupted: {reason}",
        database=name,
        next_step=f"See what was done (dbwarden history -d {name}) before you run it again.",
    )
    return Outcome(database=name, state=OutcomeState.INTERRUPTED, error=error)


def _gave_up(task: Task[object], lost: DBWardenError) -> Outcome[Never]:
    name = task.config.database_name
    error = WorkerLost(
        f"{MOST_LOSSES} workers ended in the middle of its lot; of the last, {lost.message}",
        database=name,
        next_step="Look for the cause in the log of the workers, for example too little memory. "
        "Then run the command again: the migration history records what is done.",
    )
    return Outcome(database=name, state=OutcomeState.FAILED, error=error)
