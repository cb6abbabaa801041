"""Build the desired schema from models and schema files."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread

from dbwarden.authoring.collect.hints import NO_HINTS, Hints
from dbwarden.authoring.collect.refused import Refused, name_origin, without
from dbwarden.authoring.collect.set_up import SetUp
from dbwarden.authoring.scratch_session import Source
from dbwarden.config.model import DatabaseConfig
from dbwarden.config.threads import in_own_thread
from dbwarden.dialects.authoring import AuthoringDialect, ScratchDatabase, as_migration
from dbwarden.errors import ConfigurationError, ScratchRefused, UsageError
from dbwarden.files.disk import read_regular
from dbwarden.files.migration import Migration
from dbwarden.kinds import dialect_for
from dbwarden.schema.garbage import garbage_collection_disabled
from dbwarden.types import Location

if TYPE_CHECKING:  # SQLAlchemy takes 0.25 s to import
    from dbwarden.authoring.collect.origins import Origin

ONE_AT_A_TIME = threading.Lock()
"""Databases share modules and MetaData. This lock keeps one from reading models that another is
importing, or that DDL events have temporarily changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredState:
    """The SQL of models and schema files, in order, and the hints of the models.

    ``origins`` maps statements to parts of the models; ``refused`` lists the parts left out.
    ``storage_undecided`` is true if the server decides whether a generated column is stored.
    """

    statements: tuple[str, ...] = ()
    files: tuple[Migration, ...] = ()
    hints: Hints = field(default_factory=lambda: NO_HINTS)
    origins: Mapping[str, "Origin"] = field(default_factory=dict)
    refused: tuple[Refused, ...] = ()
    storage_undecided: bool = False

    @property
    def source(self) -> Source:
        """The source that runs the schema files, then the models, which may use their objects."""

        async def build(database: ScratchDatabase) -> None:
            for file in self.files:
                await database.replay(file, file.upgrade)
            if not self.statements:
                return
            try:
                await database.execute(self.statements)
            except ScratchRefused as error:
                raise await self._named(error) from error.__cause__

        texts = tuple(file.upgrade.text for file in self.files)
        return Source(parts=("wanted", *texts, "models", *self.statements), build=build)

    async def _named(self, error: ScratchRefused) -> ScratchRefused:
        return await anyio.to_thread.run_sync(name_origin, error, self.origins)

    async def without(self, error: ScratchRefused) -> "DesiredState | None":
        """Return the state without the part that caused *error*, ``None`` if it is unknown."""
        left = await anyio.to_thread.run_sync(without, self.statements, self.origins, error)
        if left is None:
            return None
        statements, refused = left
        return replace(self, statements=statements, refused=(*self.refused, *refused))


async def import_desired(
    config: DatabaseConfig,
    authoring_dialect: AuthoringDialect,
    setup: SetUp | None = None,
    *,
    keep_going: bool = False,
    stored: bool = False,
) -> DesiredState:
    """Import the models and read the schema files, in a thread of its own.

    Args:
        config: The database.
        authoring_dialect: The authoring dialect of its kind.
        setup: The objects of ``scratch_setup``.
        keep_going: Leave out parts that cannot be written as SQL.

    Raises:
        UsageError: The database has neither.
        ConfigurationError: They cannot be read, or are inconsistent.
    """
    if not config.model_paths and not config.schema_paths:
        raise UsageError(
            "its model_paths name no module, so there is nothing to compare the migrations with",
            database=config.database_name,
            next_step="Name the modules of the models, as in model_paths=['app.models'], or SQL "
            "files with schema_paths=; to write the SQL yourself: dbwarden new.",
        )
    read = partial(
        read_desired, config, authoring_dialect, setup, keep_going=keep_going, stored=stored
    )
    return await in_own_thread(read)


def read_desired(
    config: DatabaseConfig,
    authoring_dialect: AuthoringDialect,
    setup: SetUp | None = None,
    *,
    keep_going: bool = False,
    stored: bool = False,
) -> DesiredState:
    """Import the models and read the schema files, of one database at a time. Blocking."""
    files = tuple(_schema_file(config, path) for path in _schema_files(config))
    if not config.model_paths:
        return DesiredState(files=files)
    # Imported lazily, because SQLAlchemy takes 0.25 s and schema files alone do not need it.
    from dbwarden.authoring.collect.compile_models import build, has_undecided_storage
    from dbwarden.authoring.collect.model_expressions import hints
    from dbwarden.authoring.collect.models import owned_tables

    with ONE_AT_A_TIME, garbage_collection_disabled():
        owned = owned_tables(config, config.siblings, setup)
        url = authoring_dialect.sqlalchemy_url
        models = build(
            config,
            owned,
            url=url,
            namespace=authoring_dialect.namespace,
            setup=setup,
            keep_going=keep_going,
            stored=stored,
        )
        return DesiredState(
            statements=models.statements,
            files=files,
            hints=hints(owned, url),
            origins=models.origins,
            refused=models.refused,
            storage_undecided=any(has_undecided_storage(item.tables) for item in owned),
        )


def _schema_files(config: DatabaseConfig) -> list[Path]:
    files: list[Path] = []
    for path in config.schema_paths:
        if path.is_dir():
            files += sorted(path.rglob("*.sql"))
        elif path.exists():
            files.append(path)
        else:
            raise ConfigurationError(
                f"schema_paths names {path}, which does not exist",
                database=config.database_name,
                next_step="Relative paths count from the folder of the configuration file.",
            )
    return files


def _schema_file(config: DatabaseConfig, path: Path) -> Migration:
    """Read a schema file as the upgrade of a migration, so that it runs in the same way."""
    try:
        text = read_regular(path).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigurationError(
            f"the schema file cannot be read: {why}",
            database=config.database_name,
            location=Location(path=path),
        ) from error
    migration = as_migration(path, text, config.database_name)
    dialect_for(config.database_type).steps(
        migration, migration.upgrade
    )  # its syntax, before a server runs
    return migration
