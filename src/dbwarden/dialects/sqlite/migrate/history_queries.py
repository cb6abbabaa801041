"""Read and write the ledger on SQLite.

Times are ISO-8601 text in UTC. A row is written in the transaction of the step that it records.
"""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.ledger_rows import COLUMNS, FINGERPRINTS, columns_sql
from dbwarden.dialects.ledger_values import Value
from dbwarden.dialects.sqlite.migrate.opening import find_table
from dbwarden.errors import LedgerError
from dbwarden.migration_history import (
    BackfillRow,
    HistoryKind,
    LedgerExcerpt,
    LedgerRow,
    State,
    check_format,
    parse_intervals,
)
from dbwarden.quoting import quoted


class Ledger:
    """The ledger in one database; the caller holds the transaction."""

    def __init__(self, database: sqlite3.Connection, table: str) -> None:
        self._database = database
        self._table = quoted(table)
        self._name = table

    def exists(self) -> bool:
        """Return whether the ledger exists."""
        return find_table(self._database, self._name) is not None

    def create(self) -> None:
        """Create the ledger, with a unique index that allows one live row per migration."""
        columns = columns_sql(id_type="integer PRIMARY KEY", time_type="text")
        self._database.execute(f"CREATE TABLE IF NOT EXISTS main.{self._table} ({columns})")
        self._database.execute(
            f"CREATE UNIQUE INDEX IF NOT EXISTS main.{quoted(self._name + '_live')} "
            f"ON {self._table} (kind, key) WHERE state <> '{State.ROLLED_BACK}'"
        )

    def rows(self, row_ids: Collection[int] = ()) -> tuple[LedgerRow, ...]:
        """Return the live rows and those with *row_ids*, oldest first.

        Raises:
            LedgerError: The table is not a ledger, or a row of it is invalid.
        """
        self._check_columns()
        # SQLite uses the index only for a literal, without OR and without sorting.
        rows = self._select(f"WHERE l.state <> '{State.ROLLED_BACK}'")
        if row_ids:
            marks = ", ".join("?" * len(row_ids))
            rolled_back = f"WHERE l.id IN ({marks}) AND l.state = '{State.ROLLED_BACK}'"
            rows += self._select(rolled_back, *row_ids)
        return tuple(sorted(rows, key=attrgetter("id")))

    def newest(self, limit: int | None) -> LedgerExcerpt:
        """Return the newest *limit* rows, rolled-back ones included.

        Raises:
            LedgerError: As for :meth:`rows`.
        """
        self._check_columns()
        ((total,),) = self._database.execute(f"SELECT count(*) FROM main.{self._table}").fetchall()
        rows = self._select("ORDER BY l.id DESC LIMIT ?", -1 if limit is None else limit)
        return LedgerExcerpt(rows=rows[::-1], total=total)

    def _select(self, which: str, *values: int) -> tuple[LedgerRow, ...]:
        # The prefix is needed, because SQLite treats an unknown "column" as a string.
        columns = [*COLUMNS, *({"phase", *FINGERPRINTS} & self._column_names())]
        names = ", ".join(f"l.{name}" for name in columns)
        cursor = self._database.execute(f"SELECT {names} FROM main.{self._table} l {which}", values)
        return tuple(self._row(dict(zip(columns, row, strict=True))) for row in cursor.fetchall())

    def _column_names(self) -> set[str]:
        cursor = self._database.execute(
            "SELECT lower(name) FROM pragma_table_info(?, 'main')", (self._name,)
        )
        return {name for (name,) in cursor.fetchall()}

    def _check_columns(self) -> None:
        existing = self._column_names()
        missing = COLUMNS.keys() - existing
        if missing:
            raise LedgerError(
                f"the table {self._name} is not a ledger of dbwarden: it has no column "
                f"{', '.join(sorted(missing))}",
                next_step="Give the ledger another name with ledger_table= in database_config.",
            )
        if "format" in existing:
            self._check_format()

    def _check_format(self) -> None:
        ((newest,),) = self._database.execute(
            f"SELECT coalesce(max(format), 0) FROM main.{self._table}"
        ).fetchall()
        try:
            check_format(newest)
        except ValueError as error:
            raise LedgerError(
                f"a row of {self._name} is invalid: {error}", next_step="Update dbwarden."
            ) from error

    def _row(self, row: Mapping[str, Any]) -> LedgerRow:
        try:
            finished, taken_at = row["finished_at"], row.get("fingerprint_at")
            values = {
                **row,
                "kind": HistoryKind(row["kind"]),
                "state": State(row["state"]),
                "started_at": _time(row["started_at"]),
                "finished_at": _time(finished) if finished is not None else None,
                "fingerprint_at": _time(taken_at) if taken_at is not None else None,
                "changed_outside": parse_intervals(row.get("changed_outside")),
            }
            return LedgerRow(**values)
        except (ValueError, TypeError) as error:
            raise LedgerError(
                f"row {row['id']} of {self._name} is invalid: {error}",
                next_step="A newer dbwarden may have written it: update dbwarden. Otherwise "
                "correct that row by hand.",
            ) from error

    def change(self, sql: str, row: LedgerRow | None) -> None:
        """Run a statement of ``SQLiteRows`` that changes or inserts one row, *row* if it is known.

        Raises:
            LedgerError: The row has changed since it was read.
        """
        if self._database.execute(sql).rowcount != 1:
            which = f"row {row.id}" if row is not None else "a row"
            raise LedgerError(
                f"{which} of {self._name} has changed since it was read",
                next_step="Another process changed the ledger. Inspect it with: "
                "dbwarden history; then run the command again.",
            )

    def add_columns(self, *names: str) -> None:
        """Add the columns *names* to a ledger of an earlier version that lacks them."""
        existing = self._column_names()
        for name in names:
            if name not in existing:
                self._database.execute(f"ALTER TABLE main.{self._table} ADD COLUMN {name} TEXT")

    def add_phase(self) -> None:
        """Add the column of phases to a ledger of an earlier version."""
        self.add_columns("phase")

    def read_fields(self, row: LedgerRow) -> dict[str, Value]:
        """Read all fields of *row*, for ``SQLiteRows.restore_sql``."""
        fields = self._database.execute(
            f"SELECT {', '.join(COLUMNS)} FROM main.{self._table} WHERE id = ?", (row.id,)
        ).fetchone()
        # A row that is gone is noticed when it is to be changed.
        return dict(zip(COLUMNS, fields, strict=True)) if fields is not None else {}

    def record_fingerprint(self, fingerprint: str) -> None:
        """Store the *fingerprint* of the schema in the newest live row."""
        self.add_columns(*FINGERPRINTS)
        self._database.execute(
            f"UPDATE main.{self._table} SET fingerprint = ?, fingerprint_at = ? WHERE id = "
            f"(SELECT max(id) FROM main.{self._table} WHERE state <> '{State.ROLLED_BACK}')",
            (fingerprint, _now()),
        )

    def record_change(self, row: LedgerRow, fingerprint: str) -> None:
        """Record that the schema has become *fingerprint* since that of *row* was recorded."""
        now, since = _now(), row.fingerprint_at.isoformat() if row.fingerprint_at else ""
        self._database.execute(
            f"UPDATE main.{self._table} SET fingerprint = ?, fingerprint_at = ?, changed_outside = "
            "ltrim(coalesce(changed_outside, '') || ?) WHERE id = ?",
            (fingerprint, now, f" {since}/{now}", row.id),
        )

    def forget_backfill(self, key: str) -> None:
        """Delete the progress of a backfill, which stops its runners."""
        from dbwarden.dialects.sqlite.backfill.state_rows import StateTable

        StateTable(self._name).delete(self._database, key)


def open_backfills(
    database: sqlite3.Connection, config: DatabaseConfig, rows: Sequence[LedgerRow]
) -> tuple[BackfillRow, ...]:
    """Return the backfills that have not ended, if the ledger's *rows* have any."""
    if not any(row.state is State.BACKFILLING for row in rows):
        return ()
    from dbwarden.dialects.sqlite.backfill.state_rows import StateTable

    return StateTable(config.ledger_table).read(database, ended=False)


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
