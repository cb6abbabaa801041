"""Write and read the table with the progress of backfills on SQLite.

Keys are stored as literals, times as ISO-8601 text in UTC.
"""

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from dbwarden.dialects.backfill.progress import COLUMNS, OPEN, ProgressTable, Value, parse_row
from dbwarden.dialects.sqlite.migrate.opening import find_table
from dbwarden.dialects.sqlite.sql.quoting import literal
from dbwarden.migration_history import BackfillRow, backfill_table
from dbwarden.quoting import quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class StateTable(ProgressTable):
    """The table with the progress of backfills next to ``ledger_table``."""

    ledger_table: str
    time_type: ClassVar[str] = "text"

    @staticmethod
    def beside(ledger_table: str) -> "StateTable":
        """Return the table next to *ledger_table*."""
        return StateTable(ledger_table=ledger_table, ledger=f"main.{quoted(ledger_table)}")

    @property
    def name(self) -> str:
        """Its qualified name."""
        return f"main.{quoted(backfill_table(self.ledger_table))}"

    @property
    def now(self) -> str:
        """The SQL of the current time."""
        return literal(datetime.now(UTC).isoformat())

    def literal(self, value: Value) -> str:
        """Return *value* as SQL."""
        return literal(value)

    def exists(self, database: sqlite3.Connection) -> bool:
        """Return whether the table exists."""
        return find_table(database, backfill_table(self.ledger_table)) is not None

    def rows(self, database: sqlite3.Connection, which: str = "") -> tuple[BackfillRow, ...]:
        """Return the rows that *which* selects."""
        names = ", ".join(f"b.{name}" for name in COLUMNS)
        found = database.execute(f"SELECT {names} FROM {self.name} b {which}").fetchall()
        return tuple(parse_row(dict(zip(COLUMNS, row, strict=True))) for row in found)

    def read(self, database: sqlite3.Connection, *, ended: bool = True) -> tuple[BackfillRow, ...]:
        """Return the rows, oldest first; without those that are done if not *ended*."""
        if not self.exists(database):
            return ()
        where = "" if ended else f"WHERE {OPEN} "
        return self.rows(database, f"{where}ORDER BY started_at, key")

    def delete(self, database: sqlite3.Connection, key: str) -> None:
        """Delete the row of a backfill that is rolled back."""
        if self.exists(database):
            database.execute(f"DELETE FROM {self.name} WHERE key = ?", (key,))
