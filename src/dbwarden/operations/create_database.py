"""Make a database that does not exist yet, and migrate it."""

from dataclasses import dataclass

from dbwarden import telemetry
from dbwarden.config.loading import configured
from dbwarden.config.model import DatabaseConfig
from dbwarden.dialects.base import NewDatabase
from dbwarden.errors import DatabaseExists, UsageError
from dbwarden.operations.migrate import MigrateResult
from dbwarden.operations.migrate import migrate as migrate_one
from dbwarden.operations.operation import DatabaseRef, dialect_of, operation
from dbwarden.types import DatabaseName


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateDatabaseResult:
    """Whether the database was ``created`` (else it was there), and what migrating it did."""

    database: DatabaseName
    created: bool
    migrated: MigrateResult | None


async def create_database(
    database: DatabaseRef = None,
    *,
    template: str | None = None,
    owner: str | None = None,
    encoding: str | None = None,
    if_not_exists: bool = False,
    migrate: bool = True,
) -> CreateDatabaseResult:
    """Make a database on its server (SQLite: folder and file), and migrate it.

    A tenant needs not be on the list of tenants yet: make its database, then put it there.

    Args:
        database: A configured database, its name, or ``None`` for the default one.
        template: A database of the same server to copy (PostgreSQL).
        owner: To whom it belongs (PostgreSQL).
        encoding: Another than the server's (PostgreSQL).
        if_not_exists: A database that is there already is only migrated.
        migrate: ``False`` leaves it empty.

    Raises:
        DatabaseExists: It is there already; it was left as it is.
        AccessDenied: This user may not make databases.
        UsageError: A replica; an unknown template or owner.
        StatementFailed: A migration failed; the database stays, with what was applied.
    """
    new = NewDatabase(template=template, owner=owner, encoding=encoding)
    config = await configured(database, unlisted=True)
    return await _create(config, new=new, if_not_exists=if_not_exists, migrate=migrate)


@operation("create_database")
async def _create(
    config: DatabaseConfig, *, new: NewDatabase, if_not_exists: bool, migrate: bool
) -> CreateDatabaseResult:
    if config.replica_of is not None:
        raise UsageError(
            f"a replica of {config.replica_of} is made by the server's replication",
            database=config.database_name,
        )
    created = await dialect_of(config).create_database(config, new)
    if not created and not if_not_exists:
        raise DatabaseExists(
            f"{config.display_url} exists already; it was left as it is",
            database=config.database_name,
            next_step=f"Apply what is pending with: dbwarden migrate -d {config.database_name}",
        )
    if created:
        telemetry.emit("database_created", outcome="succeeded")
    migrated = await migrate_one(config) if migrate else None
    return CreateDatabaseResult(database=config.database_name, created=created, migrated=migrated)
