"""Build the SQL that writes rows of the ledger, on every database kind. Pure."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from dbwarden.dialects.base import PendingMigration, Step
from dbwarden.dialects.ledger_values import (
    LedgerValues,
    Value,
    Writer,
    migration_columns,
    progress_columns,
)
from dbwarden.migration_history import LedgerRow, State, backfill_table
from dbwarden.quoting import quoted, unquoted

COLUMNS: Mapping[str, str] = {
    "id": "{id}",
    "key": "text NOT NULL",
    "description": "text NOT NULL",
    "kind": "text NOT NULL",
    "upgrade_checksum": "text NOT NULL",
    "rollback_checksum": "text",
    "state": "text NOT NULL",
    "step": "integer NOT NULL",
    "running": "text",
    "steps_checksum": "text",
    "started_at": "{time} NOT NULL",
    "finished_at": "{time}",
    "duration_ms": "double precision",
    "application": "text NOT NULL",
    "host": "text NOT NULL",
    "pid": "integer NOT NULL",
    "dbwarden_version": "text NOT NULL",
}
"""The columns of every ledger; each database kind has its own types of ids and times."""

FINGERPRINTS = ("fingerprint", "fingerprint_at", "changed_outside")
"""The columns about the schema, which ledgers of earlier versions lack."""

LATER_COLUMNS: Mapping[str, str] = {
    "format": "integer NOT NULL DEFAULT 1",
    "phase": "text",
    "fingerprint": "text",
    "fingerprint_at": "{time}",
    "changed_outside": "text",
}
"""The columns that ledgers of earlier versions lack."""


def backfills_of(ledger: str) -> str:
    """Return the table with the progress of backfills next to *ledger*, both qualified."""
    place, dot, name = ledger.rpartition(".")
    return f"{place}{dot}{quoted(backfill_table(unquoted(name)))}"


def columns_sql(*, id_type: str, time_type: str) -> str:
    """Return the columns of a new ledger.

    Without blanks, because PostgreSQL shows the first 1,024 bytes of a message in pg_stat_activity,
    and the first migration should be among them.
    """
    columns = (f"{name} {type_}" for name, type_ in {**COLUMNS, **LATER_COLUMNS}.items())
    return ",".join(columns).format(id=id_type, time=time_type)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRows(ABC):
    """The SQL that writes rows of the ledger ``table``, which is qualified, as ``writer``."""

    table: str
    writer: Writer = field(default_factory=Writer.this_process)
    time_type: ClassVar[str]

    @property
    @abstractmethod
    def began(self) -> str:
        """The SQL of the time when the transaction or the run began."""

    @property
    @abstractmethod
    def now(self) -> str:
        """The SQL of the current time."""

    @abstractmethod
    def literal(self, value: Value) -> str:
        """Return *value* as SQL."""

    @abstractmethod
    def duration(self, spent_ms: float | None) -> str:
        """Return the SQL of milliseconds; ``None`` are those of the transaction so far."""

    @abstractmethod
    def change_one(self, change: str) -> str:
        """Return the UPDATE or DELETE *change*, which must change one row."""

    def literals(self, columns: LedgerValues) -> dict[str, str]:
        """Return the values of *columns* as SQL."""
        return {name: self.literal(value) for name, value in columns.items()}

    def record_sql(
        self, pending: PendingMigration, *, begun: int | None = None, spent_ms: float | None = None
    ) -> str:
        """Return the statement that records that all of *pending* is done.

        Args:
            pending: The migration.
            begun: The number of completed steps in the row, if this run or the one that it resumes
                ran ``begin_sql`` before.
            spent_ms: The duration of its last step; ``None`` is that of the transaction so far.
        """
        progress = progress_columns(pending.final_state, () if pending.fake else pending.steps)
        values = self.literals(migration_columns(pending, self.writer) | progress)
        values["finished_at"] = self.now
        if begun is not None:
            values["duration_ms"] = self.added_duration(spent_ms)
            return self.update_one(values, self.under_way(pending, begun))
        values["duration_ms"] = "0" if pending.fake else self.duration(spent_ms)
        return self._first_write(pending, values)

    def begin_sql(
        self,
        pending: PendingMigration,
        *,
        done: int = 0,
        running: str | None = None,
        spent_ms: float | None = None,
    ) -> str:
        """Return the statement that records *pending* as started: *done* steps, then *running*."""
        progress = progress_columns(pending.running_state, pending.steps[:done], running)
        return self._begin_sql(pending, progress, self.duration(spent_ms) if done else "0")

    def backfilling_sql(self, pending: PendingMigration) -> str:
        """Return the statement that records that the backfill *pending* has started."""
        return self._begin_sql(pending, progress_columns(State.BACKFILLING, ()), "0")

    def _begin_sql(self, pending: PendingMigration, progress: LedgerValues, duration: str) -> str:
        values = self.literals({**migration_columns(pending, self.writer), **progress})
        values |= {"finished_at": "NULL", "duration_ms": duration}
        return self._first_write(pending, values)

    def running_sql(self, pending: PendingMigration, done: int, statement: str | None) -> str:
        """Return the statement that records the running statement after *done* steps, or none."""
        values = {"running": self.literal(statement)}
        return self.update_one(values, self.under_way(pending, done))

    def step_sql(
        self, pending: PendingMigration, done: int, *, spent_ms: float | None = None
    ) -> str:
        """Return the statement that records that *done* steps of *pending* are done."""
        progress = self.literals(progress_columns(pending.running_state, pending.steps[:done]))
        progress["duration_ms"] = self.added_duration(spent_ms)
        return self.update_one(progress, self.under_way(pending, done - 1))

    def forget_sql(self, row: str) -> str:
        """Return the statement that deletes the one row that matches the condition *row*."""
        return self.change_one(f"DELETE FROM {self.table} WHERE {row}")

    def correct_sql(self, row: LedgerRow, values: LedgerValues) -> str:
        """Return the statement that sets *values* in *row* and clears ``running``."""
        changes = self.literals(values)
        changes["running"] = "NULL"
        changes["finished_at"] = (
            f"CASE WHEN {changes['state']} IN ('applied', 'rolled_back') "
            f"THEN coalesce(finished_at, {self.began}) END"
        )
        return self.update_one(changes, self.as_read(row))

    def _first_write(self, pending: PendingMigration, values: Mapping[str, str]) -> str:
        """Return the first statement for *pending*; a rollback keeps the start of its upgrade."""
        if pending.direction == "upgrade":
            values = {**values, "started_at": self.began}
        if pending.row is not None:
            return self.update_one(values, self.as_read(pending.row))
        names, row = ", ".join(values), ", ".join(values.values())
        return f"INSERT INTO {self.table} ({names}) VALUES ({row})"

    def added_duration(self, spent_ms: float | None) -> str:
        """Return the SQL of the row's duration with *spent_ms* added."""
        return f"coalesce(duration_ms, 0) + {self.duration(spent_ms)}"

    def update_one(self, values: Mapping[str, str], where: str) -> str:
        """Return the statement that sets *values* in the one row that matches *where*."""
        changes = ", ".join(f"{name} = {value}" for name, value in values.items())
        return self.change_one(f"UPDATE {self.table} SET {changes} WHERE {where}")

    # -- conditions -------------------------------------------------------------------------

    def live_row(self, pending: PendingMigration) -> str:
        """Return the condition for the one live row of a migration; an index guarantees it."""
        kind, key = pending.migration.kind.value, pending.migration.key
        live = "state <> 'rolled_back'"
        return f"kind = {self.literal(kind)} AND key = {self.literal(key)} AND {live}"

    def as_read(self, row: LedgerRow) -> str:
        """Return the condition for *row*, which fails if it has changed since it was read."""
        running = "IS NULL" if row.running is None else f"= {self.literal(row.running)}"
        return (
            f"id = {row.id} AND state = {self.literal(row.state.value)} AND step = {row.step}"
            f" AND running {running}"
        )

    def under_way(self, pending: PendingMigration, done: int) -> str:
        """Return the condition for the row of *pending* with *done* recorded steps."""
        state = self.literal(pending.running_state.value)
        return f"{self.live_row(pending)} AND state = {state} AND step = {done}"


@dataclass(slots=True, kw_only=True)
class StepRecords:
    """The SQL that records the steps of one run of a migration.

    ``begun`` is true if this run or the one that it resumes has recorded the migration.
    """

    rows: LedgerRows
    pending: PendingMigration
    begun: bool

    def announce_sql(self, step: Step) -> str:
        """Return the SQL that records that the statement of *step* is about to run."""
        text = step.statements[0].text
        if self.begun:
            return self.rows.running_sql(self.pending, step.number - 1, text)
        return self.rows.begin_sql(self.pending, running=text)

    def undo_sql(self, step: Step, restore: str | None) -> str:
        """Return the SQL that reverts :meth:`announce_sql`; *restore* restores an earlier row."""
        if self.begun:
            return self.rows.running_sql(self.pending, step.number - 1, None)
        return restore or self.rows.forget_sql(self.rows.under_way(self.pending, 0))

    def done_sql(self, step: Step, *, announced: bool, spent_ms: float | None) -> str:
        """Return the SQL that records that *step* is done."""
        pending, number = self.pending, step.number
        begun = self.begun or announced
        if number == len(pending.steps):
            done = number - 1 if begun else None
            return self.rows.record_sql(pending, begun=done, spent_ms=spent_ms)
        if begun:
            return self.rows.step_sql(pending, number, spent_ms=spent_ms)
        return self.rows.begin_sql(pending, done=number, spent_ms=spent_ms)

    def all_done_sql(self) -> str:
        """Return the SQL that records the end of a migration without remaining steps."""
        begun = self.pending.done if self.begun else None
        return self.rows.record_sql(self.pending, begun=begun, spent_ms=0)
