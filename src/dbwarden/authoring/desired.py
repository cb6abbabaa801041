"""Models and schema files -> the source of the schema that they want."""

import threading
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from dbwarden.authoring.bench import Source
from dbwarden.authoring.hints import NO_HINTS, Hints
from dbwarden.config.model import DatabaseConfig
from dbwarden.config.threads import in_own_thread
from dbwarden.dialects.base import dialect_for
from dbwarden.dialects.scratch import ScratchDatabase, Workshop, as_migration
from dbwarden.errors import ConfigurationError, UsageError
from dbwarden.files.disk import read_regular
from dbwarden.files.migration import Migration
from dbwarden.schema.garbage import collecting_no_garbage
from dbwarden.types import Location

ONE_AT_A_TIME = threading.Lock()
"""Databases share modules and MetaData: no one may look at models that another still imports, or
that DDL events change for the moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What models and schema files ask for: SQL in order, and what only the models know."""

    statements: tuple[str, ...] = ()
    files: tuple[Migration, ...] = ()
    hints: Hints = field(default_factory=lambda: NO_HINTS)

    @property
    def source(self) -> Source:
        """The source that builds it: schema files first, so that models can use what they make."""

        async def build(database: ScratchDatabase) -> None:
            for file in self.files:
                await database.replay(file, file.upgrade)
            if self.statements:
                await database.execute(self.statements)

        texts = tuple(file.upgrade.text for file in self.files)
        return Source(parts=("wanted", *texts, "models", *self.statements), build=build)


async def wanted(config: DatabaseConfig, workshop: Workshop) -> Wanted:
    """Import the models and read the schema files, in a thread of its own.

    Raises:
        UsageError: The database has neither.
        ConfigurationError: They cannot be read, or do not fit together.
    """
    if not config.model_paths and not config.schema_paths:
        raise UsageError(
            "its model_paths name no module, so there is nothing to compare the migrations with",
            database=config.database_name,
            next_step="Name the modules of the models, as in model_paths=['app.models'], or SQL "
            "files with schema_paths=; to write the SQL yourself: dbwarden new.",
        )
    return await in_own_thread(partial(read_wanted, config, workshop))


def read_wanted(config: DatabaseConfig, workshop: Workshop) -> Wanted:
    """Import the models and read the schema files, of one database at a time. Blocking."""
    with ONE_AT_A_TIME:
        return _read_wanted(config, workshop)


def _read_wanted(config: DatabaseConfig, workshop: Workshop) -> Wanted:
    files = tuple(_schema_file(config, path) for path in _schema_files(config))
    if not config.model_paths:
        return Wanted(files=files)
    # Here, because SQLAlchemy costs a quarter of a second that schema files alone don't need.
    from dbwarden.authoring.building import statements
    from dbwarden.authoring.models import owned_tables
    from dbwarden.authoring.spelling import hints

    with collecting_no_garbage():
        owned = owned_tables(config, config.siblings)
        url = workshop.sqlalchemy_url
        found = statements(config, owned, url=url, namespace=workshop.namespace)
        return Wanted(statements=found, files=files, hints=hints(owned, url))


def _schema_files(config: DatabaseConfig) -> list[Path]:
    found: list[Path] = []
    for path in config.schema_paths:
        if path.is_dir():
            found += sorted(path.rglob("*.sql"))
        elif path.exists():
            found.append(path)
        else:
            raise ConfigurationError(
                f"schema_paths names {path}, which does not exist",
                database=config.database_name,
                next_step="Relative paths count from the folder of the configuration file.",
            )
    return found


def _schema_file(config: DatabaseConfig, path: Path) -> Migration:
    """A schema file as if it were the upgrade of a migration: it runs in the same way."""
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
