"""Read, lock, run and cancel on SQLite: the asynchronous API of a :class:`Session`."""

from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import anyio

from dbwarden.dialects.base import (
    ForeignHistory,
    LedgerAppeared,
    OnDone,
    PendingMigration,
)
from dbwarden.dialects.sqlite.migrate.history_rows import SQLiteRows, rows_of
from dbwarden.dialects.sqlite.migrate.journal import HistoryJournal
from dbwarden.dialects.sqlite.migrate.lock import wait_for_lock
from dbwarden.dialects.sqlite.migrate.runner import FileRun, StatementExecutor
from dbwarden.dialects.sqlite.migrate.session import Session
from dbwarden.dialects.sqlite.migrate.threads import (
    GRACE,
    run_cleanup,
    run_interruptible,
)
from dbwarden.dialects.waiting import LockRetries, backoff
from dbwarden.errors import ConnectError, LockTimeout
from dbwarden.migration_history import DatabaseStatus, LedgerExcerpt, LedgerRow, LockHolder

if TYPE_CHECKING:
    from dbwarden.dialects.backfill.running import Backfills

T = TypeVar("T")

FIRST_RETRY, LONGEST_RETRY = 0.01, 0.5
"""Seconds before the first and between later retries of a step that a lock blocked."""


class SQLiteConnection:
    """A connection of dbwarden to one SQLite database, for one call at a time."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._config = session.config

    async def read(self, *, claim: bool = False) -> DatabaseStatus:
        """Read the ledger and the lock, without writing or creating a file.

        *claim* has no effect, because there are no round trips to save.

        Raises:
            LedgerError: The ledger is invalid.
            LockTimeout: Another connection kept the file locked for ``lock_timeout`` seconds.
        """
        return await self._retrying(self._session.read)

    async def read_last(self, row_ids: Collection[int] = ()) -> DatabaseStatus:
        """Read the final state; record the fingerprint of the schema if the lock is held."""
        lock = self._session.lock
        if lock is not None and lock.held:
            await self.record_fingerprint()
        return await self._retrying(partial(self._session.read, row_ids))

    async def record_fingerprint(self) -> None:
        """Record the fingerprint of the schema; see ``Connection.record_fingerprint``."""
        await self._change(self._session.record_fingerprint)

    async def record_change(self, row: LedgerRow, fingerprint: str) -> None:
        """Record a change outside of migrations; see ``Connection.record_change``."""
        await self._change(lambda: self._session.ledger.record_change(row, fingerprint))

    async def history(self, limit: int | None) -> LedgerExcerpt:
        """Read the newest *limit* rows of the ledger; see ``Connection.history``.

        Raises:
            LedgerError: The ledger is invalid.
            LockTimeout: Another connection kept the file locked for ``lock_timeout`` seconds.
        """
        return await self._retrying(partial(self._session.history, limit))

    async def foreign_ids(self, history: ForeignHistory) -> tuple[str, ...] | None:
        """Read what another tool has applied; see ``Connection.foreign_ids``."""
        return await self._retrying(partial(self._session.foreign_ids, history))

    async def backfills(self) -> "Backfills":
        """Return the backfills of this database; see ``Connection.backfills``."""
        from dbwarden.dialects.backfill.running import Backfills
        from dbwarden.dialects.sqlite.backfill.store import SQLiteBatches

        return Backfills(SQLiteBatches(self._session))

    @asynccontextmanager
    async def lock(self) -> AsyncGenerator[None]:
        """Hold the migration lock of this database inside the block.

        A database in memory needs no lock, because only one process has it.

        Raises:
            MigratorBusy: Another migrator held it for ``migration_lock_timeout``; names it.
        """
        lock = self._session.lock
        if lock is None:
            yield
            return
        try:
            await wait_for_lock(lock, self._config)
            yield
        finally:
            if not self._session.abandoned:
                await run_cleanup(lock.release)

    async def create_ledger(self) -> None:
        """Create the ledger if it does not exist. Requires the lock."""
        await self._change(lambda: self._session.ledger.create())

    async def run_first(self, migrations: Sequence[PendingMigration], on_done: OnDone) -> None:
        """Create the ledger and run *migrations*.

        Raises:
            LedgerAppeared: The ledger exists by now; nothing was run.
        """
        if (await self.read()).rows is not None:
            raise LedgerAppeared
        await self.create_ledger()
        await self.run(migrations, on_done)

    async def run(self, migrations: Sequence[PendingMigration], on_done: OnDone) -> None:
        """Run *migrations* in order, each step with its ledger row. Requires the lock.

        Raises:
            StatementFailed: A statement failed; has file, line, column and SQLite's message.
            LockTimeout: Another connection kept the file locked for ``lock_timeout`` in each of
                ``lock_retries`` retries.
        """
        for pending in migrations:
            journal = HistoryJournal(self._session, pending)
            executor = StatementExecutor(self._session, pending)
            run = FileRun(self._session, pending, journal=journal, executor=executor)
            for step in run.remaining:
                await self._retrying(
                    partial(run.step, step), version=pending.migration.key, step=step.number
                )
            if not run.remaining:
                await self._retrying(journal.record_all_done, version=pending.migration.key)
            await on_done(pending)
        await self._call(lambda: self._session.publish_statement(None))

    async def _retrying(self, attempt: Callable[[], T], **fields: str | int) -> T:
        """Retry *attempt* if a lock blocked it, which leaves no trace of it.

        Raises:
            LockTimeout: Another connection kept its lock in each of ``lock_retries`` retries.
        """
        pause = partial(backoff, first=FIRST_RETRY, longest=LONGEST_RETRY)
        retries = LockRetries(self._config.lock_retries, pause, **fields)
        while True:
            try:
                return await self._call(attempt)
            except LockTimeout as error:
                if not await retries.pause(error.message):
                    raise

    async def update_row(self, row: LedgerRow, corrected: LedgerRow) -> None:
        """Correct one ledger row; see ``Connection.update_row``."""
        await self._change_row(row, self._rows.correct_sql(row, corrected.corrected))

    async def delete_row(self, row: LedgerRow) -> None:
        """Delete one ledger row; see ``Connection.delete_row``."""
        await self._change_row(row, self._rows.forget_sql(self._rows.as_read(row)))

    @property
    def _rows(self) -> SQLiteRows:
        return rows_of(self._config.ledger_table, self._session.writer)

    async def _change_row(self, row: LedgerRow, sql: str) -> None:
        await self._change(lambda: self._session.ledger.change(sql, row))

    async def _change(self, body: Callable[[], None]) -> None:
        await self._retrying(lambda: self._session.transaction(body))

    async def terminate_holder(self, holder: LockHolder) -> bool:
        """Terminate the process that holds the migration lock, and wait for its end.

        The process must be another one on this host and still hold the lock. It receives SIGTERM,
        rolls back its transaction, and releases the lock.
        """
        lock = self._session.lock
        if lock is None:
            return False
        return await self._call(partial(lock.terminate, holder, within=GRACE))

    async def _call(self, call: Callable[[], T]) -> T:
        self._session.rearm()
        return await run_interruptible(call, self._session)


@asynccontextmanager
async def opened(session: Session) -> AsyncGenerator[Session]:
    """Open *session* within the ``connect_timeout`` of its database, and close it at the end.

    Raises:
        ConnectError: The file cannot be opened; has the cause and a next step.
    """
    name, seconds = session.config.database_name, session.config.connect_timeout
    try:
        with anyio.move_on_after(seconds) as scope:
            await run_interruptible(session.open, session)
        if scope.cancelled_caught:
            raise ConnectError(
                f"{session.target.path or 'the database'} could not be opened within {seconds:g} s "
                "(connect_timeout)",
                database=name,
                next_step="Check that its disk or network mount responds.",
            )
        yield session
    finally:
        if not session.abandoned:
            await run_cleanup(session.close)
