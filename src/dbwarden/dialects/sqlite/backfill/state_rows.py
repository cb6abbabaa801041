"""Read the table with the progress of backfills on SQLite.

Keys are stored as literals, times as ISO-8601 text in UTC.
"""

import sqlite3
from dataclasses import dataclass

from dbwarden.dialects.backfill.progress import COLUMNS, OPEN, parse_row
from dbwarden.dialects.sqlite.migrate.opening import find_table
from dbwarden.migration_history import BackfillRow, backfill_table
from dbwarden.quoting import quoted


@dataclass(frozen=True, slots=True)
class StateTable:
    """The table with the progress of backfills next to ``ledger_table``."""

    ledger_table: str

    def exists(self, database: sqlite3.Connection) -> bool:
        """Return whether the table exists."""
        return find_table(database, backfill_table(self.ledger_table)) is not None

    @property
    def _name(self) -> str:
        return f"main.{quoted(backfill_table(self.ledger_table))}"

    def rows(self, database: sqlite3.Connection, which: str = "") -> tuple[BackfillRow, ...]:
        """Return the rows that *which* selects."""
        names = ", ".join(f"b.{name}" for name in COLUMNS)
        records = database.execute(f"SELECT {names} FROM {self._name} b {which}").fetchall()
        return tuple(parse_row(dict(zip(COLUMNS, row, strict=True))) for row in records)

    def read(self, database: sqlite3.Connection, *, ended: bool = True) -> tuple[BackfillRow, ...]:
        """Return the rows, oldest first; without those that are done if not *ended*."""
        if not self.exists(database):
            return ()
        where = "" if ended else f"WHERE {OPEN} "
        return self.rows(database, f"{where}ORDER BY started_at, key")

    def delete(self, database: sqlite3.Connection, key: str) -> None:
        """Delete the row of a backfill that is rolled back."""
        if self.exists(database):
            database.execute(f"DELETE FROM {self._name} WHERE key = ?", (key,))
