"""Migrate many databases in the order of their requirements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import DBWardenError, UsageError
from dbwarden.files.migration import Migration, Requirement
from dbwarden.fleet.dispatching import dispatch
from dbwarden.fleet.gates import gate_of
from dbwarden.fleet.requirements import FilesByDatabase, RolloutStage, any_requirement, plan_stages
from dbwarden.fleet.running import Limits, Outcome, Task
from dbwarden.operations.migrate import MigrateResult, migrate
from dbwarden.operations.operation import files_once, migration_files
from dbwarden.types import DatabaseName, format_version

if TYPE_CHECKING:
    from dbwarden.fleet.workers.protocol import Workers

MigrateOutcomes = tuple[Outcome[MigrateResult], ...]


async def migrate_all(
    databases: Sequence[DatabaseConfig],
    *,
    known: Sequence[DatabaseConfig] | None = None,
    limits: Limits | None = None,
    canary: str | None = None,
    stop: anyio.Event | None = None,
    workers: "Workers | str | int | None" = None,
    **options: Any,
) -> MigrateOutcomes:
    """Migrate *databases* concurrently, those with ``-- requires:`` after their requirements.

    Args:
        databases: The databases to migrate; outcomes are returned in this order.
        known: All configured databases, if *databases* are only some of them. Requirements on the
            others are looked up in their migration histories.
        limits: Concurrency, and when to stop.
        canary: The database to migrate first; the others start only if it succeeds. The
            requirements of its migrations run before it.
        stop: Stops the run when set (Ctrl-C).
        workers: Processes on this machine, or the address of an engine; see
            :func:`dbwarden.fleet.run`.
        options: Options of :func:`dbwarden.migrate`: ``to``, ``count``, ``dry_run`` ...

    Returns:
        One outcome per database.

    Raises:
        MigrationFileError: A requirement does not exist, or requirements form a cycle.
        UsageError: The canary is not one of *databases*.
    """
    if canary is not None and canary not in {item.database_name for item in databases}:
        raise UsageError(
            f"the canary {canary} is not one of the databases of this run",
            next_step="Name one that -d or --all selects.",
        )
    databases_by_name = {item.database_name: item for item in (*(known or ()), *databases)}
    async with files_once(databases_by_name.values()):
        files = await _files(tuple(databases_by_name.values()))
        staged = _stages(files, [config.database_name for config in databases], options)
        tasks = _Rollout(
            databases_by_name=databases_by_name, files=files, staged=staged, options=options
        ).tasks(canary)
        outcomes = await dispatch(tasks, limits or Limits(), stop=stop, workers=workers)
    return merge_outcomes(databases, tasks, outcomes)


async def _files(databases: Sequence[DatabaseConfig]) -> FilesByDatabase:
    """Return the files of each database.

    The migrate of a database reports its unreadable folder, unless some migration requires another
    database. Then the order is unknown, and nothing runs.
    """
    files: dict[DatabaseName, Sequence[Migration]] = {}
    errors: list[DBWardenError] = []
    for config in databases:
        try:
            files[config.database_name] = await migration_files(config)
        except DBWardenError as error:
            files[config.database_name] = ()
            errors.append(error)
    if errors and any_requirement(files):
        raise errors[0]
    return files


def _stages(
    files: FilesByDatabase, names: Sequence[DatabaseName], options: Mapping[str, Any]
) -> tuple[RolloutStage, ...]:
    """Return the stages; a limited or dry run has one stage per database."""
    staged = plan_stages(files, names)
    if not any(options.get(name) for name in ("to", "count", "dry_run")):
        return staged
    needs: dict[DatabaseName, tuple[Requirement, ...]] = dict.fromkeys(names, ())
    for stage in staged:
        needs[stage.database] += stage.requires
    dry = bool(options.get("dry_run"))
    return tuple(
        RolloutStage(database=name, level=0, to=None, requires=() if dry else needs[name])
        for name in names
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rollout:
    """The stages of one fleet migrate, and the files that decide on their order."""

    databases_by_name: Mapping[DatabaseName, DatabaseConfig]
    files: FilesByDatabase
    staged: tuple[RolloutStage, ...]
    options: Mapping[str, Any]

    def tasks(self, canary: str | None) -> tuple[Task[MigrateResult], ...]:
        """Return a task for each stage; those that *canary* does not require wait for it."""
        tasks = {stage.key: self._task(stage) for stage in self.staged}
        first = frozenset(stage.key for stage in self.staged if stage.database == canary)
        ahead, added = set[str](), set(first)
        while added:
            ahead |= added
            needed = (tasks[key].after | tasks[key].finished for key in added)
            added = set[str]().union(*needed) - ahead
        return tuple(
            task if key in ahead else replace(task, after=task.after | first)
            for key, task in tasks.items()
        )

    def _task(self, stage: RolloutStage) -> Task[MigrateResult]:
        options = dict(self.options)
        if stage.to is not None:
            options |= {"to": format_version(stage.to), "at_least": True}
        needed = {key for need in stage.requires for key in self._keys_with(need)}
        return Task(
            key=stage.key,
            config=self.databases_by_name[stage.database],
            operation=partial(migrate, **options),
            after=frozenset(self._earlier(stage)),
            finished=frozenset(needed - {stage.key}),
            requires=stage.requires,
            gate=gate_of(stage.requires, self.databases_by_name.__getitem__),
        )

    def _earlier(self, stage: RolloutStage) -> list[str]:
        """Return the earlier stages of the same database."""
        # Most databases have one stage. Searching earlier ones for each would be quadratic.
        others = self.staged if stage.level else ()
        return [s.key for s in others if s.database == stage.database and s.level < stage.level]

    def _keys_with(self, need: Requirement) -> list[str]:
        """Return the stages of the required database up to the one that meets *need*."""
        keys: list[str] = []
        files = self.files.get(need.database, ())
        order = [item.version for item in files if item.version is not None]
        for stage in self.staged:
            if stage.database != need.database:
                continue
            keys.append(stage.key)
            if stage.to is not None and order.index(stage.to) >= order.index(need.version):
                break
        return keys


def merge_outcomes(
    databases: Sequence[DatabaseConfig],
    tasks: Sequence[Task[MigrateResult]],
    outcomes: Sequence[Outcome[MigrateResult]],
) -> MigrateOutcomes:
    """One outcome per database: of its first stage that did not succeed, else of its last."""
    by_name: dict[DatabaseName, list[Outcome[MigrateResult]]] = {}
    for task, outcome in zip(tasks, outcomes, strict=True):
        by_name.setdefault(task.config.database_name, []).append(outcome)
    return tuple(_merge(by_name[config.database_name]) for config in databases)


def _merge(parts: Sequence[Outcome[MigrateResult]]) -> Outcome[MigrateResult]:
    if len(parts) == 1:
        return parts[0]
    decisive = next((part for part in parts if not part.succeeded), parts[-1])
    results = [part.result for part in parts if part.result is not None]
    durations = [part.duration_ms for part in parts if part.duration_ms is not None]
    whole = None
    if results:
        whole = replace(
            results[-1],
            applied=tuple(run for item in results for run in item.applied),
            drift=tuple(dict.fromkeys(name for item in results for name in item.drift)),
        )
    return replace(decisive, result=whole, duration_ms=sum(durations) if durations else None)
