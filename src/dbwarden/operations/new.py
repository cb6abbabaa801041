"""Write an empty, numbered migration file."""

from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.files.folder import next_version, read_names, write_migration
from dbwarden.files.naming import slug, versioned_name
from dbwarden.files.template import empty_migration
from dbwarden.operations.migrations_folder import lock_folder, refuse_replica
from dbwarden.operations.operation import operation
from dbwarden.types import DatabaseName, format_version


@dataclass(frozen=True, slots=True, kw_only=True)
class NewResult:
    """The file that was written."""

    database: DatabaseName
    path: Path
    version: str


@operation("new")
async def new(config: DatabaseConfig, *, message: str) -> NewResult:
    """Write the next migration file of a database, without connecting to it.

    Args:
        config: The database, its name, or ``None`` for the default one.
        message: What the migration does, in a few words; becomes the file's name.

    Raises:
        UsageError: A replica has no migrations of its own.
        MigrationFileError: A file name is invalid, or the folder is not writable.
    """
    refuse_replica(config, f"dbwarden new -d {config.replica_of} -m {message!r}")
    async with lock_folder(config):
        return await anyio.to_thread.run_sync(_write, config, message)


def _write(config: DatabaseConfig, message: str) -> NewResult:
    version = next_version(read_names(config.migrations_dir, config.files_of))
    name = versioned_name(config.files_of, version, slug(message))
    path = write_migration(config.migrations_dir, name, empty_migration(message))
    return NewResult(database=config.database_name, path=path, version=format_version(version))
