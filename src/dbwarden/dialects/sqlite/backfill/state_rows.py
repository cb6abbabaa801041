"""Read and write the table with the progress of backfills on SQLite.

The caller holds the transaction. Keys are stored as literals, times as ISO-8601 text in UTC.
"""

import json
import sqlite3
from datetime import UTC, datetime
from typing import Any

from dbwarden.dialects.backfilling import FRESH, backfill_row
from dbwarden.dialects.sqlite.backfill.keys import Key, TableKey
from dbwarden.dialects.sqlite.backfill.walking import NextRows
from dbwarden.dialects.writer import Writer, writer_columns
from dbwarden.migration_history import BackfillRow, BackfillState, backfill_table
from dbwarden.quoting import quoted
from dbwarden.types import Checksum

_COLUMNS = {
    "key": "TEXT PRIMARY KEY NOT NULL",
    "table_name": "TEXT NOT NULL",
    "columns": "TEXT NOT NULL",
    "types": "TEXT NOT NULL",
    "checksum": "TEXT NOT NULL",
    "state": "TEXT NOT NULL",
    "cycle": "INTEGER NOT NULL",
    "cursor": "TEXT",
    "last_key": "TEXT",
    "rows_done": "INTEGER NOT NULL",
    "rows_total": "INTEGER",
    "rows_left": "INTEGER",
    "batches": "INTEGER NOT NULL",
    "batch_size": "INTEGER NOT NULL",
    "active_ms": "REAL NOT NULL",
    "waiting": "TEXT",
    "error": "TEXT",
    "application": "TEXT NOT NULL",
    "host": "TEXT NOT NULL",
    "pid": "INTEGER NOT NULL",
    "started_at": "TEXT NOT NULL",
    "updated_at": "TEXT NOT NULL",
    "finished_at": "TEXT",
}


class StateTable:
    """The table of backfills next to a ledger."""

    def __init__(self, database: sqlite3.Connection, ledger_table: str, writer: Writer) -> None:
        """Store the arguments."""
        self._database = database
        self._name = backfill_table(ledger_table)
        self._table = f"main.{quoted(self._name)}"
        self._ledger = f"main.{quoted(ledger_table)}"
        self._writer = writer

    def exists(self) -> bool:
        """Return whether the table exists."""
        found = self._database.execute(
            "SELECT 1 FROM main.sqlite_master WHERE type = 'table' AND lower(name) = lower(?)",
            (self._name,),
        )
        return bool(found.fetchall())

    def rows(self, *, ended: bool = True) -> tuple[BackfillRow, ...]:
        """Return the rows, oldest first; without those that are done if not *ended*."""
        if not self.exists():
            return ()
        which = "" if ended else f"WHERE state <> '{BackfillState.DONE}'"
        return self._select(f"{which} ORDER BY started_at, key")

    def row(self, key: str) -> BackfillRow | None:
        """Return the row of one backfill."""
        return next(iter(self._select("WHERE key = ?", key)), None)

    def _select(self, which: str, *values: str) -> tuple[BackfillRow, ...]:
        names = ", ".join(f"b.{name}" for name in _COLUMNS)
        found = self._database.execute(f"SELECT {names} FROM {self._table} b {which}", values)
        return tuple(
            backfill_row(dict(zip(_COLUMNS, row, strict=True))) for row in found.fetchall()
        )

    def start(self, key: str, table: TableKey, total: int, checksum: Checksum) -> None:
        """Insert or replace the row of a backfill that starts."""
        columns = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
        self._database.execute(f"CREATE TABLE IF NOT EXISTS {self._table} ({columns})")
        values = {
            **FRESH,
            **_key_fields(table, total),
            **writer_columns(self._writer),
            "key": key,
            "checksum": checksum,
            "state": BackfillState.RUNNING.value,
            "started_at": _now(),
            "updated_at": _now(),
        }
        marks = ", ".join("?" * len(values))
        self._database.execute(
            f"INSERT OR REPLACE INTO {self._table} ({', '.join(values)}) VALUES ({marks})",
            tuple(values.values()),
        )

    def move_cursor(self, row: BackfillRow, done: NextRows, size: int, ms: float) -> None:
        """Record a batch that is *done*."""
        self.update(
            row.key,
            cursor=json.dumps(done.cursor),
            rows_done=row.rows + done.rows,
            batches=row.batches + 1,
            batch_size=size,
            active_ms=round(row.active_ms + ms, 3),
            waiting=None,
            error=None,
            **writer_columns(self._writer),
        )

    def begin_cycle(self, key: str, last: Key) -> None:
        """Record the last key of a cycle."""
        self.update(key, last_key=json.dumps(last))

    def next_cycle(self, row: BackfillRow, left: int) -> None:
        """Begin another cycle for *left* rows."""
        self.update(
            row.key,
            cycle=row.cycle + 1,
            cursor=None,
            last_key=None,
            rows_left=left,
            rows_total=row.rows + left,
        )

    def finish(self, row: BackfillRow) -> None:
        """Record the end of a backfill, here and in the ledger."""
        self.update(
            row.key,
            state=BackfillState.DONE.value,
            finished_at=_now(),
            rows_total=row.rows,
            waiting=None,
            error=None,
        )
        self._database.execute(
            f"UPDATE {self._ledger} SET state = 'applied', step = 1, finished_at = ?, "
            "duration_ms = ? WHERE key = ? AND state = 'backfilling'",
            (_now(), row.active_ms, row.key),
        )

    def restart(
        self,
        key: str,
        checksum: Checksum,
        upgrade_checksum: Checksum,
        fresh: tuple[TableKey, int] | None,
    ) -> None:
        """Accept an edited file, here and in the ledger; begin again if *fresh* is given."""
        again = {**FRESH, **_key_fields(*fresh)} if fresh else {}
        state = BackfillState.RUNNING.value
        self.update(key, **{**again, "checksum": checksum, "state": state, "error": None})
        self._database.execute(
            f"UPDATE {self._ledger} SET upgrade_checksum = ? WHERE key = ? AND "
            "state = 'backfilling'",
            (upgrade_checksum, key),
        )

    def update(self, key: str, **values: Any) -> None:
        """Set *values* in the row of a backfill that has not ended."""
        values["updated_at"] = _now()
        changes = ", ".join(f"{name} = ?" for name in values)
        self._database.execute(
            f"UPDATE {self._table} SET {changes} WHERE key = ? AND state <> '{BackfillState.DONE}'",
            (*values.values(), key),
        )

    def delete(self, key: str) -> None:
        """Delete the row of a backfill that is rolled back."""
        if self.exists():
            self._database.execute(f"DELETE FROM {self._table} WHERE key = ?", (key,))


def _key_fields(table: TableKey, total: int) -> dict[str, Any]:
    return {
        "table_name": table.table,
        "columns": json.dumps(table.columns),
        "types": json.dumps(table.collations),
        "rows_total": total,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat()
