"""Run one migration, step by step, each with its ledger row. Blocking, in worker threads.

A transactional step and its row are one transaction. A statement that cannot run in one (VACUUM,
ATTACH, some PRAGMAs) is written into the row before it runs and cleared afterwards, so that a later
run detects a crash in between. All of these can be repeated: VACUUM has the same effect again,
ATTACH and PRAGMA belong to the connection or are idempotent. A marked statement that SQLite could
run in a transaction runs in one, together with its row, so it never runs twice either.

Scratch databases run migrations with another :class:`StepRecorder` and another :class:`Executor`.
"""

import re
import sqlite3
from functools import partial
from typing import Protocol

from dbwarden.dialects.base import PendingMigration, Statement, Step
from dbwarden.dialects.sqlite.migrate import foreign_keys
from dbwarden.dialects.sqlite.migrate import statement_errors as failures
from dbwarden.dialects.sqlite.migrate.journal import StepRecorder
from dbwarden.dialects.sqlite.migrate.session import Session
from dbwarden.dialects.sqlite.sql import splitting
from dbwarden.dialects.sqlite.sql.error_texts import SQLiteText
from dbwarden.errors import DBWardenError

_TEMPORARY = re.compile(r"create\b.*\btemp(orary)?\b", re.IGNORECASE | re.DOTALL)
_PENDING_SETTINGS = ("auto_vacuum", "encoding", "page_size", "temp_store_directory")
"""PRAGMAs that the connection holds until the next VACUUM or first write applies them."""


def is_setting(statement: Statement) -> bool:
    """Return whether the effect of *statement* is lost with its connection."""
    return (
        splitting.is_connection_setting(statement)
        or splitting.pragma_of(statement) in _PENDING_SETTINGS
    )


class Executor(Protocol):
    """Executes the statements of one migration."""

    def execute(self, statement: Statement, *, retry_while_busy: bool = False) -> None:
        """Execute *statement*; *retry_while_busy* repeats it while locked, outside a transaction.

        Raises:
            StatementFailed: SQLite refused it.
            LockTimeout: Another connection held a lock.
        """


class StatementExecutor:
    """The executor of ``migrate``; see ``Executor``."""

    def __init__(self, session: Session, pending: PendingMigration) -> None:
        """Initialize without I/O."""
        self._session = session
        self._pending = pending

    def execute(self, statement: Statement, *, retry_while_busy: bool = False) -> None:
        """Execute *statement* as it is in the file."""
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
            raise _refused(session, self._pending, statement, error) from error


class FileRun:
    """The run of one migration, within one call of ``Connection.run``."""

    def __init__(
        self,
        session: Session,
        pending: PendingMigration,
        *,
        journal: StepRecorder,
        executor: Executor,
    ) -> None:
        """Initialize without I/O."""
        self._session = session
        self._pending = pending
        self._journal = journal
        self._executor = executor
        self._prepared = False

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
        first = step.statements[0]
        if not step.transactional and (
            splitting.refuses_transaction(first) or splitting.pragma_of(first) is not None
        ):
            execute = partial(self._executor.execute, first, retry_while_busy=True)
            self._journal.run_outside_transaction(step, execute)
        else:
            self._journal.run_in_transaction(step, partial(self._run_checking_keys, step))

    def _prepare(self) -> None:
        """Remove the settings of earlier migrations, and restore those of an earlier run."""
        if self._prepared:
            return
        if self._session.dirty:
            self._session.reopen()
        for step in self._pending.steps[: self._pending.done]:
            for statement in step.statements:
                if is_setting(statement):
                    self._executor.execute(statement, retry_while_busy=True)
        self._prepared = True

    def _run_checking_keys(self, step: Step) -> None:
        """Run the statements of *step* and check whether they violate foreign keys."""
        before = None
        if foreign_keys.is_risky(step.statements):
            before = foreign_keys.violations_before(self._session.database)
        for statement in step.statements:
            self._executor.execute(statement)
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
                raise _refused(self._session, self._pending, risky, error) from error
            if self._pending.direction == "rollback":
                return  # it was like this before the upgrade
            raise failures.mismatched_key(self._pending, risky, error) from error
        if new:
            raise failures.broken_keys(self._pending, risky, rows)


def _refused(
    session: Session, pending: PendingMigration, statement: Statement, error: sqlite3.Error
) -> DBWardenError:
    """Return the error for a *statement* that SQLite refused with *error*."""
    if session.timed_out:
        timeout = session.config.statement_timeout
        return failures.statement_failed(pending, statement, error, timeout=timeout)
    if not failures.names_file(statement, error) and (obstacle := session.obstacle(error)):
        return failures.add_location(obstacle, pending, statement)
    return failures.statement_failed(pending, statement, error)
