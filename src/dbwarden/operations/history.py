"""Read the rows of the migration history, oldest first."""

from dataclasses import dataclass

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import UsageError
from dbwarden.migration_history import LedgerRow
from dbwarden.operations.operation import dialect_of, operation
from dbwarden.planning.outside_changes import OutsideChange, outside_changes
from dbwarden.types import DatabaseName

NEWEST = 100
"""The default number of rows to read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryResult:
    """The newest rows of one database's migration history, oldest first.

    Rolled-back migrations are included. ``older`` is the number of older rows that were not read.
    ``changes`` says between which of these rows, and since the newest one, the schema was changed
    outside of migrations.
    """

    database: DatabaseName
    rows: tuple[LedgerRow, ...]
    older: int = 0
    changes: tuple[OutsideChange, ...] = ()


@operation("history")
async def history(config: DatabaseConfig, *, limit: int | None = NEWEST) -> HistoryResult:
    """Read the migration history.

    Args:
        config: The database, its name, or ``None`` for the default one.
        limit: Read the newest *limit* rows; ``None`` reads all of them.

    Raises:
        UsageError: *limit* is not positive.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"--limit {limit} is not a number of rows", next_step="Give 1 or more.")
    async with dialect_of(config).connect(config, read_only=True) as connection:
        page = await connection.history(limit)
    return HistoryResult(
        database=config.database_name,
        rows=page.rows,
        older=page.total - len(page.rows),
        changes=outside_changes(page.rows, page.fingerprint),
    )
