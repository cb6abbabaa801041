"""Send the batches of backfills over one connection."""

import sqlite3
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from dbwarden.dialects.backfill.keys import TableKey
from dbwarden.dialects.backfill.running import BatchSession
from dbwarden.dialects.backfill.work import BackfillWork, BatchRefused
from dbwarden.dialects.base import Statement
from dbwarden.dialects.sqlite.backfill.keys import SQLiteKey, find_keys
from dbwarden.dialects.sqlite.backfill.state_rows import StateTable
from dbwarden.dialects.sqlite.migrate.history_rows import rows_of
from dbwarden.dialects.sqlite.migrate.session import Executed, Session
from dbwarden.dialects.sqlite.migrate.statement_errors import primary_code
from dbwarden.dialects.sqlite.migrate.threads import run_cleanup, run_interruptible
from dbwarden.errors import DBWardenError, LockTimeout, StatementFailed
from dbwarden.files.placeholders import Filled
from dbwarden.migration_history import BackfillRow
from dbwarden.types import DialectName, Location

T = TypeVar("T")


class SQLiteBatches(BatchSession):
    """The connection of one database, for backfills; see ``BatchSession``."""

    dialect: DialectName = "sqlite"
    breath = 0.02
    """Other connections can write only between two batches."""

    def __init__(self, session: Session) -> None:
        """Store the session."""
        self.database = session.config.database_name
        self._table = StateTable(session.config.ledger_table)
        self.ledger = rows_of(session.config.ledger_table, session.writer)
        self._session = session
        self._limit: float | None = None

    async def find_keys(self, table: str) -> Sequence[SQLiteKey] | None:
        """Return the usable unique keys of *table*, best first; ``None`` without such a table."""
        return await self._call(lambda: find_keys(self._session.database, table))

    async def estimate(self, key: TableKey) -> int:
        """Return the exact number of rows."""
        ((count,),) = await self.query(f"SELECT count(*) FROM {key.table}")
        return int(count)

    async def query(self, sql: str) -> Sequence[tuple[Any, ...]]:
        """Return the rows of *sql*."""
        return await self._call(lambda: self._session.database.execute(sql).fetchall())

    def describe_fault(self, error: Exception) -> str | None:
        """Return SQLite's message about syntax or names."""
        at_fault = (
            isinstance(error, sqlite3.OperationalError)
            and error.sqlite_errorcode == sqlite3.SQLITE_ERROR
        )
        return str(error) if at_fault else None

    @asynccontextmanager
    async def transaction(self, key: str | None = None) -> AsyncGenerator[None]:
        """Run the block in one transaction, with foreign keys enforced.

        Raises:
            LockTimeout: Another connection kept the file locked.
        """
        try:
            await self._call(self._begin)
            yield
            await self._call(self._commit)
        except sqlite3.Error as error:
            raise self._session.error_for(error) from error
        finally:
            if not self._session.abandoned:
                await run_cleanup(self._end)

    def _begin(self) -> None:
        database = self._session.database
        database.execute("PRAGMA foreign_keys = ON")
        self._session.retry_while_busy(lambda: database.execute("BEGIN IMMEDIATE"))

    def _commit(self) -> None:
        self._session.retry_while_busy(lambda: self._session.database.execute("COMMIT"))

    def _end(self) -> None:
        self._session.roll_back()
        self._session.database.execute("PRAGMA foreign_keys = OFF")

    async def send(self, *statements: str) -> None:
        """Run *statements* in the open transaction."""
        await self._call(lambda: self._each(statements))

    def _each(self, statements: Sequence[str]) -> None:
        for statement in statements:
            self._session.database.execute(statement)

    async def add_phase(self) -> None:
        """Add the column of phases to a ledger of an earlier version."""
        await self._call(lambda: self._session.ledger.add_phase())

    async def rows(self, which: str, *, lock: bool = False) -> Sequence[BackfillRow]:
        """Return rows of the progress, which a transaction locks with the whole database."""
        return await self._call(lambda: self._table.rows(self._session.database, which))

    async def move(self, key: str, update: str) -> BackfillRow:
        """Run *update* and return the row."""
        where = f"WHERE key = {self.ledger.literal(key)}"

        def run() -> BackfillRow:
            self._session.database.execute(update)
            (row,) = self._table.rows(self._session.database, where)
            return row

        return await self._call(run)

    async def limit_statements(self, key: str, seconds: float) -> None:
        """Limit each statement of the open batch to *seconds*."""
        self._limit = seconds

    async def run_statement(self, work: BackfillWork, statement: Statement, sql: Filled) -> None:
        """Run a statement of the file; see ``BatchSession.run_statement``."""
        at = work.migration.at(statement.line, statement.column)
        await self._run(sql.text, (), statement.text, at)

    async def _run(
        self, sql: str, values: Sequence[Any], shown: str, location: Location | None
    ) -> Executed:
        """Run one statement of the open batch, which is *shown* in errors."""
        try:
            return await self._call(lambda: self._session.execute_within(sql, values, self._limit))
        except sqlite3.Error as error:
            stopped = None if self._session.timed_out else self._session.obstacle(error)
            raise stopped or StatementFailed(
                str(error), database=self.database, location=location, statement=shown
            ) from error

    async def fetch(self, query: str, values: Sequence[Any]) -> Sequence[dict[str, Any]]:
        """Return the rows of a user's *query*; see ``BatchSession.fetch``."""
        return (await self._run(query, values, query, None)).rows

    async def execute(self, query: str, values: Sequence[Any]) -> int:
        """Run a user's statement; see ``BatchSession.execute``."""
        return (await self._run(query, values, query, None)).changed

    def refuse(self, error: DBWardenError) -> BatchRefused | None:
        """Return the refusal of a batch that may succeed later, or if it is smaller."""
        if isinstance(error, LockTimeout):
            return BatchRefused(error)
        stopped = error.__cause__ is not None and primary_code(error.__cause__)
        return BatchRefused(error, too_long=True) if stopped == sqlite3.SQLITE_INTERRUPT else None

    async def read(self) -> Sequence[BackfillRow]:
        """Return the rows of all backfills, oldest first."""
        session = self._session
        return await self._call(
            lambda: session.retry_while_busy(lambda: self._table.read(session.database))
        )

    async def write(self, sql: str) -> None:
        """Change the row of a backfill outside of a batch."""
        session = self._session

        def body() -> None:
            session.database.execute(sql)

        await self._call(lambda: session.transaction(body))

    async def _call(self, call: Callable[[], T]) -> T:
        self._session.rearm()
        return await run_interruptible(call, self._session)
