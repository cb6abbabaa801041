"""Select the databases of the commands that write migrations; tenants share their files."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from dbwarden.cli import output
from dbwarden.cli.options import LiveOptions, Project
from dbwarden.cli.run import load_project
from dbwarden.config.model import DatabaseConfig
from dbwarden.errors import UsageError


class DatabaseOptions(Protocol):
    """The options that name databases."""

    @property
    def database(self) -> tuple[str, ...]:
        """Names and patterns."""
        ...

    @property
    def all(self) -> bool:
        """Every database."""
        ...

    @property
    def timeout(self) -> float | None:
        """Seconds for each, 0 for no limit."""
        ...


async def select_with_files(
    options: Project, selection: DatabaseOptions, *, patient: bool = False
) -> tuple[DatabaseConfig, ...]:
    """Return the databases of *selection*, one of each group that shares its migration files.

    Tenants are named by their shared name, a pattern, or the name of one of them. *patient* lifts
    the default time limit, because a person is asked.

    Raises:
        UnknownDatabase: A name or pattern matches no database.
        UsageError: ``--all`` with ``-d``, no default database, or a replica.
    """
    _check_options(selection)
    project = await load_project(options)
    if selection.all:
        configs = project.authors
    elif selection.database:
        await project.expand([name for name in selection.database if not project.shares(name)])
        configs = tuple(
            config for name in selection.database for config in project.written_for(name)
        )
    else:
        configs = (project.default,)
    for config in configs:
        _refuse_replica(config)
    return _with_timeout(_one_per_folder(configs), selection, patient=patient)


async def select_live(
    options: Project, selection: LiveOptions, *, patient: bool = False
) -> tuple[DatabaseConfig, ...]:
    """Return the live databases of *selection*, including tenants; ``--all`` excludes replicas.

    Raises:
        UnknownDatabase: A name or pattern matches no database.
        UsageError: ``--all`` with ``-d``, no default database, or the shared name of tenants.
    """
    _check_options(selection)
    project = await load_project(options)
    for family in project.families:
        if family.name in selection.database:
            pattern = family.pattern.glob
            raise UsageError(
                f"{family.name} is the shared name of tenants, not a live database",
                next_step=f"Name one of {pattern}, or all of them: -d '{pattern}'.",
            )
    await project.expand(selection.database, all_databases=selection.all)
    configs: Iterable[DatabaseConfig] = project.select(
        selection.database, all_databases=selection.all
    )
    if selection.all:
        configs = [config for config in configs if config.replica_of is None]
    if selection.dev:
        configs = [config.for_dev() for config in configs]
    return _with_timeout(configs, selection, patient=patient)


async def select_to_write(
    options: LiveOptions, *, from_live: bool, patient: bool
) -> tuple[DatabaseConfig, ...]:
    """Return the databases to write a migration for, from their files or *from_live*."""
    if from_live:
        return refuse_shared_files(await select_live(options, options, patient=patient))
    return await select_with_files(options, options, patient=patient)


def select_described(configs: Sequence[DatabaseConfig]) -> tuple[DatabaseConfig, ...]:
    """Return the databases that have models or schema files, and note the others."""
    described = tuple(config for config in configs if config.model_paths or config.schema_paths)
    if not described:
        return tuple(configs)
    output.note(
        *(
            f"{config.files_of}: skipped because it has no model_paths and no schema_paths."
            for config in configs
            if config not in described
        )
    )
    return described


def refuse_shared_files(configs: Sequence[DatabaseConfig]) -> tuple[DatabaseConfig, ...]:
    """Return *configs* if no two of them share their migration files.

    Raises:
        UsageError: Two share them; a file can only be written from one database.
    """
    if len(_one_per_folder(configs)) < len(configs):
        raise UsageError(
            "these databases share their migration files, which are written from one of them",
            next_step=f"Name one of them: -d {configs[0].database_name}.",
        )
    return tuple(configs)


def _check_options(selection: DatabaseOptions) -> None:
    if selection.all and selection.database:
        raise UsageError("--all and -d exclude each other", next_step="Give one of them.")
    if selection.timeout is not None and selection.timeout < 0:
        raise UsageError("--timeout takes seconds, 0 or more")


def _one_per_folder(configs: Iterable[DatabaseConfig]) -> tuple[DatabaseConfig, ...]:
    first: dict[object, DatabaseConfig] = {}
    for config in configs:
        first.setdefault((config.files_of, config.migrations_dir), config)
    return tuple(first.values())


def _refuse_replica(config: DatabaseConfig) -> None:
    if config.replica_of is not None:
        raise UsageError(
            f"a replica has no migrations of its own; it follows {config.replica_of}",
            database=config.database_name,
            next_step=f"Use -d {config.replica_of}.",
        )


def _with_timeout(
    configs: Iterable[DatabaseConfig], selection: DatabaseOptions, *, patient: bool
) -> tuple[DatabaseConfig, ...]:
    timeout = 0.0 if selection.timeout is None and patient else selection.timeout
    if timeout is None:
        return tuple(configs)
    return tuple(replace(config, timeout=timeout or None) for config in configs)
