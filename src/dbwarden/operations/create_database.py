"""Create a missing database and migrate it."""

from dataclasses import dataclass

from dbwarden import telemetry
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.base import NewDatabase
from dbwarden.errors import DatabaseExists, UsageError
from dbwarden.operations.migrate import MigrateResult
from dbwarden.operations.migrate import migrate as migrate_one
from dbwarden.operations.operation import dialect_of, operation
from dbwarden.types import DatabaseName


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateDatabaseResult:
    """The result: whether the database was ``created`` or existed, and its migrate."""

    database: DatabaseName
    created: bool
    migrated: MigrateResult | None


@operation("create_database")
async def create_database(
    config: DatabaseConfig,
    *,
    template: str | None = None,
    owner: str | None = None,
    encoding: str | None = None,
    if_not_exists: bool = False,
    migrate: bool = True,
) -> CreateDatabaseResult:
    """Create a database on its server (SQLite: folder and file), and migrate it.

    A tenant does not have to be listed yet. Create its database first, then add it to the list.

    Args:
        config: The database, its name, or ``None`` for the default one.
        template: A database of the same server to copy (PostgreSQL).
        owner: The owner of the database (PostgreSQL).
        encoding: The encoding, if it differs from the server's (PostgreSQL).
        if_not_exists: Migrate a database that exists already, instead of raising an error.
        migrate: Migrate the database; otherwise leave it empty.

    Raises:
        DatabaseExists: The database exists already; it was not changed.
        AccessDenied: This user may not create databases.
        UsageError: A replica; an unknown template or owner.
        StatementFailed: A migration failed; the database keeps the migrations applied before.
    """
    if config.replica_of is not None:
        raise UsageError(
            f"a replica of {config.replica_of} is created by the server's replication",
            database=config.database_name,
        )
    new = NewDatabase(template=template, owner=owner, encoding=encoding)
    created = await dialect_of(config).create_database(config, new)
    if not created and not if_not_exists:
        raise DatabaseExists(
            f"{config.display_url} exists already; it was left as it is",
            next_step=f"Apply what is pending with: dbwarden migrate -d {config.database_name}",
        )
    if created:
        telemetry.emit("database_created", outcome="succeeded")
    migrated = await migrate_one(config) if migrate else None
    return CreateDatabaseResult(database=config.database_name, created=created, migrated=migrated)
