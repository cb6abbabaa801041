"""Which databases the commands mean that write migrations: tenants share theirs."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from dbwarden.cli import output
from dbwarden.cli.options import LiveOptions, Project
from dbwarden.cli.run import project
from dbwarden.config.model import DatabaseConfig
from dbwarden.errors import UsageError


class Asked(Protocol):
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


async def with_files(
    options: Project, asked: Asked, *, patient: bool = False
) -> tuple[DatabaseConfig, ...]:
    """The databases that *asked* names, once for those that share their migration files.

    Tenants go by the name that they share, by a pattern, or by the name of one. *patient* waits
    for a person without a limit.

    Raises:
        UnknownDatabase: A name or pattern that fits none.
        UsageError: ``--all`` beside ``-d``, no default, or a replica is named.
    """
    _refuse_nonsense(asked)
    found = await project(options)
    if asked.all:
        configs = found.authors
    elif asked.database:
        await found.expand([name for name in asked.database if not found.shares(name)])
        configs = tuple(config for name in asked.database for config in found.written_for(name))
    else:
        configs = (found.default,)
    for config in configs:
        _refuse_replica(config)
    return _timed(_once(configs), asked, patient=patient)


async def that_live(
    options: Project, asked: LiveOptions, *, patient: bool = False
) -> tuple[DatabaseConfig, ...]:
    """The live databases that *asked* names, each tenant's too; ``--all`` leaves replicas out.

    Raises:
        UnknownDatabase: A name or pattern that fits none.
        UsageError: ``--all`` beside ``-d``, no default, or a name that tenants share.
    """
    _refuse_nonsense(asked)
    found = await project(options)
    for family in found.families:
        if family.name in asked.database:
            pattern = family.pattern.glob
            raise UsageError(
                f"{family.name} is what tenants share, and no live database",
                next_step=f"Name one of {pattern}, or all of them: -d '{pattern}'.",
            )
    await found.expand(asked.database, all_databases=asked.all)
    configs: Iterable[DatabaseConfig] = found.select(asked.database, all_databases=asked.all)
    if asked.all:
        configs = [config for config in configs if config.replica_of is None]
    if asked.dev:
        configs = [config.for_dev() for config in configs]
    return _timed(configs, asked, patient=patient)


async def to_write(
    options: Project, asked: LiveOptions, *, from_live: bool, patient: bool
) -> tuple[DatabaseConfig, ...]:
    """Those for which a migration is written from the files or, one each, *from_live*."""
    if from_live:
        return one_of_each(await that_live(options, asked, patient=patient))
    return await with_files(options, asked, patient=patient)


def described(configs: Sequence[DatabaseConfig]) -> tuple[DatabaseConfig, ...]:
    """Of all databases those with models or schema files; others are written by hand, and named."""
    some = tuple(config for config in configs if config.model_paths or config.schema_paths)
    if not some:
        return tuple(configs)
    output.note(
        *(
            f"{config.files_of}: left out, because it has no model_paths and no schema_paths."
            for config in configs
            if config not in some
        )
    )
    return some


def one_of_each(configs: Sequence[DatabaseConfig]) -> tuple[DatabaseConfig, ...]:
    """*configs*, of which no two may share their migration files.

    Raises:
        UsageError: Two do, and a file could be written from one of them only.
    """
    if len(_once(configs)) < len(configs):
        raise UsageError(
            "these databases share their migration files, which are written from one of them",
            next_step=f"Name the one to go by: -d {configs[0].database_name}.",
        )
    return tuple(configs)


def _refuse_nonsense(asked: Asked) -> None:
    if asked.all and asked.database:
        raise UsageError("--all and -d exclude each other", next_step="Give one of them.")
    if asked.timeout is not None and asked.timeout < 0:
        raise UsageError("--timeout takes seconds, 0 or more")


def _once(configs: Iterable[DatabaseConfig]) -> tuple[DatabaseConfig, ...]:
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


def _timed(
    configs: Iterable[DatabaseConfig], asked: Asked, *, patient: bool
) -> tuple[DatabaseConfig, ...]:
    timeout = 0.0 if asked.timeout is None and patient else asked.timeout
    if timeout is None:
        return tuple(configs)
    return tuple(replace(config, timeout=timeout or None) for config in configs)
