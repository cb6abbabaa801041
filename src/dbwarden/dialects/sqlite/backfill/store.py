"""Run the batches of backfills on one connection, each in its own transaction with its cursor."""

import sqlite3
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from dbwarden.dialects.backfilling import (
    BackfillWork,
    Batch,
    BatchDone,
    BatchRefused,
    Pressure,
    edited,
    filled,
    no_cycle_left,
    rolled_back,
)
from dbwarden.dialects.base import PendingMigration, Statement
from dbwarden.dialects.sqlite.backfill.state_rows import StateTable
from dbwarden.dialects.sqlite.backfill.walking import NextRows, Walk
from dbwarden.dialects.sqlite.migrate.history_queries import Progress, Spent
from dbwarden.dialects.sqlite.migrate.session import Executed, Session
from dbwarden.dialects.sqlite.migrate.threads import run_cleanup, run_interruptible
from dbwarden.errors import LockTimeout, StatementFailed
from dbwarden.migration_history import BackfillRow, BackfillState, State
from dbwarden.types import Location

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """A batch whose transaction is open, and the row of its backfill before it."""

    row: BackfillRow
    rows: NextRows


class SQLiteBackfills:
    """The backfills of one database; see ``Backfills``."""

    share = 1.0
    breath = 0.02
    """Other connections can write only between two batches."""

    def __init__(self, session: Session) -> None:
        """Store the session."""
        self._session = session
        self._name = session.config.database_name
        self._lap: float | None = None

    @property
    def _table(self) -> StateTable:
        session = self._session
        return StateTable(session.database, session.config.ledger_table, session.writer)

    async def read(self) -> tuple[BackfillRow, ...]:
        """Return the rows of all backfills, oldest first."""
        return await self._call(lambda: self._session.retry_while_busy(lambda: self._table.rows()))

    async def start(self, pending: PendingMigration, work: BackfillWork) -> BackfillRow:
        """Record that a backfill has started; see ``Backfills.start``."""

        def body() -> BackfillRow:
            walk = self._walk(work)
            table = walk.find_key()
            walk.count_left(table, 0)  # refuses an invalid condition
            spent = Spent(since=datetime.now(UTC), ms=0.0)
            started = Progress(state=State.BACKFILLING, step=0)
            self._session.ledger.write(pending, None, started, spent, first=True)
            self._table.start(work.migration.key, table, walk.count(table), work.checksum)
            row = self._table.row(work.migration.key)
            assert row is not None
            return row

        return await self._change(body)

    def _walk(self, work: BackfillWork) -> Walk:
        return Walk(self._session.database, self._name, work)

    async def run_batch(self, work: BackfillWork, size: int, limit: float) -> BatchDone:
        """Run the next batch; see ``Backfills.run_batch``."""
        began = self._lap if self._lap is not None else time.monotonic()
        async with self.transaction():
            begun = await self._call(partial(self._begin_batch, work, size))
            if isinstance(begun, BackfillRow):
                after, rows, busy = begun, 0, 0.0
            else:
                started = time.monotonic()
                await self.apply(work, begun.rows, begun.row.batches + 1, limit)
                ms, rows = (time.monotonic() - began) * 1000, begun.rows.rows
                busy = time.monotonic() - started
                after = await self._call(partial(self._move, begun, size, ms))
        self._lap = time.monotonic()
        return BatchDone(row=after, rows=rows, busy=busy)

    def _begin_batch(self, work: BackfillWork, size: int) -> _Begun | BackfillRow:
        """Return the next batch; the row of the backfill if there is none."""
        walk, key = self._walk(work), work.migration.key
        table, row = walk.find_key(), self._table.row(key)
        if row is None:
            raise rolled_back(work, self._name)
        if row.state is not BackfillState.RUNNING:
            return row
        if row.checksum != work.checksum:
            raise edited(work, row, self._name)
        table = replace(table, columns=row.columns, collations=row.types)
        if (last := row.last_key) is None and (last := walk.last_key(table)) is not None:
            self._table.begin_cycle(key, last)
        if last is not None and (found := walk.next_rows(table, row.cycle, row.cursor, last, size)):
            return _Begun(row=row, rows=found)
        left = walk.count_left(table)
        if left == 0:
            self._table.finish(row)
        elif row.left is not None and left >= row.left:
            raise no_cycle_left(work, row.cycle, left, self._name)
        else:
            self._table.next_cycle(row, left)
        return self._table.row(key) or row

    async def apply(self, work: BackfillWork, rows: NextRows, number: int, limit: float) -> None:
        """Change the *rows* of batch *number*, in the open transaction.

        Raises:
            StatementFailed: SQLite refused a statement, or the code failed.
            BatchRefused: A statement took longer than *limit* seconds.
        """
        if work.apply is not None:
            connection = SQLiteBatchConnection(self, limit)
            condition = rows.condition(None)
            await work.apply(
                Batch(connection=connection, condition=condition, rows=rows.rows, number=number)
            )
        for statement in work.statements:
            sql = filled("sqlite", statement, rows.condition).text
            at = work.migration.at(statement.line, statement.column)
            await self.execute(sql, (), statement, at, limit)

    async def execute(
        self,
        sql: str,
        values: Sequence[Any],
        statement: Statement,
        location: Location | None,
        limit: float,
    ) -> Executed:
        """Run one statement of the open transaction.

        Raises:
            StatementFailed: SQLite refused it.
            BatchRefused: It took longer than *limit* seconds.
        """

        def run() -> Executed:
            return self._session.execute_within(sql, values, limit)

        try:
            return await self._call(run)
        except sqlite3.Error as error:
            failed = StatementFailed(
                str(error), database=self._name, location=location, statement=statement.text
            )
            if self._session.timed_out:
                raise BatchRefused(failed, too_long=True) from error
            raise self._session.obstacle(error) or failed from error

    def _move(self, begun: _Begun, size: int, ms: float) -> BackfillRow:
        self._table.move_cursor(begun.row, begun.rows, size, ms)
        return self._table.row(begun.row.key) or begun.row

    async def set_state(self, key: str, state: BackfillState, *, error: str | None = None) -> None:
        """Set the state of a backfill that has not ended."""
        await self._change(
            lambda: self._table.update(key, state=state.value, waiting=None, error=error)
        )

    async def restart(self, work: BackfillWork, *, keep_cursor: bool) -> None:
        """Accept the file as it is now; see ``Backfills.restart``."""

        def body() -> None:
            walk = self._walk(work)
            table = walk.find_key()
            fresh = None if keep_cursor else (table, walk.count(table))
            upgrade = work.migration.upgrade.checksum
            self._table.restart(work.migration.key, work.checksum, upgrade, fresh)

        await self._change(body)

    async def report_waiting(self, key: str, reason: str | None) -> None:
        """Record why the runner of a backfill waits now."""
        await self._change(lambda: self._table.update(key, waiting=reason))

    async def pressure(self) -> Pressure:
        """Return no pressure: an SQLite database has no replicas, and locks the whole file."""
        return Pressure()

    # -- transactions -----------------------------------------------------------------------

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[None]:
        """Run the block in one transaction, with foreign keys enforced.

        Raises:
            BatchRefused: Another connection kept the file locked.
        """
        try:
            await self._call(self._begin)
            yield
            await self._call(self._commit)
        except LockTimeout as error:
            raise BatchRefused(error) from error
        finally:
            if not self._session.abandoned:
                await run_cleanup(self._end)

    def _begin(self) -> None:
        self._session.database.execute("PRAGMA foreign_keys = ON")
        self._guarded("BEGIN IMMEDIATE")

    def _commit(self) -> None:
        self._guarded("COMMIT")

    def _guarded(self, sql: str) -> None:
        session = self._session
        try:
            session.retry_while_busy(lambda: session.database.execute(sql))
        except sqlite3.Error as error:
            raise session.error_for(error) from error

    def _end(self) -> None:
        self._session.roll_back()
        self._session.database.execute("PRAGMA foreign_keys = OFF")

    async def _change(self, body: Callable[[], T]) -> T:
        return await self._call(lambda: self._session.transaction(body))

    async def _call(self, call: Callable[[], T]) -> T:
        self._session.rearm()
        return await run_interruptible(call, self._session)


class SQLiteBatchConnection:
    """The transaction of one batch, for a user's coroutine; see ``BatchConnection``."""

    def __init__(self, backfills: SQLiteBackfills, limit: float) -> None:
        """Store the arguments."""
        self._backfills = backfills
        self._limit = limit

    async def fetch(self, query: str, *values: Any) -> Sequence[dict[str, Any]]:
        """Run *query*, whose parameters are ?; see ``BatchConnection.fetch``."""
        return (await self._run(query, values)).rows

    async def execute(self, query: str, *values: Any) -> int:
        """Run one statement; see ``BatchConnection.execute``."""
        return (await self._run(query, values)).changed

    async def _run(self, query: str, values: Sequence[Any]) -> Executed:
        statement = Statement(text=query, line=1, column=1)
        return await self._backfills.execute(query, values, statement, None, self._limit)
