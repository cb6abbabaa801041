"""Send the batches of backfills over one session."""

import json
import time
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from dbwarden import telemetry
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.backfill.keys import TableKey
from dbwarden.dialects.backfill.running import BatchSession
from dbwarden.dialects.backfill.work import SMALL, BackfillWork, BatchRefused, Pressure
from dbwarden.dialects.base import Statement
from dbwarden.dialects.ledger_rows import backfills_of
from dbwarden.dialects.postgresql.backfill.keys import PostgresKey, key_sql, parse_keys
from dbwarden.dialects.postgresql.backfill.pressure import SQL as PRESSURE_SQL
from dbwarden.dialects.postgresql.backfill.pressure import LagTracker, positions
from dbwarden.dialects.postgresql.backfill.state_rows import AS_JSON, StateTable, parse_row
from dbwarden.dialects.postgresql.migrate.batching import TransactionLimits, milliseconds
from dbwarden.dialects.postgresql.migrate.connecting import application_name
from dbwarden.dialects.postgresql.migrate.history_rows import PostgresRows, add_phase_sql
from dbwarden.dialects.postgresql.migrate.session import ServerRefused, Session
from dbwarden.dialects.postgresql.migrate.statement_errors import (
    LOCK_NOT_AVAILABLE,
    UNDEFINED_TABLE,
    ledger_failed,
    statement_failed,
)
from dbwarden.dialects.postgresql.sql.error_texts import PostgresText
from dbwarden.dialects.splitting import position_in
from dbwarden.errors import DBWardenError, StatementFailed
from dbwarden.files.placeholders import Filled
from dbwarden.migration_history import BackfillRow
from dbwarden.types import DialectName

T = TypeVar("T")

CONFLICTS = ("40001", "40P01", LOCK_NOT_AVAILABLE)
CANCELLED = "57014"
CURSOR_WAIT = 60.0
"""Seconds to wait for another runner that has the cursor."""

ABANDONED = 60.0
"""Seconds after which the server ends the transaction of a runner that is gone."""


class PostgresBatches(BatchSession):
    """The session of one database, for backfills; see ``BatchSession``."""

    dialect: DialectName = "postgresql"
    share = 1 / 200
    """At most one writer in 200 meets a row that a batch has locked."""

    def __init__(self, session: Session, config: DatabaseConfig, ledger: str) -> None:
        """Store the arguments; *ledger* is its table, qualified."""
        self.database = config.database_name
        self._table = StateTable(ledger=ledger)
        self.ledger = PostgresRows(table=ledger)
        self._session = session
        self._config = config
        self._lag = LagTracker()
        self._lag_hidden = False

    async def find_keys(self, table: str) -> Sequence[PostgresKey] | None:
        """Return the usable unique keys of *table*, best first; ``None`` without such a table."""
        lines = await self.query(key_sql(table))
        return parse_keys(lines[0][0] or "") if lines else None

    async def estimate(self, key: TableKey) -> int:
        """Return the number of rows: exact if it is small, else as the planner estimates it."""
        counted = f"SELECT count(*) FROM (SELECT FROM {key.table} LIMIT {SMALL + 1}) few"
        few = int(await self._session.value(counted) or 0)
        if few <= SMALL:
            return few
        (plan,) = await self._session.fetch(f"EXPLAIN (FORMAT JSON) SELECT FROM {key.table}", ())
        return max(few, int(json.loads(plan["QUERY PLAN"])[0]["Plan"]["Plan Rows"]))

    async def query(self, sql: str) -> list[list[str | None]]:
        """Return the rows of *sql* as texts."""
        return await self._session.lines(sql)

    def describe_fault(self, error: Exception) -> str | None:
        """Return the server's message about values or syntax."""
        if isinstance(error, ServerRefused) and error.sqlstate[:2] in ("22", "42"):
            return error.message
        return None

    @asynccontextmanager
    async def transaction(self, key: str | None = None) -> AsyncGenerator[None]:
        """Run the block in one transaction; see ``BatchSession.transaction``."""
        settings = self._settings(key, CURSOR_WAIT, None) if key is not None else ""
        try:
            await self._session.send(f"BEGIN;{settings}")
            yield
            await self._session.send("COMMIT")
        except Exception as error:
            if self._session.open:
                await self._session.send("ROLLBACK")
            if isinstance(error, ServerRefused):
                raise statement_failed(
                    error, database=self.database, location=None, statement=None
                ) from error
            raise

    async def send(self, *statements: str) -> None:
        """Run *statements* in one message."""
        await self._session.send(";".join(statements))

    async def add_phase(self) -> None:
        """Add the column of phases to a ledger of an earlier version."""
        await self._session.send(add_phase_sql(self.ledger.table))

    async def rows(self, which: str, *, lock: bool = False) -> Sequence[BackfillRow]:
        """Return rows of the progress; *lock* waits until no other runner has them."""
        tail = " FOR UPDATE" if lock else ""
        lines = await self.query(self._table.rows_sql(f"{which}{tail}"))
        return [parse_row(line[0] or "") for line in lines]

    async def move(self, key: str, update: str) -> BackfillRow:
        """Run *update* and return the row in one flight, because the rows of a batch are locked."""
        ((after,),) = await self.query(f"{update} RETURNING {AS_JSON}")
        return parse_row(after or "")

    async def limit_statements(self, key: str, seconds: float) -> None:
        """Limit each statement of the open batch to *seconds*."""
        await self._session.send(self._settings(key, self._config.lock_timeout, seconds))

    async def run_statement(self, work: BackfillWork, statement: Statement, sql: Filled) -> None:
        """Run a statement of the file; see ``BatchSession.run_statement``."""
        try:
            await self._session.send(sql.text, listen=True)
        except ServerRefused as refused:
            offset = sql.original((refused.position or 1) - 1)
            raise statement_failed(
                refused,
                database=self.database,
                location=work.migration.at(*position_in(statement, offset)),
                statement=statement,
            ) from refused

    async def fetch(self, query: str, values: Sequence[Any]) -> Sequence[dict[str, Any]]:
        """Return the rows of a user's *query*; see ``BatchSession.fetch``."""
        return await self._call(query, self._session.fetch(query, values))

    async def execute(self, query: str, values: Sequence[Any]) -> int:
        """Run a user's statement; see ``BatchSession.execute``."""
        return await self._call(query, self._session.execute(query, values))

    async def _call(self, query: str, result: Awaitable[T]) -> T:
        try:
            return await result
        except ServerRefused as refused:
            statement = Statement(text=query, line=1, column=1)
            raise statement_failed(
                refused, database=self.database, location=None, statement=statement
            ) from refused

    def refuse(self, error: DBWardenError) -> BatchRefused | None:
        """Return the refusal of a batch that may succeed later, or if it is smaller."""
        sqlstate = error.sqlstate if isinstance(error, StatementFailed) else None
        if sqlstate in CONFLICTS:
            return BatchRefused(error)
        if sqlstate == CANCELLED and PostgresText.STATEMENT_TIMEOUT.is_in(error.message):
            return BatchRefused(error, too_long=True)
        return None

    async def read(self) -> Sequence[BackfillRow]:
        """Return the rows of all backfills, oldest first."""
        try:
            return await self.rows("ORDER BY started_at, key")
        except ServerRefused as refused:
            if refused.sqlstate == UNDEFINED_TABLE:
                return ()
            raise self._ledger_failed(refused, "cannot be read") from refused

    async def write(self, sql: str) -> None:
        """Change the row of a backfill outside of a batch."""
        try:
            await self._session.send(sql)
        except ServerRefused as refused:
            raise self._ledger_failed(refused, "cannot be written") from refused

    def _ledger_failed(self, refused: ServerRefused, doing: str) -> DBWardenError:
        return ledger_failed(refused, doing, self.database, backfills_of(self.ledger.table))

    async def pressure(self) -> Pressure:
        """Return what others suffer now; the lag is as old as this connection at most."""
        ((written, waits, replicas),) = await self._session.lines(PRESSURE_SQL)
        replayed, hidden = positions(replicas)
        if hidden and not self._lag_hidden:
            self._lag_hidden = True
            telemetry.emit("replica_lag_unknown", level="warning")
        lag = self._lag.lag(time.monotonic(), int(written or 0), replayed)
        return Pressure(lag_seconds=lag, lock_waits=int(waits or 0))

    def _settings(self, key: str, lock_timeout: float | None, limit: float | None) -> str:
        limits = TransactionLimits(
            statement_timeout=limit,
            lock_timeout=lock_timeout,
            application=application_name(self.database, self.ledger.writer),
        )
        abandoned = milliseconds(ABANDONED + (limit or 0))
        return f"{limits.sql(key)}SET LOCAL idle_in_transaction_session_timeout={abandoned};"
