"""Adopt a database that exists already: mark migrations as applied without running them."""

from dataclasses import dataclass, replace

from dbwarden.config.model import DatabaseConfig
from dbwarden.dialects.base import PendingMigration
from dbwarden.history import HistoryKind
from dbwarden.operations.migrate import read_only
from dbwarden.operations.operation import dialect_of, migration_files, operation
from dbwarden.operations.pending import fresh_works
from dbwarden.planning import compare, plan_upgrade
from dbwarden.types import DatabaseName


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineResult:
    """Which migrations are now marked as applied, in order."""

    database: DatabaseName
    version: str | None
    marked: tuple[str, ...]


@operation("baseline")
async def baseline(config: DatabaseConfig, *, to: str) -> BaselineResult:
    """Mark everything up to and including *to* as applied; no migration SQL runs.

    Args:
        config: The database, its name, or ``None`` for the default one.
        to: The version that the database already has.

    Raises:
        HistoryError: Files and ledger do not agree, or there is no such version.
    """
    files = await migration_files(config)
    dialect = dialect_of(config)
    async with dialect.connect(config) as connection, connection.lock():
        reading = await connection.read()
        if reading.read_only:
            raise read_only(config, replica=reading.replica is not None)
        found = compare(files, reading.rows, config.database_name)
        chosen = plan_upgrade(found, to=to, out_of_order=True)
        versioned = [item for item in chosen if item.kind is HistoryKind.VERSIONED]
        works = [replace(work, fake=True) for work in fresh_works(dialect, versioned)]
        if works:
            await connection.create_ledger()
            await connection.run(works, _marked)
            reading = await connection.read()
        return BaselineResult(
            database=config.database_name,
            version=compare(files, reading.rows).version,
            marked=tuple(work.migration.key for work in works),
        )


async def _marked(work: PendingMigration) -> None:
    del work  # nothing ran, so there is nothing to tell
