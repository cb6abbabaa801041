"""Select the databases that a command works on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import partial
from typing import assert_never

import anyio.to_thread

from dbwarden import fleet
from dbwarden.cli import output
from dbwarden.cli.options import CommandOptions, FleetOptions
from dbwarden.config import loading
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.config.project import Project, is_glob
from dbwarden.config.threads import in_own_thread
from dbwarden.errors import UsageError


class Which(Enum):
    """The databases that ``-d`` and ``--all`` of a command mean."""

    ANY = auto()
    """Live databases, with tenants and replicas."""
    LIVE = auto()
    """Live databases; ``--all`` excludes replicas."""
    WRITABLE = auto()
    """Live databases without replicas."""
    FILES = auto()
    """One database for each folder of migrations; tenants share one, replicas have none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The databases that a command works on, in configured order."""

    project: Project
    options: FleetOptions
    databases: tuple[DatabaseConfig, ...]

    @property
    def requirable(self) -> tuple[DatabaseConfig, ...]:
        """Every database that a ``-- requires:`` may name.

        Tenants that are not selected are excluded, because migrating the database that holds the
        list of tenants must not need that list.
        """
        every = (config for config in self.project.databases if config.replica_of is None)
        dev = self.options.dev
        return _adjusted([c for c in every if not dev or c.dev_database_url], self.options)

    def described(self) -> "Selection":
        """Return the selection without databases that have no models and no schema files.

        A note names those that ``--all`` selected. If no database has any, all remain.
        """
        if not self.options.all:
            return self
        described = tuple(c for c in self.databases if c.model_paths or c.schema_paths)
        if not described:
            return self
        output.note(
            *(
                f"{config.files_of}: skipped because it has no model_paths and no schema_paths."
                for config in self.databases
                if config not in described
            )
        )
        return replace(self, databases=described)

    def for_writing(self) -> "Selection":
        """Return the selection if the migration files of its databases can be written.

        Raises:
            UsageError: Two databases share their files, which are written from one of them; or the
                workers are on other machines, which do not have the files of this project.
        """
        workers = self.options.workers
        if workers is not None and not workers.isdecimal():
            raise UsageError(
                "this command writes files of this project, so its workers are on this machine",
                next_step="Give a number of processes, as in --workers 4.",
            )
        if len(_one_per_folder(self.databases)) < len(self.databases):
            raise UsageError(
                "these databases share their migration files, which are written from one of them",
                next_step=f"Name one of them: -d {self.databases[0].database_name}.",
            )
        return self


async def load_project(options: CommandOptions) -> Project:
    """Load the project that the options name, or the discovered one.

    Raises:
        UsageError: The report of this run could not be written.
    """
    if isinstance(options, FleetOptions) and options.report is not None:
        await anyio.to_thread.run_sync(output.check_place, options.report)
    return await in_own_thread(partial(loading.load_project, options.config))


async def select(
    options: FleetOptions,
    which: Which = Which.ANY,
    *,
    unlisted: bool = False,
    live_flag: str | None = None,
) -> Selection:
    """Return the databases that the options name; the default database if they name none.

    *unlisted* also accepts a tenant that is not listed yet. *live_flag* is the option with which
    the command reads live databases instead of files.

    Raises:
        UnknownDatabase: A name or pattern matches no database.
        UsageError: ``--all`` with ``-d``, ``--dev`` without a live database, no default database,
            or a database without its own migrations where they are needed.
    """
    if options.dev and which is Which.FILES:
        raise UsageError(
            "--dev selects a live database, but this command reads none",
            next_step=f"Add {live_flag}, or leave --dev out." if live_flag else "Leave --dev out.",
        )
    if options.all and options.database:
        raise UsageError("--all and -d exclude each other", next_step="Give one of them.")
    project = await load_project(options)
    match which:
        case Which.FILES:
            configs = await _with_files(project, options)
        case Which.ANY:
            configs = await _live(project, options, unlisted=unlisted)
        case Which.LIVE:
            configs = await _live(project, options, unlisted=unlisted)
            configs = _without_replicas(configs) if options.all else configs
        case Which.WRITABLE:
            configs = await _live(project, options, unlisted=unlisted)
            configs = _without_replicas(configs, options.database)
        case _:
            assert_never(which)
    if options.shard is not None:
        configs = fleet.Shard.parse(options.shard).of(configs)
    databases = _adjusted(configs, options)
    return Selection(project=project, options=options, databases=databases)


async def _live(
    project: Project, options: FleetOptions, *, unlisted: bool
) -> Sequence[DatabaseConfig]:
    for family in project.families:
        if family.name in options.database:
            pattern = family.pattern.glob
            raise UsageError(
                f"{family.name} is the shared name of tenants, not a live database",
                next_step=f"Name one of {pattern}, or all of them: -d '{pattern}'.",
            )
    # The name of an unlisted tenant suffices; the list of tenants is not queried.
    listed = [name for name in options.database if not unlisted or is_glob(name)]
    await project.expand(listed, all_databases=options.all)
    return project.select(options.database, all_databases=options.all, unlisted=unlisted)


async def _with_files(project: Project, options: FleetOptions) -> Sequence[DatabaseConfig]:
    """Return one database of each group that shares its migration files.

    Tenants are named by their shared name, a pattern, or the name of one of them.
    """
    configs: Sequence[DatabaseConfig]
    if options.all:
        configs = project.authors
    elif options.database:
        await project.expand([name for name in options.database if not project.shares(name)])
        configs = [config for name in options.database for config in project.written_for(name)]
    else:
        configs = (project.default,)
    for config in configs:
        if config.replica_of is not None:
            raise UsageError(
                f"a replica has no migrations of its own; it follows {config.replica_of}",
                database=config.database_name,
                next_step=f"Use -d {config.replica_of}.",
            )
    return _one_per_folder(configs)


def _without_replicas(
    configs: Iterable[DatabaseConfig], named: Sequence[str] = ()
) -> Sequence[DatabaseConfig]:
    """Return *configs* without replicas.

    Raises:
        UsageError: A replica is *named*.
    """
    rest = []
    for config in configs:
        if config.replica_of is None:
            rest.append(config)
        elif config.database_name in named:
            raise UsageError(
                f"it is a replica of {config.replica_of}, which is migrated instead",
                database=config.database_name,
                next_step=f"Use -d {config.replica_of}.",
            )
    return rest


def _one_per_folder(configs: Iterable[DatabaseConfig]) -> tuple[DatabaseConfig, ...]:
    first: dict[object, DatabaseConfig] = {}
    for config in configs:
        first.setdefault((config.files_of, config.migrations_dir), config)
    return tuple(first.values())


def _adjusted(
    configs: Sequence[DatabaseConfig], options: FleetOptions
) -> tuple[DatabaseConfig, ...]:
    """Return *configs* with ``--dev`` and ``--timeout`` applied."""
    if options.dev:
        configs = [config.for_dev() for config in configs]
    if options.timeout is None:
        return tuple(configs)
    if options.timeout < 0:
        raise UsageError("--timeout takes seconds, 0 or more")
    return tuple(replace(config, timeout=options.timeout or None) for config in configs)
