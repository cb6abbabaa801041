"""Run one migration, step by step, each with its ledger row. Blocking, in worker threads.

A transactional step and its row are one transaction. A statement that cannot run in one (VACUUM,
ATTACH, some PRAGMAs) is written into the row before it runs and cleared afterwards, so that a later
run detects a crash in between. All of these can be repeated: VACUUM has the same effect again,
ATTACH and PRAGMA belong to the connection or are idempotent. A marked statement that SQLite could
run in a transaction runs in one, together with its row, so it never runs twice either.
"""

import contextlib
import re
import sqlite3
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from dbwarden.dialects.base import PendingMigration, Statement, Step
from dbwarden.dialects.ledger_rows import StepRecords
from dbwarden.dialects.sqlite.migrate import foreign_keys
from dbwarden.dialects.sqlite.migrate import statement_errors as failures
from dbwarden.dialects.sqlite.migrate.history_rows import rows_of
from dbwarden.dialects.sqlite.migrate.session import Session
from dbwarden.dialects.sqlite.migrate.statement_errors import Stopped
from dbwarden.dialects.sqlite.sql import splitting
from dbwarden.dialects.sqlite.sql.error_texts import SQLiteText
from dbwarden.dialects.writer import Value
from dbwarden.errors import DBWardenError

T = TypeVar("T")
Fields = Mapping[str, Value]

_TEMPORARY = re.compile(r"create\b.*\btemp(orary)?\b", re.IGNORECASE | re.DOTALL)
_PENDING_SETTINGS = ("auto_vacuum", "encoding", "page_size", "temp_store_directory")
"""PRAGMAs that the connection holds until the next VACUUM or first write applies them."""


def is_setting(statement: Statement) -> bool:
    """Return whether the effect of *statement* is lost with its connection."""
    return (
        splitting.is_connection_setting(statement)
        or splitting.pragma_of(statement) in _PENDING_SETTINGS
    )


class Run:
    """The run of one migration, within one call of ``Connection.run``."""

    def __init__(self, session: Session, pending: PendingMigration) -> None:
        self._session = session
        self._pending = pending
        self._rows = rows_of(session.config.ledger_table, session.writer)
        self._records = StepRecords(rows=self._rows, pending=pending, begun=pending.resumed)
        self._prepared = False
        self._completed_step = 0
        self._lap_start = time.perf_counter()

    @property
    def remaining(self) -> tuple[Step, ...]:
        """The remaining steps; none if only the ledger is to be written."""
        return () if self._pending.fake else self._pending.steps[self._pending.done :]

    def step(self, step: Step) -> None:
        """Run one step with its ledger row.

        Raises:
            StatementFailed: SQLite refused a statement; the step was rolled back.
            LockTimeout: Another connection held a lock; the step was rolled back or is repeatable.
        """
        self._prepare()
        if not step.transactional and (
            splitting.refuses_transaction(step.statements[0])
            or splitting.pragma_of(step.statements[0]) is not None
        ):
            self._run_outside_transaction(step)
        else:
            self._run_in_transaction(step)

    def record_done(self) -> None:
        """Write the row of a migration without remaining steps."""
        self._transaction(lambda: self._record(self._records.all_done_sql(), ends=True))

    def _prepare(self) -> None:
        """Remove the settings of earlier migrations, and restore those of an earlier run."""
        if self._prepared:
            return
        if self._session.dirty:
            self._session.reopen()
        for step in self._pending.steps[: self._pending.done]:
            for statement in step.statements:
                if is_setting(statement):
                    self._execute(statement, retry_while_busy=True)
        self._prepared = True

    # -- in a transaction -------------------------------------------------------------------

    def _run_in_transaction(self, step: Step) -> None:
        def body() -> None:
            self._lap_start = time.perf_counter()
            self._run_checking_keys(step)
            self._record_done(step, announced=False)

        self._transaction(body)
        self._records.begun = True

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
        try:
            return self._session.transaction(body)
        except DBWardenError as error:
            failures.add_location(error, self._pending)
            raise

    def _run_checking_keys(self, step: Step) -> None:
        """Run the statements of *step* and check whether they violate foreign keys."""
        before = None
        if foreign_keys.is_risky(step.statements):
            before = foreign_keys.violations_before(self._session.database)
        for statement in step.statements:
            self._execute(statement)
        if before is not None:
            self._check_keys(step, before)
        self._session.check_stop()

    def _check_keys(self, step: Step, before: foreign_keys.Violations) -> None:
        database = self._session.database
        risky = next(each for each in step.statements if foreign_keys.is_risky([each]))
        try:
            new = foreign_keys.violations(database) - before
            rows = foreign_keys.describe(database, new)
        except sqlite3.Error as error:
            if not SQLiteText.KEY_MISMATCH.is_in(error):
                raise self._refused(risky, error) from error
            if self._pending.direction == "rollback":
                return  # it was like this before the upgrade
            raise failures.mismatched_key(self._pending, risky, error) from error
        if new:
            raise failures.broken_keys(self._pending, risky, rows)

    # -- outside of any transaction ---------------------------------------------------------

    def _run_outside_transaction(self, step: Step) -> None:
        if self._completed_step != step.number:  # else only the row is missing
            begun, saved = self._records.begun, self._announce(step)
            try:
                self._execute(step.statements[0], retry_while_busy=True)
            except Exception:
                self._forget(step, saved, begun=begun)
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

    def _forget(self, step: Step, saved: Fields | None, *, begun: bool) -> None:
        """Revert the row, because the announced statement failed. If that fails too, the next run
        treats the statement as interrupted and repeats it."""
        restore = self._rows.restore_sql(self._pending, saved) if saved is not None else None
        self._records.begun = begun
        undo = self._records.undo_sql(step, restore)
        self._records.begun = True
        with contextlib.suppress(DBWardenError, Stopped), self._session.uninterruptible():
            self._session.transaction(lambda: self._record(undo))
            self._records.begun = begun

    # -- statements -------------------------------------------------------------------------

    def _execute(self, statement: Statement, *, retry_while_busy: bool = False) -> None:
        """Run *statement*; *retry_while_busy* repeats it while locked, outside a transaction."""
        session = self._session
        session.publish_statement(statement.text)
        if is_setting(statement) or _TEMPORARY.match(statement.text):
            session.dirty = True  # it could affect the next migration on the same connection
        try:
            if retry_while_busy:
                session.retry_while_busy(lambda: session.execute(statement.text))
            else:
                session.execute(statement.text)
        except sqlite3.Error as error:
            raise self._refused(statement, error) from error

    def _refused(self, statement: Statement, error: sqlite3.Error) -> DBWardenError:
        session, timeout = self._session, self._session.config.statement_timeout
        if session.timed_out:
            return failures.statement_failed(self._pending, statement, error, timeout=timeout)
        if not failures.names_file(statement, error) and (obstacle := session.obstacle(error)):
            return failures.add_location(obstacle, self._pending, statement)
        return failures.statement_failed(self._pending, statement, error)
