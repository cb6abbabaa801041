"""Record the steps of a migration in its ledger row, on SQLite. Blocking, in worker threads."""

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from dbwarden.dialects.base import PendingMigration, Step
from dbwarden.dialects.ledger_rows import StepRecords
from dbwarden.dialects.ledger_values import Value
from dbwarden.dialects.sqlite.migrate import statement_errors as failures
from dbwarden.dialects.sqlite.migrate.history_rows import rows_of
from dbwarden.dialects.sqlite.migrate.session import Session
from dbwarden.dialects.sqlite.migrate.statement_errors import Stopped
from dbwarden.errors import DBWardenError

T = TypeVar("T")
Fields = Mapping[str, Value]


class StepRecorder(Protocol):
    """Runs the steps of one migration together with their records."""

    def run_in_transaction(self, step: Step, run: Callable[[], None]) -> None:
        """Call *run*, which runs *step*, and record the step, in one transaction."""

    def run_outside_transaction(self, step: Step, run: Callable[[], None]) -> None:
        """Call *run*, which runs *step* and can be repeated, outside any transaction."""


def transaction(session: Session, pending: PendingMigration, body: Callable[[], T]) -> T:
    """Call *body* in a transaction; errors have the location of the migration."""
    try:
        return session.transaction(body)
    except DBWardenError as error:
        failures.add_location(error, pending)
        raise


class HistoryJournal:
    """The journal of ``migrate``: the ledger row of one migration; see ``StepRecorder``."""

    def __init__(self, session: Session, pending: PendingMigration) -> None:
        """Initialize without I/O."""
        self._session = session
        self._pending = pending
        self._rows = rows_of(session.config.ledger_table, session.writer)
        self._records = StepRecords(rows=self._rows, pending=pending, begun=pending.resumed)
        self._completed_step = 0
        self._lap_start = time.perf_counter()

    def record_all_done(self) -> None:
        """Write the row of a migration without remaining steps."""
        self._transaction(lambda: self._record(self._records.all_done_sql(), ends=True))

    def run_in_transaction(self, step: Step, run: Callable[[], None]) -> None:
        """Call *run* and write the row of *step*, in one transaction."""

        def body() -> None:
            self._lap_start = time.perf_counter()
            run()
            self._record_done(step, announced=False)

        self._transaction(body)
        self._records.begun = True

    def run_outside_transaction(self, step: Step, run: Callable[[], None]) -> None:
        """Announce *step* in the row, call *run*, and record the end, each in a transaction."""
        if self._completed_step != step.number:  # else only the row is missing
            begun, saved = self._records.begun, self._announce(step)
            try:
                run()
            except Exception:
                self._revert(step, saved, begun=begun)
                raise
            self._completed_step = step.number
        self._transaction(lambda: self._record_done(step, announced=True))

    def _announce(self, step: Step) -> Fields | None:
        """Record the statement that is about to run, and return the earlier row, if any."""
        row = self._pending.row

        def body() -> Fields | None:
            is_first = row is not None and not self._records.begun
            saved = self._session.ledger.read_fields(row) if row is not None and is_first else None
            self._record(self._records.announce_sql(step))
            return saved

        saved = self._transaction(body)
        self._records.begun = True
        self._lap_start = time.perf_counter()
        return saved

    def _revert(self, step: Step, saved: Fields | None, *, begun: bool) -> None:
        """Revert the row, because the announced statement failed. If that fails too, the next run
        treats the statement as interrupted and repeats it."""
        restore = self._rows.restore_sql(self._pending, saved) if saved is not None else None
        self._records.begun = begun
        undo = self._records.undo_sql(step, restore)
        self._records.begun = True
        with contextlib.suppress(DBWardenError, Stopped), self._session.uninterruptible():
            self._session.transaction(lambda: self._record(undo))
            self._records.begun = begun

    def _record_done(self, step: Step, *, announced: bool) -> None:
        """Write the row of *step* inside a transaction."""
        spent_ms = (time.perf_counter() - self._lap_start) * 1000
        record = self._records.done_sql(step, announced=announced, spent_ms=spent_ms)
        self._record(record, ends=step.number == len(self._pending.steps))

    def _record(self, sql: str, *, ends: bool = False) -> None:
        """Write the row inside a transaction; *ends* says that the migration ends with it."""
        ledger, migration = self._session.ledger, self._pending.migration
        if migration.phase == "post":
            ledger.add_phase()
        ledger.change(sql, self._pending.row)
        if ends and self._pending.direction == "rollback" and migration.backfill is not None:
            ledger.forget_backfill(migration.key)

    def _transaction(self, body: Callable[[], T]) -> T:
        return transaction(self._session, self._pending, body)
