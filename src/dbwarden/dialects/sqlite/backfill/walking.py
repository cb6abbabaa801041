"""Walk over the rows of a table in batches, by its unique key. Blocking."""

import sqlite3
from dataclasses import dataclass
from typing import Any

from dbwarden.dialects.backfilling import (
    MOST_LEFT,
    BackfillWork,
    Condition,
    bad_until,
    no_key,
    no_table,
)
from dbwarden.dialects.sqlite.backfill.keys import Key, TableKey, find_key, key_of
from dbwarden.types import DatabaseName


@dataclass(frozen=True, slots=True, kw_only=True)
class NextRows:
    """The next batch: its condition, its last key and the number of its rows."""

    condition: Condition
    cursor: Key
    rows: int


class Walk:
    """The rows of one backfill, on one connection."""

    def __init__(
        self, database: sqlite3.Connection, name: DatabaseName, work: BackfillWork
    ) -> None:
        """Store the arguments; *name* is that of the database, for errors."""
        self._database = database
        self._name = name
        self._work = work

    def find_key(self) -> TableKey:
        """Return the table and the key that orders its rows.

        Raises:
            MigrationFileError: The table does not exist, or has no usable unique key.
        """
        found = find_key(self._database, self._work.backfill.table)
        if found is None:
            raise no_table(self._work, self._name)
        if isinstance(found, str):
            raise no_key(self._work, self._name)
        return found

    def count(self, table: TableKey) -> int:
        """Return the number of rows."""
        return int(self._fetch(f"SELECT count(*) FROM {table.table}")[0][0])

    def last_key(self, table: TableKey) -> Key | None:
        """Return the last key of the table; ``None`` if the table is empty."""
        found = self._fetch(table.last_sql())
        return key_of(found[0]) if found else None

    def next_rows(
        self, table: TableKey, cycle: int, after: Key | None, last: Key, size: int
    ) -> NextRows | None:
        """Return the next batch of at most *size* rows; ``None`` at the end.

        The first cycle takes all rows. Later ones take only rows that do not satisfy ``until``.
        """
        until = self._work.backfill.until
        if cycle == 1 or until is None:
            found = self._fetch(table.bound_sql(after, last, size))
            if not found:
                return None
            to = key_of(found[0][1:])
            return NextRows(
                condition=lambda alias: table.between(after, to, alias),
                cursor=to,
                rows=found[0][0],
            )
        lines = self._until(table.unsatisfied_sql(after, last, size, until))
        keys = [key_of(line) for line in lines]
        if not keys:
            return None
        return NextRows(
            condition=lambda alias: table.among(keys, alias), cursor=keys[-1], rows=len(keys)
        )

    def count_left(self, table: TableKey, most: int = MOST_LEFT) -> int:
        """Return the number of rows that do not satisfy ``until``, counted up to *most*."""
        until = self._work.backfill.until
        if until is None:
            return 0
        found = self._until(
            f"SELECT count(*) FROM (SELECT 1 FROM {table.table} WHERE (\n{until}\n) IS NOT TRUE "
            f"LIMIT {most})"
        )
        return int(found[0][0])

    def _until(self, query: str) -> list[tuple[Any, ...]]:
        try:
            return self._fetch(query)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
                raise
            raise bad_until(self._work, str(error), self._name) from error

    def _fetch(self, sql: str) -> list[tuple[Any, ...]]:
        return self._database.execute(sql).fetchall()
