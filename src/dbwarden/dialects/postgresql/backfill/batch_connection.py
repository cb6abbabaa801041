"""Give a user's coroutine the transaction of one batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dbwarden.dialects.base import Statement
from dbwarden.dialects.postgresql.migrate.session import ServerRefused, Session
from dbwarden.dialects.postgresql.migrate.statement_errors import statement_failed
from dbwarden.types import DatabaseName


@dataclass(frozen=True, slots=True)
class PostgresBatchConnection:
    """The transaction of one batch, for a user's coroutine; see ``BatchConnection``."""

    session: Session
    database: DatabaseName

    async def fetch(self, query: str, *values: Any) -> Sequence[dict[str, Any]]:
        """Run *query*, whose parameters are $1, $2 and so on; see ``BatchConnection.fetch``."""
        try:
            return await self.session.fetch(query, values)
        except ServerRefused as refused:
            raise self._failed(refused, query) from refused

    async def execute(self, query: str, *values: Any) -> int:
        """Run one statement; see ``BatchConnection.execute``."""
        try:
            return await self.session.execute(query, values)
        except ServerRefused as refused:
            raise self._failed(refused, query) from refused

    def _failed(self, refused: ServerRefused, query: str) -> Exception:
        return statement_failed(
            refused,
            database=self.database,
            location=None,
            statement=Statement(text=query, line=1, column=1),
        )
