"""Report the status of a database: applied and pending migrations, and disagreements."""

from collections.abc import Sequence
from typing import Literal

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import MigrationFileError, PartialMigration
from dbwarden.files.migration import Migration
from dbwarden.kinds import dialect_for
from dbwarden.migration_history import DatabaseStatus
from dbwarden.operations.operation import migration_files, operation
from dbwarden.operations.replicas import read_status_with_primary
from dbwarden.operations.steps_to_run import direction_of, resume_migration
from dbwarden.planning.comparing import HistoryComparison, compare
from dbwarden.planning.replicas import ReplicaStatus
from dbwarden.planning.status_result import StatusResult, judge


@operation("status")
async def status(config: DatabaseConfig) -> StatusResult:
    """Return the status of a database. Reads only, in one round trip."""
    return await status_of(config)


async def status_of(config: DatabaseConfig) -> StatusResult:
    """Return the status of a database, and of a replica's primary concurrently.

    Raises:
        ConnectError: The database itself cannot be reached.
    """
    files = await migration_files(config)
    reading, replica = await read_status_with_primary(config)
    return judge_reading(config, files, reading, replica)


def judge_reading(
    config: DatabaseConfig,
    files: Sequence[Migration],
    reading: DatabaseStatus,
    replica: ReplicaStatus | None = None,
) -> StatusResult:
    """Judge a database from its files and a reading."""
    history = compare(files, reading.rows)
    command = _resuming_command(config, history)
    return judge(config.database_name, history, reading, replica=replica, goes_on_with=command)


def _resuming_command(
    config: DatabaseConfig, history: HistoryComparison
) -> Literal["migrate", "rollback"] | None:
    """Return the command that would finish a partial migration."""
    if not history.partial or history.changed or history.missing:
        return None
    dialect = dialect_for(config.database_type)
    for row, migration in history.partial:
        if migration is None:
            return None
        try:
            resume_migration(dialect, migration, row)
        except (PartialMigration, MigrationFileError):
            return None
    back = any(direction_of(row) == "rollback" for row, _ in history.partial)
    return "rollback" if back else "migrate"
