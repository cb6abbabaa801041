"""Create the file of a database, and its folder."""

import sqlite3
from contextlib import closing

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.base import NewDatabase
from dbwarden.dialects.sqlite.migrate.opening import Target, target_of
from dbwarden.dialects.sqlite.migrate.statement_errors import check_file, opening_failed
from dbwarden.dialects.sqlite.migrate.threads import run_uninterrupted
from dbwarden.errors import UsageError
from dbwarden.types import DatabaseName


async def create_database(config: DatabaseConfig, new: NewDatabase) -> bool:
    """Create the file of *config*; return ``False`` if it exists already.

    Raises:
        UsageError: SQLite does not support an option of *new*, or the database has no file.
        ConnectError: The file cannot be created; has the cause.
    """
    for option in ("template", "owner", "encoding"):
        if getattr(new, option) is not None:
            raise UsageError(
                f"a SQLite database takes no {option}",
                database=config.database_name,
                next_step=f"Leave out --{option}.",
            )
    target = target_of(await config.resolve_url(migrating=True))
    return await run_uninterrupted(lambda: _create_file(config.database_name, target))


def _create_file(name: DatabaseName, target: Target) -> bool:
    path = target.path
    if path is None:
        raise UsageError("a database in memory cannot be created beforehand", database=name)
    try:
        if path.exists():
            return False
        if (problem := check_file(name, path, create=True)) and path.is_symlink():
            raise problem
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(target.file_uri("rwc"), uri=True)) as database:
            database.execute("PRAGMA schema_version").fetchone()
    except (sqlite3.Error, OSError) as error:
        raise opening_failed(name, path, error) from error
    return True
