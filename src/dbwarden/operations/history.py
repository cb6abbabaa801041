"""Who did what, when: the rows of the ledger, oldest first."""

from dataclasses import dataclass

from dbwarden.config.model import DatabaseConfig
from dbwarden.ledger import LedgerRow
from dbwarden.operations.target import look, operation
from dbwarden.types import DatabaseName


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryResult:
    """The ledger of one database, rolled-back migrations included, oldest first."""

    database: DatabaseName
    rows: tuple[LedgerRow, ...]


@operation("history")
async def history(config: DatabaseConfig) -> HistoryResult:
    """Read the whole ledger. Empty when nothing was ever applied."""
    reading = await look(config)
    rows = sorted(reading.rows or (), key=lambda row: row.id)
    return HistoryResult(database=config.database_name, rows=tuple(rows))
