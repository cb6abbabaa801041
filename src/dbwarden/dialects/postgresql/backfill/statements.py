"""Run what a backfill does with one batch: its SQL, or the user's coroutine."""

from collections.abc import Sequence
from typing import Any

from dbwarden.dialects.backfilling import BackfillWork, Batch, Condition, filled
from dbwarden.dialects.base import Statement
from dbwarden.dialects.postgresql.migrate.session import ServerRefused, Session
from dbwarden.dialects.postgresql.migrate.statement_errors import statement_failed
from dbwarden.dialects.splitting import position_in
from dbwarden.types import DatabaseName


class Statements:
    """The statements or the coroutine of one backfill, on one session."""

    def __init__(self, session: Session, database: DatabaseName, work: BackfillWork) -> None:
        """Store the arguments."""
        self._session = session
        self._database = database
        self._work = work

    async def run(self, condition: Condition, rows: int, number: int) -> None:
        """Change the *rows* that satisfy *condition*, in the open transaction.

        Raises:
            StatementFailed: The server refused a statement; has file, line and column.
        """
        if self._work.apply is not None:
            connection = PostgresBatchConnection(self._session, self._database)
            await self._work.apply(
                Batch(connection=connection, condition=condition(None), rows=rows, number=number)
            )
        for statement in self._work.statements:
            await self._one(statement, condition)

    async def _one(self, statement: Statement, condition: Condition) -> None:
        sql = filled("postgresql", statement, condition)
        try:
            await self._session.send(sql.text, listen=True)
        except ServerRefused as refused:
            offset = sql.original((refused.position or 1) - 1)
            raise statement_failed(
                refused,
                database=self._database,
                location=self._work.migration.at(*position_in(statement, offset)),
                statement=statement,
            ) from refused


class PostgresBatchConnection:
    """The transaction of one batch, for a user's coroutine; see ``BatchConnection``."""

    def __init__(self, session: Session, database: DatabaseName) -> None:
        """Store the arguments."""
        self._session = session
        self._database = database

    async def fetch(self, query: str, *values: Any) -> Sequence[dict[str, Any]]:
        """Run *query*, whose parameters are $1, $2 and so on; see ``BatchConnection.fetch``."""
        try:
            return await self._session.fetch(query, values)
        except ServerRefused as refused:
            raise self._failed(refused, query) from refused

    async def execute(self, query: str, *values: Any) -> int:
        """Run one statement; see ``BatchConnection.execute``."""
        try:
            return await self._session.execute(query, values)
        except ServerRefused as refused:
            raise self._failed(refused, query) from refused

    def _failed(self, refused: ServerRefused, query: str) -> Exception:
        return statement_failed(
            refused,
            database=self._database,
            location=None,
            statement=Statement(text=query, line=1, column=1),
        )
