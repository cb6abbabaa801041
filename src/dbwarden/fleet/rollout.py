"""Migrate many databases, in the order in which they require each other."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import anyio

from dbwarden.config.model import DatabaseConfig
from dbwarden.errors import DBWardenError, UsageError
from dbwarden.files.migration import Migration, Requirement
from dbwarden.fleet.requirements import Stage, any_requirement, stages
from dbwarden.fleet.running import Limits, Outcome, Task, run_tasks
from dbwarden.operations.migrate import MigrateResult, migrate
from dbwarden.operations.operation import files_once, look, migration_files
from dbwarden.types import DatabaseName, format_version

Outcomes = tuple[Outcome[MigrateResult], ...]


async def migrate_all(
    databases: Sequence[DatabaseConfig],
    *,
    known: Sequence[DatabaseConfig] | None = None,
    limits: Limits | None = None,
    canary: str | None = None,
    stop: anyio.Event | None = None,
    **options: Any,
) -> Outcomes:
    """Migrate all *databases* at once, those with ``-- requires:`` after what they require.

    Args:
        databases: Which ones; outcomes come back in this order.
        known: All configured databases, where *databases* are only some of them: what is required
            of the others is looked up in their ledgers.
        limits: How many at a time, and when to stop.
        canary: The name of the database that goes first; the others start only if it succeeds.
            What its migrations require of other databases goes before it.
        stop: Setting it stops the run (Ctrl-C).
        options: What :func:`dbwarden.migrate` takes: ``to``, ``count``, ``dry_run`` ...

    Returns:
        One outcome per database.

    Raises:
        MigrationFileError: What is required does not exist, or goes round in a circle.
        UsageError: The canary is not one of *databases*.
    """
    if canary is not None and canary not in {item.database_name for item in databases}:
        raise UsageError(
            f"the canary {canary} is not one of the databases of this run",
            next_step="Name one that -d or --all selects.",
        )
    everybody = {item.database_name: item for item in (*(known or ()), *databases)}
    async with files_once(everybody.values()):
        files = await _files(tuple(everybody.values()))
        rollout = _Rollout(everybody=everybody, options=options)
        tasks = rollout.tasks(databases, files, canary)
        outcomes = await run_tasks(tasks, limits or Limits(), stop=stop)
    return merged(databases, tasks, outcomes)


async def _files(
    databases: Sequence[DatabaseConfig],
) -> Mapping[DatabaseName, Sequence[Migration]]:
    """The files of each database.

    A folder that cannot be read is its own migrate's to report, unless some migration requires
    another database: then nobody can tell the order, and nothing runs.
    """
    found: dict[DatabaseName, Sequence[Migration]] = {}
    errors: list[DBWardenError] = []
    for config in databases:
        try:
            found[config.database_name] = await migration_files(config)
        except DBWardenError as error:
            found[config.database_name] = ()
            errors.append(error)
    if errors and any_requirement(found):
        raise errors[0]
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rollout:
    """One migrate of many: which tasks it has, and what each waits for."""

    everybody: Mapping[DatabaseName, DatabaseConfig]
    options: Mapping[str, Any]

    def tasks(
        self,
        databases: Sequence[DatabaseConfig],
        files: Mapping[DatabaseName, Sequence[Migration]],
        canary: str | None,
    ) -> tuple[Task[MigrateResult], ...]:
        """A task for each stage of each database."""
        names = [config.database_name for config in databases]
        staged = self._stages(files, names)
        keys = {stage.key: stage for stage in staged}
        first = frozenset(key for key, stage in keys.items() if stage.database == canary)
        ahead = _needed(first, keys, files)
        return tuple(self._task(stage, staged, files, first, ahead) for stage in staged)

    def _stages(
        self, files: Mapping[DatabaseName, Sequence[Migration]], names: Sequence[DatabaseName]
    ) -> tuple[Stage, ...]:
        """A limited or dry run keeps to the limits that it was given, in one stage each."""
        staged = stages(files, names)
        if not any(self.options.get(name) for name in ("to", "count", "dry_run")):
            return staged
        needs: dict[DatabaseName, tuple[Requirement, ...]] = dict.fromkeys(names, ())
        for stage in staged:
            needs[stage.database] += stage.requires
        dry = bool(self.options.get("dry_run"))
        return tuple(
            Stage(database=name, level=0, to=None, requires=() if dry else needs[name])
            for name in names
        )

    def _task(
        self,
        stage: Stage,
        staged: Sequence[Stage],
        files: Mapping[DatabaseName, Sequence[Migration]],
        first: frozenset[str],
        ahead: frozenset[str],
    ) -> Task[MigrateResult]:
        # Nearly all have one stage: who looks for earlier ones of each reads all for each.
        earlier = staged if stage.level else ()
        own = {s.key for s in earlier if s.database == stage.database and s.level < stage.level}
        needed = {
            key
            for need in stage.requires
            for key in _keys_with(need, staged, files)
            if key != stage.key
        }
        options = dict(self.options)
        if stage.to is not None:
            options |= {"to": format_version(stage.to), "at_least": True}
        config = self.everybody[stage.database]
        return Task(
            key=stage.key,
            config=config,
            operation=partial(migrate, **options),
            after=frozenset(own) | (first if stage.key not in ahead else frozenset()),
            settled=frozenset(needed),
            gate=self._gate(stage) if stage.requires else None,
        )

    def _gate(self, stage: Stage) -> Callable[[], Awaitable[str | None]]:
        async def gate() -> str | None:
            for need in stage.requires:
                if (reason := await self._unmet(need)) is not None:
                    return reason
            return None

        return gate

    async def _unmet(self, need: Requirement) -> str | None:
        """Why the requirement is not met: the required database's own ledger is asked."""
        version = format_version(need.version)
        said = f"it requires {need.database}@{version}"
        try:
            reading = await look(self.everybody[need.database])
        except DBWardenError as error:
            return f"{said}, and {need.database} cannot be read: {error.message}"
        applied = {row.key for row in reading.rows or () if row.live and row.finished_at}
        return None if version in applied else f"{said}, which is not applied"


def _needed(
    first: frozenset[str],
    stages_by_key: Mapping[str, Stage],
    files: Mapping[DatabaseName, Sequence[Migration]],
) -> frozenset[str]:
    """The stages of *first* and all that those wait for: none of them can wait for *first*."""
    staged = tuple(stages_by_key.values())
    found: set[str] = set()
    left = list(first)
    while left:
        key = left.pop()
        if key in found:
            continue
        found.add(key)
        stage = stages_by_key[key]
        left += [s.key for s in staged if s.database == stage.database and s.level < stage.level]
        left += [other for need in stage.requires for other in _keys_with(need, staged, files)]
    return frozenset(found)


def _keys_with(
    need: Requirement, staged: Sequence[Stage], files: Mapping[DatabaseName, Sequence[Migration]]
) -> list[str]:
    """The stages of the required database up to the one that applies what is required."""
    keys: list[str] = []
    order = [item.version for item in files.get(need.database, ()) if item.version is not None]
    for stage in staged:
        if stage.database != need.database:
            continue
        keys.append(stage.key)
        if stage.to is not None and order.index(stage.to) >= order.index(need.version):
            break
    return keys


def merged(
    databases: Sequence[DatabaseConfig],
    tasks: Sequence[Task[MigrateResult]],
    outcomes: Sequence[Outcome[MigrateResult]],
) -> Outcomes:
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
        whole = replace(results[-1], applied=tuple(run for item in results for run in item.applied))
    return replace(decisive, result=whole, duration_ms=sum(durations) if durations else None)
