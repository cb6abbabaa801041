"""Run the batches of backfills on one session, each in its own transaction with its cursor."""

import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from dbwarden import telemetry
from dbwarden.config.model import DatabaseConfig
from dbwarden.dialects.backfilling import (
    SMALL,
    BackfillWork,
    BatchDone,
    BatchRefused,
    Pressure,
    edited,
    no_cycle_left,
    rolled_back,
)
from dbwarden.dialects.base import PendingMigration
from dbwarden.dialects.postgresql.backfill.keys import Key, TableKey
from dbwarden.dialects.postgresql.backfill.pressure import SQL as PRESSURE_SQL
from dbwarden.dialects.postgresql.backfill.pressure import LagTracker, positions
from dbwarden.dialects.postgresql.backfill.state_rows import StateTable, parse_row
from dbwarden.dialects.postgresql.backfill.walking import NextRows, Walk
from dbwarden.dialects.postgresql.migrate.batching import Limits, milliseconds
from dbwarden.dialects.postgresql.migrate.connecting import application_name
from dbwarden.dialects.postgresql.migrate.session import ServerRefused, Session
from dbwarden.dialects.postgresql.migrate.statement_errors import (
    LOCK_NOT_AVAILABLE,
    UNDEFINED_TABLE,
    ledger_failed,
    statement_failed,
)
from dbwarden.dialects.postgresql.sql.error_texts import PostgresText
from dbwarden.dialects.writer import Writer
from dbwarden.errors import StatementFailed
from dbwarden.migration_history import BackfillRow, BackfillState

CONFLICTS = ("40001", "40P01", LOCK_NOT_AVAILABLE)
CANCELLED = "57014"
CURSOR_WAIT = 60.0
"""Seconds to wait for another runner that has the cursor."""

ABANDONED = 60.0
"""Seconds after which the server ends the transaction of a runner that is gone."""


class PostgresBackfills:
    """The backfills of one database; see ``Backfills``."""

    breath = 0.0
    share = 1 / 200
    """At most one writer in 200 meets a row that a batch has locked."""

    def __init__(self, session: Session, config: DatabaseConfig, ledger: str) -> None:
        """Store the arguments; *ledger* is its table, qualified."""
        self._session = session
        self._config = config
        self._table = StateTable(ledger=ledger)
        self._writer = Writer.this_process()
        self._lag = LagTracker()
        self._lag_hidden = False
        self._lap: float | None = None

    async def read(self) -> tuple[BackfillRow, ...]:
        """Return the rows of all backfills, oldest first."""
        try:
            lines = await self._session.lines(self._table.read_sql())
        except ServerRefused as refused:
            if refused.sqlstate == UNDEFINED_TABLE:
                return ()
            name = self._config.database_name
            raise ledger_failed(refused, "cannot be read", name, self._table.name) from refused
        return tuple(parse_row(line[0] or "") for line in lines)

    async def start(self, pending: PendingMigration, work: BackfillWork) -> BackfillRow:
        """Record that a backfill has started; see ``Backfills.start``."""
        walk = self._walk(work)
        key = await walk.find_key()
        await walk.count_left(key, 0)  # refuses an invalid condition before anything is written
        total = await self._estimate(walk, key)
        start = self._table.start_sql(pending, key, total, work.checksum, self._writer)
        async with self._transaction(f"{self._table.create_sql()};"):
            await self._session.send(start)
        return await self._row(work, lock=False)

    async def _estimate(self, walk: Walk, key: TableKey) -> int | None:
        """Return the number of rows: exact if it is small, else as the planner estimates it."""
        few = await walk.count_few(key)
        if few <= SMALL:
            return few
        (plan,) = await self._session.fetch(f"EXPLAIN (FORMAT JSON) SELECT FROM {key.table}", ())
        return max(few, int(json.loads(plan["QUERY PLAN"])[0]["Plan"]["Plan Rows"]))

    def _walk(self, work: BackfillWork) -> Walk:
        return Walk(self._session, self._config.database_name, work)

    async def run_batch(self, work: BackfillWork, size: int, limit: float) -> BatchDone:
        """Run the next batch; see ``Backfills.run_batch``."""
        began = self._lap if self._lap is not None else time.monotonic()
        walk, key = self._walk(work), work.migration.key
        table = await walk.find_key()
        async with self._transaction(self._settings(key, CURSOR_WAIT, None)):
            row = await self._row(work, lock=True)
            if row.state is not BackfillState.RUNNING:
                return BatchDone(row=row)
            if row.checksum != work.checksum:
                raise edited(work, row, self._config.database_name)
            table = replace(table, columns=row.columns, types=row.types)
            last = row.last_key or await self._begin_cycle(walk, key, table)
            found = last and await walk.next_rows(table, row.cycle, row.cursor, last, size)
            if not found:
                await self._end_cycle(walk, work, row, table)
                done = BatchDone(row=await self._row(work, lock=False))
            else:
                busy = await self._apply(work, found, row.batches + 1, limit)
                spent_ms = (time.monotonic() - began) * 1000
                moved = self._table.batch_sql(key, found, size, spent_ms, self._writer)
                ((after,),) = await self._session.lines(
                    moved
                )  # not one more flight: rows are locked
                done = BatchDone(row=parse_row(after or ""), rows=found.rows, busy=busy)
        self._lap = time.monotonic()
        return done

    async def _apply(self, work: BackfillWork, found: NextRows, number: int, limit: float) -> float:
        """Change the rows of batch *number*; return the seconds, without those of one flight."""
        sent = time.monotonic()
        await self._session.send(
            self._settings(work.migration.key, self._config.lock_timeout, limit)
        )
        begun = time.monotonic()
        await self._walk(work).change(found, number)
        return max(0.0, time.monotonic() - begun - (begun - sent))

    async def _begin_cycle(self, walk: Walk, key: str, table: TableKey) -> Key | None:
        """Record the last key of the table; ``None`` if the table is empty."""
        last = await walk.last_key(table)
        if last is not None:
            await self._session.send(self._table.begin_cycle_sql(key, last))
        return last

    async def _end_cycle(
        self, walk: Walk, work: BackfillWork, row: BackfillRow, table: TableKey
    ) -> None:
        """Finish the backfill, or begin another cycle for rows that do not satisfy ``until``."""
        left = await walk.count_left(table)
        if left == 0:
            await self._session.send(self._table.finish_sql(row.key))
        elif row.left is not None and left >= row.left:
            raise no_cycle_left(work, row.cycle, left, self._config.database_name)
        else:
            await self._session.send(self._table.next_cycle_sql(row.key, left))

    async def set_state(self, key: str, state: BackfillState, *, error: str | None = None) -> None:
        """Set the state of a backfill that has not ended."""
        await self._write(self._table.state_sql(key, state, error))

    async def restart(self, work: BackfillWork, *, keep_cursor: bool) -> None:
        """Accept the file as it is now; see ``Backfills.restart``."""
        walk = self._walk(work)
        table = await walk.find_key()
        total = await self._estimate(walk, table)
        sql = self._table.restart_sql(
            work.migration.key,
            work.checksum,
            work.migration.upgrade.checksum,
            None if keep_cursor else (table, total),
        )
        async with self._transaction(""):
            await self._session.send(sql)

    async def report_waiting(self, key: str, reason: str | None) -> None:
        """Record why the runner of a backfill waits now."""
        await self._write(self._table.waiting_sql(key, reason))

    async def pressure(self) -> Pressure:
        """Return what others suffer now; the lag is as old as this connection at most."""
        ((written, waits, replicas),) = await self._session.lines(PRESSURE_SQL)
        replayed, hidden = positions(replicas)
        if hidden and not self._lag_hidden:
            self._lag_hidden = True
            telemetry.emit("replica_lag_unknown", level="warning")
        lag = self._lag.lag(time.monotonic(), int(written or 0), replayed)
        return Pressure(lag_seconds=lag, lock_waits=int(waits or 0))

    @asynccontextmanager
    async def _transaction(self, opening: str) -> AsyncGenerator[None]:
        """Run the block in one transaction, after *opening*.

        Raises:
            BatchRefused: A lock, a conflict or the time limit stopped it.
        """
        try:
            await self._session.send(f"BEGIN;{opening}")
            yield
            await self._session.send("COMMIT")
        except ServerRefused as refused:
            await self._session.send("ROLLBACK")
            error = statement_failed(
                refused, database=self._config.database_name, location=None, statement=None
            )
            raise _retryable(refused.sqlstate, refused.message, error) from refused
        except StatementFailed as failed:
            await self._session.send("ROLLBACK")
            raise _retryable(failed.sqlstate, failed.message, failed) from failed
        except Exception:
            if self._session.open:
                await self._session.send("ROLLBACK")
            raise

    def _settings(self, key: str, lock_timeout: float | None, limit: float | None) -> str:
        limits = Limits(
            statement_timeout=limit,
            lock_timeout=lock_timeout,
            application=application_name(self._config.database_name, self._writer),
        )
        abandoned = milliseconds(ABANDONED + (limit or 0))
        return f"{limits.sql(key)}SET LOCAL idle_in_transaction_session_timeout={abandoned};"

    async def _row(self, work: BackfillWork, *, lock: bool) -> BackfillRow:
        lines = await self._session.lines(self._table.read_sql(work.migration.key, lock=lock))
        if not lines:
            raise rolled_back(work, self._config.database_name)
        return parse_row(lines[0][0] or "")

    async def _write(self, sql: str) -> None:
        """Change the row of a backfill outside of a batch."""
        try:
            await self._session.send(sql)
        except ServerRefused as refused:
            name = self._config.database_name
            raise ledger_failed(refused, "cannot be written", name, self._table.name) from refused


def _retryable(sqlstate: str | None, message: str, error: Any) -> Exception:
    """Return *error*, wrapped if the same batch may succeed later."""
    if sqlstate in CONFLICTS:
        return BatchRefused(error)
    if sqlstate == CANCELLED and PostgresText.STATEMENT_TIMEOUT.is_in(message):
        return BatchRefused(error, too_long=True)
    failure: Exception = error
    return failure
