"""Build the SQL that writes the rows of the ledger on SQLite. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar

from dbwarden.dialects.base import PendingMigration
from dbwarden.dialects.ledger_rows import LedgerRows
from dbwarden.dialects.ledger_values import Value, Writer
from dbwarden.dialects.sqlite.sql.quoting import literal
from dbwarden.quoting import quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class SQLiteRows(LedgerRows):
    """The SQL that writes rows of the ledger, in a run that began at ``since``."""

    time_type: ClassVar[str] = "text"
    since: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def began(self) -> str:
        """The SQL of the time when the run began."""
        return literal(self.since.isoformat())

    @property
    def now(self) -> str:
        """The SQL of the current time."""
        return literal(datetime.now(UTC).isoformat())

    def literal(self, value: Value) -> str:
        """Return *value* as SQL."""
        return literal(value)

    def duration(self, spent_ms: float | None) -> str:
        """Return the SQL of milliseconds."""
        return literal(round(spent_ms or 0.0, 3))

    def added_duration(self, spent_ms: float | None) -> str:
        """Return the SQL of the row's duration with *spent_ms* added."""
        return f"round({LedgerRows.added_duration(self, spent_ms)}, 3)"

    def change_one(self, change: str) -> str:
        """Return *change*; ``Ledger.change`` counts the rows."""
        return change

    def restore_sql(self, pending: PendingMigration, saved: Mapping[str, Value]) -> str:
        """Return the statement that restores the *saved* fields of the row of *pending*."""
        where = f"{self.under_way(pending, 0)} AND id = {saved['id']}"
        return self.update_one({**self.literals(saved), "running": "NULL"}, where)


def rows_of(ledger_table: str, writer: Writer) -> SQLiteRows:
    """Return the rows of the ledger *ledger_table* for a run that begins now."""
    return SQLiteRows(table=f"main.{quoted(ledger_table)}", writer=writer)
