"""Walk over the rows of a table in batches, by its unique key, and change them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dbwarden.dialects.backfilling import (
    MOST_LEFT,
    SMALL,
    BackfillWork,
    Batch,
    Condition,
    bad_until,
    filled,
    no_key,
    no_table,
)
from dbwarden.dialects.postgresql.backfill.batch_connection import PostgresBatchConnection
from dbwarden.dialects.postgresql.backfill.keys import Key, TableKey, key_sql, parse_key
from dbwarden.dialects.postgresql.migrate.session import ServerRefused, Session
from dbwarden.dialects.postgresql.migrate.statement_errors import statement_failed
from dbwarden.dialects.splitting import position_in
from dbwarden.types import DatabaseName


@dataclass(frozen=True, slots=True, kw_only=True)
class NextRows:
    """The next batch: its condition, its last key and the number of its rows."""

    condition: Condition
    cursor: Key
    rows: int


@dataclass(frozen=True, slots=True)
class Walk:
    """The rows of one backfill, on one session."""

    session: Session
    database: DatabaseName
    work: BackfillWork

    async def find_key(self) -> TableKey:
        """Return the table and the key that orders its rows.

        Raises:
            MigrationFileError: The table does not exist, or has no usable unique key.
        """
        lines = await self.session.lines(key_sql(self.work.backfill.table))
        if not lines:
            raise no_table(self.work, self.database)
        key = parse_key(lines[0][0] or "")
        if key is None:
            raise no_key(self.work, self.database)
        return key

    async def count_few(self, table: TableKey) -> int:
        """Return the number of rows, at most one more than in a small table."""
        counted = f"SELECT count(*) FROM (SELECT FROM {table.table} LIMIT {SMALL + 1}) few"
        return int(await self.session.value(counted) or 0)

    async def last_key(self, table: TableKey) -> Key | None:
        """Return the last key of the table; ``None`` if the table is empty."""
        lines = await self.session.lines(table.last_sql())
        return _key(lines[0]) if lines else None

    async def next_rows(
        self, table: TableKey, cycle: int, after: Key | None, last: Key, size: int
    ) -> NextRows | None:
        """Return the next batch of at most *size* rows; ``None`` at the end.

        The first cycle takes all rows. Later ones take only rows that do not satisfy ``until``.
        """
        until = self.work.backfill.until
        if cycle == 1 or until is None:
            lines = await self.session.lines(table.bound_sql(after, last, size))
            if not lines:
                return None
            to = _key(lines[0][1:])
            return NextRows(
                condition=lambda alias: table.between(after, to, alias),
                cursor=to,
                rows=int(lines[0][0] or 0),
            )
        lines = await self._until(table.unsatisfied_sql(after, last, size, until))
        keys = [_key(line) for line in lines]
        if not keys:
            return None
        return NextRows(
            condition=lambda alias: table.among(keys, alias), cursor=keys[-1], rows=len(keys)
        )

    async def change(self, found: NextRows, number: int) -> None:
        """Change the rows of batch *number*, in the open transaction, by SQL or by a coroutine.

        Raises:
            StatementFailed: The server refused a statement; has file, line and column.
        """
        if self.work.apply is not None:
            connection = PostgresBatchConnection(self.session, self.database)
            condition = found.condition(None)
            await self.work.apply(
                Batch(connection=connection, condition=condition, rows=found.rows, number=number)
            )
        for statement in self.work.statements:
            sql = filled("postgresql", statement, found.condition)
            try:
                await self.session.send(sql.text, listen=True)
            except ServerRefused as refused:
                offset = sql.original((refused.position or 1) - 1)
                raise statement_failed(
                    refused,
                    database=self.database,
                    location=self.work.migration.at(*position_in(statement, offset)),
                    statement=statement,
                ) from refused

    async def count_left(self, table: TableKey, most: int = MOST_LEFT) -> int:
        """Return the number of rows that do not satisfy ``until``, counted up to *most*."""
        until = self.work.backfill.until
        if until is None:
            return 0
        lines = await self._until(
            f"SELECT count(*) FROM (SELECT FROM {table.table} WHERE (\n{until}\n) IS NOT TRUE "
            f"LIMIT {most}) unsatisfied"
        )
        return int(lines[0][0] or 0)

    async def _until(self, query: str) -> list[list[str | None]]:
        """Return the rows of a *query* with the condition ``until``.

        Raises:
            StatementFailed: The server refused the condition; has its line in the file.
        """
        try:
            return await self.session.lines(query)
        except ServerRefused as refused:
            if refused.sqlstate[:2] not in ("22", "42"):
                raise
            raise bad_until(self.work, refused.message, self.database) from refused


def _key(line: Sequence[Any]) -> Key:
    return tuple(str(value) for value in line)
