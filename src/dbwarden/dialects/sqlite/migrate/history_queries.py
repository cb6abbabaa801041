"""Read and write the ledger on SQLite.

Times are ISO-8601 text in UTC. A row is written in the transaction of the step that it records.
"""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, NamedTuple

from dbwarden.config.model import DatabaseConfig
from dbwarden.dialects.base import PendingMigration
from dbwarden.dialects.sqlite.migrate.opening import find_table
from dbwarden.dialects.writer import Writer, migration_columns, progress_columns
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

FINAL_STATES = (State.APPLIED, State.ROLLED_BACK)

_COLUMNS = {
    "id": "INTEGER PRIMARY KEY",
    "key": "TEXT NOT NULL",
    "description": "TEXT NOT NULL",
    "kind": "TEXT NOT NULL",
    "upgrade_checksum": "TEXT NOT NULL",
    "rollback_checksum": "TEXT",
    "state": "TEXT NOT NULL",
    "step": "INTEGER NOT NULL",
    "running": "TEXT",
    "steps_checksum": "TEXT",
    "started_at": "TEXT NOT NULL",
    "finished_at": "TEXT",
    "duration_ms": "REAL",
    "application": "TEXT NOT NULL",
    "host": "TEXT NOT NULL",
    "pid": "INTEGER NOT NULL",
    "dbwarden_version": "TEXT NOT NULL",
}
_NAMES = ", ".join(_COLUMNS)
_FORMAT = "format"
"""The column with the row's format; tables of dbwarden 0.1 have none."""
_PHASE = "phase"
"""The column with the migration's phase, likewise."""
_FINGERPRINTS = ("fingerprint", "fingerprint_at", "changed_outside")
"""The columns about the schema, likewise."""


class Progress(NamedTuple):
    """The progress of a migration: *step* completed steps, and the *running* statement."""

    state: State
    step: int
    running: str | None = None


class Entry(NamedTuple):
    """A row of the ledger as this run last read or wrote it: the parameters of ``_AS_READ``."""

    id: int
    state: State
    step: int
    running: str | None = None


def entry_of(row: LedgerRow) -> Entry:
    """Return the entry of *row*, as it was read."""
    return Entry(row.id, row.state, row.step, row.running)


def progress_after(pending: PendingMigration, step: int) -> Progress:
    """Return the progress of *pending* after *step* steps, or at its end if it is fake."""
    if pending.fake or step >= len(pending.steps):
        return Progress(state=pending.final_state, step=0 if pending.fake else len(pending.steps))
    return Progress(state=pending.running_state, step=step)


class Ledger:
    """The ledger in one database; the caller holds the transaction."""

    def __init__(self, database: sqlite3.Connection, table: str, writer: Writer) -> None:
        self._database = database
        self._table = quoted(table)
        self._name = table
        self._writer = writer

    def exists(self) -> bool:
        """Return whether the ledger exists."""
        return find_table(self._database, self._name) is not None

    def create(self) -> None:
        """Create the ledger, with a unique index that allows one live row per migration."""
        columns = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
        columns += f", {_FORMAT} INTEGER NOT NULL DEFAULT 1"
        columns += "".join(f", {name} TEXT" for name in (_PHASE, *_FINGERPRINTS))
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
        columns = [*_COLUMNS, *({_PHASE, *_FINGERPRINTS} & self._column_names())]
        names = ", ".join(f"l.{name}" for name in columns)
        cursor = self._database.execute(f"SELECT {names} FROM main.{self._table} l {which}", values)
        return tuple(self._row(dict(zip(columns, row, strict=True))) for row in cursor.fetchall())

    def _column_names(self) -> set[str]:
        cursor = self._database.execute(
            "SELECT lower(name) FROM pragma_table_info(?, 'main')", (self._name,)
        )
        return {name for (name,) in cursor.fetchall()}

    def _check_columns(self) -> None:
        there = self._column_names()
        missing = _COLUMNS.keys() - there
        if missing:
            raise LedgerError(
                f"the table {self._name} is not a ledger of dbwarden: it has no column "
                f"{', '.join(sorted(missing))}",
                next_step="Give the ledger another name with ledger_table= in database_config.",
            )
        if _FORMAT in there:
            self._check_format()

    def _check_format(self) -> None:
        ((newest,),) = self._database.execute(
            f"SELECT coalesce(max({_FORMAT}), 0) FROM main.{self._table}"
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

    def write(
        self,
        pending: PendingMigration,
        entry: Entry | None,
        progress: Progress,
        *,
        spent_ms: float = 0.0,
        since: datetime | None = None,
    ) -> Entry:
        """Record the progress of *pending*.

        Args:
            pending: The migration and its direction.
            entry: Its live row as it was last read or written; ``None`` to insert one.
            progress: The new progress.
            spent_ms: Milliseconds since the row was last written.
            since: The start of the run, if neither this run nor one that it resumes has recorded
                the migration yet. A rollback keeps the start of the upgrade.

        Returns:
            The row as written.

        Raises:
            LedgerError: The row differs from *entry*.
        """
        done = pending.steps[: progress.step]
        fields: dict[str, Any] = {
            **migration_columns(pending, self._writer),
            **progress_columns(progress.state, done, progress.running),
        }
        if _PHASE in fields and _PHASE not in self._column_names():
            self._database.execute(f"ALTER TABLE main.{self._table} ADD COLUMN {_PHASE} TEXT")
        fields["finished_at"] = _now() if progress.state in FINAL_STATES else None
        if since is not None and pending.direction == "upgrade":
            fields["started_at"] = since.isoformat()
        if pending.migration.backfill is not None and progress.state is State.ROLLED_BACK:
            from dbwarden.dialects.sqlite.backfill.state_rows import StateTable

            # This stops its runners.
            StateTable.beside(self._name).delete(self._database, pending.migration.key)
        if entry is None:
            return Entry(self._insert({**fields, "duration_ms": spent_ms}), *progress)
        duration = "?" if since is not None else "round(coalesce(duration_ms, 0) + ?, 3)"
        self.update(entry, fields, (f"duration_ms = {duration}", spent_ms))
        return Entry(entry.id, *progress)

    def read_fields(self, row_id: int) -> Mapping[str, Any]:
        """Read all fields of a row, for :meth:`restore`."""
        rows = self._database.execute(
            f"SELECT {_NAMES} FROM main.{self._table} WHERE id = ?", (row_id,)
        ).fetchall()
        if not rows:
            raise self._changed(row_id)
        return dict(zip(_COLUMNS, rows[0], strict=True))

    def record_fingerprint(self, fingerprint: str) -> None:
        """Store the *fingerprint* of the schema in the newest live row."""
        there = self._column_names()
        for name in _FINGERPRINTS:
            if name not in there:
                self._database.execute(f"ALTER TABLE main.{self._table} ADD COLUMN {name} TEXT")
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

    def correct(self, entry: Entry, fields: Mapping[str, Any]) -> None:
        """Set *fields* of one row (repair), and ``finished_at`` if its new state is final."""
        is_final = State(fields.get("state", entry.state)) in FINAL_STATES
        finished = ("finished_at = coalesce(finished_at, ?)", _now())
        self.update(
            entry, {**fields, "running": None}, finished if is_final else ("finished_at = ?", None)
        )

    def delete(self, entry: Entry) -> None:
        """Delete a row."""
        self._change_one(entry, f"DELETE FROM main.{self._table}", ())

    def update(
        self, entry: Entry, fields: Mapping[str, Any], *more: tuple[str, float | str | None]
    ) -> None:
        """Set *fields* of a row, and what each of *more* assigns with one parameter."""
        changes = [*((f"{name} = ?", value) for name, value in fields.items()), *more]
        assigned = ", ".join(sql for sql, _ in changes)
        values = tuple(value for _, value in changes)
        self._change_one(entry, f"UPDATE main.{self._table} SET {assigned}", values)

    def _change_one(self, entry: Entry, change: str, values: tuple[Any, ...]) -> None:
        changed = self._database.execute(f"{change} WHERE {_AS_READ}", (*values, *entry))
        if changed.rowcount != 1:
            raise self._changed(entry.id)

    def _insert(self, fields: Mapping[str, Any]) -> int:
        marks = ", ".join("?" * len(fields))
        inserted = self._database.execute(
            f"INSERT INTO main.{self._table} ({', '.join(fields)}) VALUES ({marks})",
            tuple(fields.values()),
        )
        assert inserted.lastrowid is not None
        return inserted.lastrowid

    def _changed(self, row_id: int) -> LedgerError:
        return LedgerError(
            f"row {row_id} of {self._name} has changed since it was read",
            next_step="Another process changed the ledger. Inspect it with: "
            "dbwarden history; then run the command again.",
        )


def open_backfills(
    database: sqlite3.Connection, config: DatabaseConfig, rows: Sequence[LedgerRow]
) -> tuple[BackfillRow, ...]:
    """Return the backfills that have not ended, if the ledger's *rows* have any."""
    if not any(row.state is State.BACKFILLING for row in rows):
        return ()
    from dbwarden.dialects.sqlite.backfill.state_rows import StateTable

    return StateTable.beside(config.ledger_table).read(database, ended=False)


_AS_READ = "id = ? AND state = ? AND step = ? AND running IS ?"


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
