"""Run backfills in batches, on every database kind.

The transaction of each batch locks the backfill's row, reads its cursor, changes the rows of the
batch and moves the cursor. So each batch is applied exactly once, even with several runners, and
whatever is killed.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

from dbwarden.dialects.backfill.errors import (
    bad_until,
    edited,
    no_cycle_left,
    no_key,
    no_table,
    resume_advice,
    rolled_back,
)
from dbwarden.dialects.backfill.keys import KeyValues, NextRows, Rest, TableKey
from dbwarden.dialects.backfill.progress import ProgressTable
from dbwarden.dialects.backfill.work import (
    MOST_LEFT,
    REPLAYED,
    BackfillWork,
    Batch,
    BatchConnection,
    BatchDone,
    BatchRefused,
    Pressure,
    filled,
)
from dbwarden.dialects.base import PendingMigration, Statement
from dbwarden.dialects.ledger_rows import LedgerRows
from dbwarden.errors import DBWardenError, StatementFailed
from dbwarden.files.placeholders import Filled
from dbwarden.migration_history import BackfillRow, BackfillState
from dbwarden.types import DatabaseName, DialectName


class BatchSession(ABC):
    """The connection of one database, as a database kind lets backfills use it."""

    dialect: DialectName
    breath: float = 0.0
    """The seconds between two batches in which others can write."""
    share: float = 1.0
    """The share of a table's rows that one batch may lock."""

    database: DatabaseName
    ledger: LedgerRows

    @abstractmethod
    async def find_keys(self, table: str) -> Sequence[TableKey] | None:
        """Return the usable unique keys of *table*, best first; ``None`` without such a table."""

    @abstractmethod
    async def estimate(self, key: TableKey) -> int:
        """Return the number of rows of the key's table: exact up to ``SMALL``."""

    @abstractmethod
    async def query(self, sql: str) -> Sequence[Sequence[Any]]:
        """Return the rows of *sql*; raise the driver's error."""

    @abstractmethod
    def describe_fault(self, error: Exception) -> str | None:
        """Return the message of *error* of :meth:`query`, if the SQL is at fault."""

    @abstractmethod
    def transaction(self, key: str | None = None) -> AbstractAsyncContextManager[None]:
        """Run the block in one transaction, with the settings of a batch of backfill *key*.

        The block's errors of the driver are raised as those of dbwarden.
        """

    @abstractmethod
    async def send(self, *statements: str) -> None:
        """Run *statements* of our own in the open transaction."""

    @abstractmethod
    async def add_phase(self) -> None:
        """Add the column of phases to a ledger of an earlier version."""

    @abstractmethod
    async def rows(self, which: str, *, lock: bool = False) -> Sequence[BackfillRow]:
        """Return the rows of the progress in the open transaction; *lock* those of a batch."""

    @abstractmethod
    async def move(self, key: str, update: str) -> BackfillRow:
        """Run *update* in the open transaction, and return the row of backfill *key* then."""

    @abstractmethod
    async def limit_statements(self, key: str, seconds: float) -> None:
        """Limit each statement of the open batch to *seconds*."""

    @abstractmethod
    async def run_statement(self, work: BackfillWork, statement: Statement, sql: Filled) -> None:
        """Run *sql*, which is *statement* for the rows of the batch.

        Raises:
            StatementFailed: The server refused it; has file, line and column.
        """

    @abstractmethod
    async def fetch(self, query: str, values: Sequence[Any]) -> Sequence[Mapping[str, Any]]:
        """Return the rows of a user's *query* in the open batch.

        Raises:
            StatementFailed: The server refused it.
        """

    @abstractmethod
    async def execute(self, query: str, values: Sequence[Any]) -> int:
        """Run a user's statement in the open batch, and return the number of rows it changed.

        Raises:
            StatementFailed: The server refused it.
        """

    @abstractmethod
    def refuse(self, error: DBWardenError) -> BatchRefused | None:
        """Return the refusal of a batch that may succeed later, or if it is smaller."""

    @abstractmethod
    async def read(self) -> Sequence[BackfillRow]:
        """Return the rows of all backfills, oldest first."""

    @abstractmethod
    async def write(self, sql: str) -> None:
        """Change the row of a backfill, in a transaction of its own."""

    async def pressure(self) -> Pressure:
        """Return what others suffer now."""
        return Pressure()


class Backfills:
    """The backfills of one database, over one connection."""

    def __init__(self, session: BatchSession) -> None:
        """Store the session."""
        self._session = session
        self._progress = ProgressTable(session.ledger)
        self._name = session.database
        self._lap: float | None = None
        self.breath = session.breath
        self.share = session.share
        self.pressure = session.pressure

    async def read(self) -> Sequence[BackfillRow]:
        """Return the rows of all backfills, oldest first."""
        return await self._session.read()

    async def start(self, pending: PendingMigration, work: BackfillWork) -> BackfillRow:
        """Record in the ledger that a backfill has started. Requires the migration lock.

        Raises:
            MigrationFileError: Its table does not exist, or has no usable unique key.
        """
        async with self._session.transaction():
            table = await self._find_key(work)
            # Refuse an invalid condition before anything is written.
            await self._count_left(work, table, most=0)
            total = await self._session.estimate(table)
            if work.migration.phase == "post":
                await self._session.add_phase()
            await self._session.send(
                self._session.ledger.backfilling_sql(pending),
                self._progress.create_sql(),
                self._progress.start_sql(work, table, total),
            )
            return await self._row(work)

    async def run_batch(self, work: BackfillWork, size: int, limit: float) -> BatchDone:
        """Run the next batch of *size* rows, or finish the backfill after the last one.

        Nothing is done if its state is not ``running``.

        Args:
            work: The backfill.
            size: The number of rows.
            limit: Seconds after which the server stops a statement.

        Raises:
            BatchRefused: A lock, a conflict or the time limit stopped it.
            StatementFailed: It failed; nothing of the batch remains.
            MigrationFileError: Its table does not exist any more, or the file was edited.
        """
        began = self._lap if self._lap is not None else time.monotonic()
        try:
            async with self._session.transaction(work.migration.key):
                done = await self._run_batch(work, size, limit, began)
        except DBWardenError as error:
            if refused := self._session.refuse(error):
                error.next_step = resume_advice(work, self._name)
                raise refused from error
            raise
        self._lap = time.monotonic()
        return done

    async def _run_batch(
        self, work: BackfillWork, size: int, limit: float, began: float
    ) -> BatchDone:
        table = await self._find_key(work)
        row = await self._row(work, lock=True)
        if row.state is not BackfillState.RUNNING:
            return BatchDone(row=row)
        if row.checksum != work.checksum:
            raise edited(work, row, self._name)
        table = replace(table, columns=row.columns, types=row.types)
        last = row.last_key or await self._begin_cycle(row, table)
        rest = Rest(cycle=row.cycle, after=row.cursor, last=last)
        next_rows = await self._next_rows(work, table, rest, size)
        if not next_rows:
            await self._end_cycle(work, row, table)
            return BatchDone(row=await self._row(work))
        limit_sent = time.monotonic()
        await self._session.limit_statements(row.key, limit)
        change_sent = time.monotonic()
        round_trip = change_sent - limit_sent  # setting the limit takes no time on the server
        await self._change(work, next_rows, row.batches + 1)
        busy = max(0.0, time.monotonic() - change_sent - round_trip)
        ms = (time.monotonic() - began) * 1000
        moved = self._progress.batch_sql(row, next_rows, size, ms)
        return BatchDone(
            row=await self._session.move(row.key, moved), rows=next_rows.rows, busy=busy
        )

    async def _row(self, work: BackfillWork, *, lock: bool = False) -> BackfillRow:
        key = self._session.ledger.literal(work.migration.key)
        rows = await self._session.rows(f"WHERE key = {key}", lock=lock)
        if not rows:
            raise rolled_back(work, self._name)
        return rows[0]

    async def _begin_cycle(self, row: BackfillRow, table: TableKey) -> KeyValues | None:
        """Record the last key of the table; ``None`` if the table is empty."""
        last = await self._last_key(table)
        if last is not None:
            await self._session.send(self._progress.begin_cycle_sql(row.key, last))
        return last

    async def _end_cycle(self, work: BackfillWork, row: BackfillRow, table: TableKey) -> None:
        """Finish the backfill, or begin another cycle for rows that do not satisfy ``until``."""
        rows_left = await self._count_left(work, table)
        if rows_left == 0:
            await self._session.send(*self._progress.finish_sql(row))
        elif row.left is not None and rows_left >= row.left:
            raise no_cycle_left(work, row.cycle, rows_left, self._name)
        else:
            await self._session.send(self._progress.next_cycle_sql(row, rows_left))

    async def replay(self, work: BackfillWork, after: Callable[[], Awaitable[None]]) -> None:
        """Run *work* to its end without a record of its progress, in a scratch database.

        *after* is called after each batch.
        """
        table = await self._find_key(work)
        rows_left: int | None = None
        number = 0
        for cycle in range(1, 100):
            rest = Rest(cycle=cycle, after=None, last=await self._last_key(table))
            while True:
                size = REPLAYED << min(number, 10)
                async with self._session.transaction():
                    next_rows = await self._next_rows(work, table, rest, size)
                    if next_rows is None:
                        break
                    number += 1
                    await self._change(work, next_rows, number)
                rest = rest._replace(after=next_rows.cursor)
                await after()
            rows_left_before, rows_left = rows_left, await self._count_left(work, table)
            if rows_left == 0:
                return
            if rows_left_before is not None and rows_left >= rows_left_before:
                raise no_cycle_left(work, cycle, rows_left, self._name)

    async def set_state(self, key: str, state: BackfillState, *, error: str | None = None) -> None:
        """Set the state of a backfill that has not ended."""
        await self._session.write(self._progress.state_sql(key, state, error))

    async def restart(self, work: BackfillWork, *, keep_cursor: bool) -> None:
        """Accept the file of *work* as it is now, and begin again unless *keep_cursor*."""
        async with self._session.transaction():
            table = await self._find_key(work)
            fresh = None if keep_cursor else (table, await self._session.estimate(table))
            await self._session.send(*self._progress.restart_sql(work, fresh))

    async def report_waiting(self, key: str, reason: str | None) -> None:
        """Record why the runner of a backfill waits now."""
        await self._session.write(self._progress.waiting_sql(key, reason))

    # -- the rows of the table --------------------------------------------------------------

    async def _find_key(self, work: BackfillWork) -> TableKey:
        """Return the table and the key that orders its rows.

        Raises:
            MigrationFileError: The table does not exist, or has no usable unique key.
        """
        keys = await self._session.find_keys(work.backfill.table)
        if keys is None:
            raise no_table(work, self._name)
        if not keys:
            raise no_key(work, self._name)
        return keys[0]

    async def _last_key(self, table: TableKey) -> KeyValues | None:
        """Return the last key of the table; ``None`` if the table is empty."""
        keys = await self._session.query(table.last_sql())
        return table.key_of(keys[0]) if keys else None

    async def _next_rows(
        self, work: BackfillWork, table: TableKey, rest: Rest, size: int
    ) -> NextRows | None:
        """Return the next batch of at most *size* rows; ``None`` at the end.

        The first cycle takes all rows. Later ones take only rows that do not satisfy ``until``.
        """
        until, (cycle, after, last) = work.backfill.until, rest
        if last is None:
            return None
        if cycle == 1 or until is None:
            bound = await self._session.query(table.bound_sql(after, last, size))
            if not bound:
                return None
            to = table.key_of(bound[0][1:])
            return NextRows(
                condition=lambda alias: table.between(after, to, alias),
                cursor=to,
                rows=int(bound[0][0]),
            )
        lines = await self._query_until(work, table.unsatisfied_sql(after, last, size, until))
        keys = [table.key_of(line) for line in lines]
        if not keys:
            return None
        return NextRows(
            condition=lambda alias: table.among(keys, alias), cursor=keys[-1], rows=len(keys)
        )

    async def _count_left(self, work: BackfillWork, table: TableKey, most: int = MOST_LEFT) -> int:
        """Return the number of rows that do not satisfy ``until``, counted up to *most*."""
        until = work.backfill.until
        if until is None:
            return 0
        ((count,),) = await self._query_until(work, table.count_sql(until, most))
        return int(count)

    async def _query_until(self, work: BackfillWork, sql: str) -> Sequence[Sequence[Any]]:
        """Return the rows of a query with the condition ``until``.

        Raises:
            StatementFailed: The server refused the condition; has its line in the file.
        """
        try:
            return await self._session.query(sql)
        except Exception as error:
            message = self._session.describe_fault(error)
            if message is None:
                raise
            raise bad_until(work, message, self._name) from error

    async def _change(self, work: BackfillWork, next_rows: NextRows, number: int) -> None:
        """Change the rows of batch *number*, in the open transaction, by SQL or by a coroutine."""
        if work.apply is not None:
            await work.apply(
                Batch(
                    connection=BatchConnection(self._session.fetch, self._session.execute),
                    condition=next_rows.condition(None),
                    rows=next_rows.rows,
                    number=number,
                )
            )
        for statement in work.statements:
            sql = filled(self._session.dialect, statement, next_rows.condition)
            try:
                await self._session.run_statement(work, statement, sql)
            except StatementFailed as error:
                error.next_step = resume_advice(work, self._name)
                raise
