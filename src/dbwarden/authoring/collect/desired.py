"""Build the desired schema from models and schema files."""

import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

from dbwarden.authoring.collect.desired_state import Compilation, DesiredState
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.config.threads import in_own_thread
from dbwarden.dialects.authoring import as_migration
from dbwarden.errors import ConfigurationError, UsageError
from dbwarden.files.disk import read_regular
from dbwarden.files.migration import Migration
from dbwarden.kinds import dialect_for
from dbwarden.schema.garbage import garbage_collection_disabled
from dbwarden.types import Location

ONE_AT_A_TIME = threading.Lock()
"""Databases share modules and MetaData. This lock keeps one from reading models that another is
importing, or that DDL events have temporarily changed."""


async def import_desired(how: Compilation) -> DesiredState:
    """Import the models and read the schema files, in a thread of its own.

    Raises:
        UsageError: The database has neither.
        ConfigurationError: They cannot be read, or are inconsistent.
    """
    config = how.config
    if not config.model_paths and not config.schema_paths:
        raise UsageError(
            "its model_paths name no module, so there is nothing to compare the migrations with",
            database=config.database_name,
            next_step="Name the modules of the models, as in model_paths=['app.models'], or SQL "
            "files with schema_paths=; to write the SQL yourself: dbwarden new.",
        )
    return await in_own_thread(partial(read_desired, how))


def read_desired(how: Compilation) -> DesiredState:
    """Import the models and read the schema files, of one database at a time. Blocking."""
    try:
        files = tuple(_schema_file(how.config, path) for path in _schema_files(how.config))
        return replace(_read_models(how), files=files)
    except ConfigurationError as error:
        error.database = error.database or how.config.database_name
        raise


def _read_models(how: Compilation) -> DesiredState:
    if not how.config.model_paths:
        return DesiredState()
    # Imported lazily, because SQLAlchemy takes 0.25 s and schema files alone do not need it.
    from dbwarden.authoring.collect.compile_models import build, has_undecided_storage
    from dbwarden.authoring.collect.model_expressions import hints
    from dbwarden.authoring.collect.models import owned_tables

    with ONE_AT_A_TIME, garbage_collection_disabled():
        owned = owned_tables(how.config, how.config.siblings, how.setup)
        return replace(
            build(how, owned),
            hints=hints(owned, how.dialect.sqlalchemy_url),
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
            f"the schema file cannot be read: {why}", location=Location(path=path)
        ) from error
    migration = as_migration(path, text, config.database_name)
    # Check its syntax before a server runs.
    dialect_for(config.database_type).steps(migration, migration.upgrade)
    return migration
