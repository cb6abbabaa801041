"""Build the SQL of the table with the progress of backfills, and read its rows. Pure."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dbwarden.dialects.backfill.keys import KeyValues, NextRows, TableKey
from dbwarden.dialects.backfill.work import BackfillWork
from dbwarden.dialects.ledger_rows import LedgerRows, backfills_of
from dbwarden.dialects.ledger_values import LedgerValues, Value, writer_columns
from dbwarden.migration_history import BackfillRow, BackfillState
from dbwarden.types import Checksum

COLUMNS = {
    "key": "text PRIMARY KEY NOT NULL",
    "table_name": "text NOT NULL",
    "columns": "text NOT NULL",
    "types": "text NOT NULL",
    "checksum": "text NOT NULL",
    "state": "text NOT NULL",
    "cycle": "integer NOT NULL",
    "cursor": "text",
    "last_key": "text",
    "rows_done": "bigint NOT NULL",
    "rows_total": "bigint",
    "rows_left": "bigint",
    "batches": "bigint NOT NULL",
    "batch_size": "integer NOT NULL",
    "active_ms": "double precision NOT NULL",
    "waiting": "text",
    "error": "text",
    "application": "text NOT NULL",
    "host": "text NOT NULL",
    "pid": "integer NOT NULL",
    "started_at": "{time} NOT NULL",
    "updated_at": "{time} NOT NULL",
    "finished_at": "{time}",
}
"""The columns and their types; each database kind has its own type of times."""

_FRESH: Mapping[str, Value] = {
    "cycle": 1,
    "cursor": None,
    "last_key": None,
    "rows_done": 0,
    "rows_left": None,
    "batches": 0,
    "batch_size": 0,
    "active_ms": 0.0,
    "waiting": None,
    "error": None,
    "finished_at": None,
}
"""The values of a backfill that begins, or begins again."""

OPEN = f"state <> '{BackfillState.DONE}'"


@dataclass(frozen=True, slots=True)
class ProgressTable:
    """The table with the progress of backfills next to the ``ledger``."""

    ledger: LedgerRows

    @property
    def name(self) -> str:
        """Its qualified name."""
        return backfills_of(self.ledger.table)

    def _update(self, key: str, values: LedgerValues, **sql: str) -> str:
        changed = self.ledger.literals(values) | sql | {"updated_at": self.ledger.now}
        changes = ", ".join(f"{name} = {value}" for name, value in changed.items())
        where = f"key = {self.ledger.literal(key)} AND {OPEN}"
        return f"UPDATE {self.name} AS b SET {changes} WHERE {where}"

    def _update_ledger(self, key: str, changes: str) -> str:
        where = f"key = {self.ledger.literal(key)} AND state = 'backfilling'"
        return f"UPDATE {self.ledger.table} SET {changes} WHERE {where}"

    def create_sql(self) -> str:
        """Return the statement that creates the table if it does not exist."""
        columns = ", ".join(f"{name} {type_}" for name, type_ in COLUMNS.items())
        typed = columns.format(time=self.ledger.time_type)
        return f"CREATE TABLE IF NOT EXISTS {self.name} ({typed})"

    def start_sql(self, work: BackfillWork, key: TableKey, total: int) -> str:
        """Return the statement that inserts the row of a backfill, or replaces an earlier one."""
        columns = {
            "key": work.migration.key,
            **_key_columns(key, total),
            "checksum": work.checksum,
            "state": BackfillState.RUNNING.value,
            **_FRESH,
            **writer_columns(self.ledger.writer),
        }
        times = dict.fromkeys(("started_at", "updated_at"), self.ledger.now)
        values = self.ledger.literals(columns) | times
        changes = ", ".join(f"{name} = EXCLUDED.{name}" for name in values)
        return (
            f"INSERT INTO {self.name} ({', '.join(values)}) VALUES ({', '.join(values.values())})"
            f" ON CONFLICT (key) DO UPDATE SET {changes}"
        )

    def batch_sql(self, row: BackfillRow, done: NextRows, size: int, active_ms: float) -> str:
        """Return the statement that moves the cursor after a batch that is *done*."""
        values: LedgerValues = {
            "cursor": json.dumps(done.cursor),
            "rows_done": row.rows + done.rows,
            "batches": row.batches + 1,
            "batch_size": size,
            "active_ms": round(row.active_ms + active_ms, 3),
            "waiting": None,
            "error": None,
            **writer_columns(self.ledger.writer),
        }
        return self._update(row.key, values)

    def begin_cycle_sql(self, key: str, last_key: KeyValues) -> str:
        """Return the statement that records the last key of a cycle."""
        return self._update(key, {"last_key": json.dumps(last_key)})

    def next_cycle_sql(self, row: BackfillRow, left: int) -> str:
        """Return the statement that begins another cycle for *left* rows."""
        values: LedgerValues = {
            "cycle": row.cycle + 1,
            "cursor": None,
            "last_key": None,
            "rows_left": left,
            "rows_total": row.rows + left,
        }
        return self._update(row.key, values)

    def finish_sql(self, row: BackfillRow) -> tuple[str, str]:
        """Return the statements that record the end of a backfill, here and in the ledger."""
        state, now = BackfillState.DONE.value, self.ledger.now
        ended: LedgerValues = {
            "state": state,
            "rows_total": row.rows,
            "waiting": None,
            "error": None,
        }
        spent = self.ledger.literal(row.active_ms)
        applied = f"state = 'applied', step = 1, finished_at = {now}, duration_ms = {spent}"
        return (
            self._update(row.key, ended, finished_at=now),
            self._update_ledger(row.key, applied),
        )

    def state_sql(self, key: str, state: BackfillState, error: str | None) -> str:
        """Return the statement that sets the state of a backfill that has not ended."""
        return self._update(key, {"state": state.value, "waiting": None, "error": error})

    def waiting_sql(self, key: str, reason: str | None) -> str:
        """Return the statement that records why the runner of a backfill waits."""
        return self._update(key, {"waiting": reason})

    def restart_sql(
        self, work: BackfillWork, fresh: tuple[TableKey, int] | None
    ) -> tuple[str, str]:
        """Return the statements that accept an edited file, here and in the ledger.

        *fresh* are the table's key and number of rows to begin again with, if any.
        """
        values: LedgerValues = {
            **({**_FRESH, **_key_columns(*fresh)} if fresh else {}),
            "checksum": work.checksum,
            "state": BackfillState.RUNNING.value,
            "error": None,
        }
        upgrade = self.ledger.literal(work.migration.upgrade.checksum)
        return (
            self._update(work.migration.key, values),
            self._update_ledger(work.migration.key, f"upgrade_checksum = {upgrade}"),
        )


def _key_columns(key: TableKey, total: int) -> dict[str, Value]:
    return {
        "table_name": key.table,
        "columns": json.dumps(key.columns),
        "types": json.dumps(key.types),
        "rows_total": total,
    }


def _key(text: str) -> KeyValues:
    return tuple(json.loads(text))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


_FIELDS = {"table_name": "table", "rows_done": "rows", "rows_total": "total", "rows_left": "left"}
"""The fields of ``BackfillRow`` that are called differently from their columns."""

_READERS: Mapping[str, Callable[[Any], object]] = {
    **dict.fromkeys(("columns", "types", "cursor", "last_key"), _key),
    **dict.fromkeys(("started_at", "updated_at", "finished_at"), _time),
    "checksum": Checksum,
    "state": BackfillState,
}


def parse_row(row: Mapping[str, Any]) -> BackfillRow:
    """Convert a row of ``dbwarden_backfill``, whose keys are JSON and times ISO 8601."""
    fields: dict[str, Any] = {}
    for name in COLUMNS:  # a later version may have more
        value = row[name]
        read = _READERS.get(name) if value is not None else None
        fields[_FIELDS.get(name, name)] = read(value) if read is not None else value
    return BackfillRow(**fields)
