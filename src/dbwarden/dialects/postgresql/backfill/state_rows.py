"""Build the SQL of the table with the progress of backfills on PostgreSQL. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import LiteralString

from dbwarden.dialects.backfilling import FRESH, backfill_row
from dbwarden.dialects.base import PendingMigration
from dbwarden.dialects.postgresql.backfill.keys import Key, TableKey
from dbwarden.dialects.postgresql.backfill.walking import NextRows
from dbwarden.dialects.postgresql.migrate import history_rows
from dbwarden.dialects.postgresql.migrate.history_rows import literals
from dbwarden.dialects.postgresql.sql.quoting import literal
from dbwarden.dialects.writer import Writer, writer_columns
from dbwarden.migration_history import BackfillRow, BackfillState
from dbwarden.types import Checksum

_COLUMNS: LiteralString = """
  key text PRIMARY KEY,
  table_name text NOT NULL,
  columns text NOT NULL,
  types text NOT NULL,
  checksum text NOT NULL,
  state text NOT NULL,
  cycle integer NOT NULL,
  cursor text,
  last_key text,
  rows_done bigint NOT NULL,
  rows_total bigint,
  rows_left bigint,
  batches bigint NOT NULL,
  batch_size integer NOT NULL,
  active_ms double precision NOT NULL,
  waiting text,
  error text,
  application text NOT NULL,
  host text NOT NULL,
  pid integer NOT NULL,
  started_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  finished_at timestamptz
"""

_OPEN: LiteralString = "state <> 'done'"


@dataclass(frozen=True, slots=True, kw_only=True)
class StateTable:
    """The table of backfills next to the qualified ``ledger``."""

    ledger: str

    @property
    def name(self) -> str:
        """Its qualified name."""
        return history_rows.backfills_beside(self.ledger)

    def create_sql(self) -> str:
        """Return the statement that creates the table if it does not exist."""
        return f"CREATE TABLE IF NOT EXISTS {self.name} ({_COLUMNS})"

    def read_sql(self, key: str | None = None, *, lock: bool = False, ended: bool = True) -> str:
        """Return a query for the rows as JSON texts, oldest first.

        Args:
            key: Only the row of this backfill.
            lock: Lock the row, and wait until no other runner has it.
            ended: Include backfills that are done.
        """
        which = [f"key = {literal(key)}"] if key is not None else []
        which += [] if ended else [_OPEN]
        where = f" WHERE {' AND '.join(which)}" if which else ""
        tail = " FOR UPDATE" if lock else " ORDER BY started_at, key"
        return f"SELECT to_json(b)::text FROM {self.name} b{where}{tail}"

    def start_sql(
        self,
        pending: PendingMigration,
        key: TableKey,
        total: int | None,
        checksum: Checksum,
        writer: Writer,
    ) -> str:
        """Return the statements that record the start of a backfill, in ledger and table."""
        columns = {
            "key": pending.migration.key,
            **_key_columns(key, total),
            "checksum": checksum,
            "state": BackfillState.RUNNING.value,
            **FRESH,
            **writer_columns(writer),
        }
        times = {"started_at": "clock_timestamp()", "updated_at": "clock_timestamp()"}
        values = literals(columns) | times
        changes = ", ".join(f"{name} = EXCLUDED.{name}" for name in values)
        return (
            f"{history_rows.backfilling_sql(self.ledger, pending, writer)};"
            f"INSERT INTO {self.name} ({', '.join(values)}) VALUES ({', '.join(values.values())})"
            f" ON CONFLICT (key) DO UPDATE SET {changes}"
        )

    def batch_sql(
        self, key: str, done: NextRows, size: int, active_ms: float, writer: Writer
    ) -> str:
        """Return the statement that moves the cursor after a batch, and returns the row."""
        moved = self._update(
            key,
            {
                "cursor": literal(json.dumps(done.cursor)),
                "rows_done": f"rows_done + {done.rows}",
                "batches": "batches + 1",
                "batch_size": literal(size),
                "active_ms": f"active_ms + {literal(round(active_ms, 3))}",
                "waiting": "NULL",
                "error": "NULL",
                **literals(writer_columns(writer)),
            },
        )
        return f"{moved} RETURNING to_json(b)::text"

    def begin_cycle_sql(self, key: str, last_key: Key) -> str:
        """Return the statement that records the last key of a cycle."""
        return self._update(key, {"last_key": literal(json.dumps(last_key))})

    def next_cycle_sql(self, key: str, left: int) -> str:
        """Return the statement that begins another cycle for *left* rows."""
        return self._update(
            key,
            {
                "cycle": "cycle + 1",
                "cursor": "NULL",
                "last_key": "NULL",
                "rows_left": literal(left),
                "rows_total": f"rows_done + {left}",
            },
        )

    def finish_sql(self, key: str) -> str:
        """Return the statements that record the end of a backfill, in ledger and table."""
        done = self._update(
            key,
            {
                "state": literal(BackfillState.DONE.value),
                "finished_at": "clock_timestamp()",
                "rows_total": "rows_done",
                "waiting": "NULL",
                "error": "NULL",
            },
        )
        return (
            f"{done};UPDATE {self.ledger} SET state = 'applied', step = 1, "
            "finished_at = clock_timestamp(), duration_ms = "
            f"(SELECT active_ms FROM {self.name} WHERE key = {literal(key)}) "
            f"WHERE key = {literal(key)} AND state = 'backfilling'"
        )

    def state_sql(self, key: str, state: BackfillState, error: str | None) -> str:
        """Return the statement that sets the state of a backfill that has not ended."""
        changes = literals({"state": state.value, "waiting": None, "error": error})
        return f"{self._update(key, changes)} AND {_OPEN}"

    def waiting_sql(self, key: str, reason: str | None) -> str:
        """Return the statement that records why the runner of a backfill waits."""
        return f"{self._update(key, {'waiting': literal(reason)})} AND {_OPEN}"

    def restart_sql(
        self,
        key: str,
        checksum: Checksum,
        upgrade_checksum: Checksum,
        fresh: tuple[TableKey, int | None] | None,
    ) -> str:
        """Return the statements that accept an edited file, in ledger and table.

        *fresh* are the table's key and number of rows to begin again with, if any.
        """
        changes = literals(
            {
                **({**FRESH, **_key_columns(*fresh)} if fresh else {}),
                "checksum": checksum,
                "state": BackfillState.RUNNING.value,
                "error": None,
            }
        )
        return (
            f"{self._update(key, changes)} AND {_OPEN};"
            f"UPDATE {self.ledger} SET upgrade_checksum = {literal(upgrade_checksum)} "
            f"WHERE key = {literal(key)} AND state = 'backfilling'"
        )

    def _update(self, key: str, values: Mapping[str, str]) -> str:
        changes = ", ".join(f"{name} = {value}" for name, value in values.items())
        return (
            f"UPDATE {self.name} b SET {changes}, updated_at = clock_timestamp() "
            f"WHERE key = {literal(key)}"
        )


def _key_columns(key: TableKey, total: int | None) -> dict[str, str | int | None]:
    return {
        "table_name": key.table,
        "columns": json.dumps(key.columns),
        "types": json.dumps(key.types),
        "rows_total": total,
    }


def parse_row(text: str) -> BackfillRow:
    """Parse a row of ``read_sql``."""
    return backfill_row(json.loads(text))
