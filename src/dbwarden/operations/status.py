"""Report the status of a database: applied and pending migrations, and disagreements."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dbwarden.config.model import DatabaseConfig
from dbwarden.errors import MigrationFileError, PartialMigration
from dbwarden.files.migration import Migration
from dbwarden.kinds import dialect_for
from dbwarden.migration_history import LedgerRow, LockHolder, Reading, State
from dbwarden.operations.operation import migration_files, operation
from dbwarden.operations.pending import resume_migration
from dbwarden.operations.replicas import ReplicaStatus, read_status_with_primary
from dbwarden.planning import History, compare
from dbwarden.types import DatabaseName, Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusResult:
    """The status of one database.

    ``version`` is the newest applied version (``"0007"``), if any. The tuples hold history keys (a
    version, or the name of a repeatable migration) in the order in which migrations run.
    ``repeatables`` run with every migrate and never count as pending. ``replica`` compares
    a replica with its primary. ``goes_on_with`` is the command that finishes a partial migration;
    ``None`` if there is none, or if the history needs a repair first.
    """

    database: DatabaseName
    version: str | None
    applied: tuple[str, ...]
    pending: tuple[str, ...]
    repeatables: tuple[str, ...]
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    partial: tuple[str, ...]
    out_of_order: tuple[str, ...]
    ahead: tuple[str, ...]
    lock_holder: LockHolder | None
    server_version: str
    replica: ReplicaStatus | None = None
    goes_on_with: Literal["migrate", "rollback"] | None = None

    @property
    def clean(self) -> bool:
        """True if there is nothing to do and nothing in doubt. Being ahead is clean."""
        todo = self.pending or self.changed or self.missing or self.partial
        return not todo and (self.replica is None or self.replica.clean)


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
    return describe(config, compare(files, reading.rows), reading, replica)


def describe(
    config: DatabaseConfig,
    history: History,
    reading: Reading,
    replica: ReplicaStatus | None = None,
) -> StatusResult:
    """Build a status from the compared history and the reading."""
    return StatusResult(
        database=config.database_name,
        version=history.version,
        applied=_keys([item.row for item in history.applied]),
        pending=_keys([item for item in history.pending if not item.always]),
        repeatables=_keys([item for item in history.pending if item.always]),
        changed=_keys([item.row for item in history.changed]),
        missing=_keys(history.missing),
        partial=_keys([row for row, _ in history.partial]),
        out_of_order=_keys(history.out_of_order),
        ahead=_keys(history.ahead),
        lock_holder=reading.holder,
        server_version=reading.server_version,
        replica=replica,
        goes_on_with=_resuming_command(config, history),
    )


def _resuming_command(
    config: DatabaseConfig, history: History
) -> Literal["migrate", "rollback"] | None:
    """Return the command that would finish a partial migration."""
    if not history.partial or history.changed or history.missing:
        return None
    dialect = dialect_for(config.database_type)
    for row, migration in history.partial:
        direction: Direction = "rollback" if row.state is State.ROLLING_BACK else "upgrade"
        if migration is None:
            return None
        try:
            resume_migration(dialect, migration, row, direction)
        except (PartialMigration, MigrationFileError):
            return None
    back = any(row.state is State.ROLLING_BACK for row, _ in history.partial)
    return "rollback" if back else "migrate"


def _keys(items: Sequence[LedgerRow | Migration]) -> tuple[str, ...]:
    return tuple([item.key for item in items]) if items else ()
