"""Find the unique key by which a table is walked, and build the SQL of its batches."""

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dbwarden.quoting import quoted, text_literal, unquoted

Key = tuple[str, ...]
"""The values of a key's columns, as literals."""

_NAME = re.compile(r'(?:(?:main|"main")\.)?("(?:[^"]|"")+"|[^".]+)', re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableKey:
    """A table, quoted, and the columns of the unique key that orders its rows.

    ``collations`` are those of the key's index, by which its values are unique; empty for numbers.
    """

    table: str
    columns: tuple[str, ...]
    collations: tuple[str, ...]

    def names(self, alias: str | None = None) -> str:
        """Return the columns as a row, or the only column, of the table or its *alias*."""
        prefix = f"{alias}." if alias else ""
        return _row([prefix + name for name in self._each()])

    def _each(self, suffix: str = "") -> list[str]:
        return [
            quoted(column) + (f" COLLATE {quoted(collation)}" if collation else "") + suffix
            for column, collation in zip(self.columns, self.collations, strict=True)
        ]

    def between(self, after: Key | None, to: Key, alias: str | None = None) -> str:
        """Return the condition for rows after the key *after*, if any, and up to *to*."""
        names = self.names(alias)
        lower = f"{names} > {_row(after)} AND " if after is not None else ""
        return f"({lower}{names} <= {_row(to)})"

    def among(self, keys: Sequence[Key], alias: str | None = None) -> str:
        """Return the condition for the rows with *keys*."""
        listed = ", ".join(_row(key) for key in keys)
        values = f"({listed})" if len(self.columns) == 1 else f"(VALUES {listed})"
        return f"({self.names(alias)} IN {values})"

    def columns_sql(self) -> str:
        """Return the columns for a SELECT."""
        return ", ".join(quoted(column) for column in self.columns)

    def order(self, suffix: str = "") -> str:
        """Return the columns for ORDER BY."""
        return ", ".join(self._each(suffix))

    def last_sql(self) -> str:
        """Return a query for the last key of the table."""
        return (
            f"SELECT {self.columns_sql()} FROM {self.table} ORDER BY {self.order(' DESC')} LIMIT 1"
        )

    def bound_sql(self, after: Key | None, to: Key, size: int) -> str:
        """Return a query for the number of the next *size* rows, and the last key of them."""
        return (
            f"WITH batch AS (SELECT {self.columns_sql()} FROM {self.table} WHERE "
            f"{self.between(after, to)} ORDER BY {self.order()} LIMIT {size}) "
            f"SELECT (SELECT count(*) FROM batch), {self.columns_sql()} FROM batch "
            f"ORDER BY {self.order(' DESC')} LIMIT 1"
        )

    def unsatisfied_sql(self, after: Key | None, to: Key, size: int, until: str) -> str:
        """Return a query for the keys of the next *size* rows that do not satisfy *until*."""
        return (
            f"SELECT {self.columns_sql()} FROM {self.table} WHERE {self.between(after, to)} "
            f"AND (\n{until}\n) IS NOT TRUE ORDER BY {self.order()} LIMIT {size}"
        )


def _row(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"


def key_of(values: Sequence[Any]) -> Key:
    """Return the values of a row's key as literals."""
    return tuple(_literal(value) for value in values)


def _literal(value: Any) -> str:
    match value:
        case bytes():
            return f"X'{value.hex()}'"
        case str() if "\0" in value:
            return f"CAST(X'{value.encode().hex()}' AS TEXT)"
        case str():
            return text_literal(value)
        case _:
            return repr(value)


def find_key(database: sqlite3.Connection, name: str) -> TableKey | str | None:
    """Return the best unique key of the table *name*.

    ``None`` means that there is no such table. If it has no usable key, its name is returned.
    """
    match = _NAME.fullmatch(name)
    plain = unquoted(match[1]) if match else name
    found = database.execute(
        "SELECT name FROM main.sqlite_master WHERE type = 'table' AND lower(name) = lower(?)",
        (plain,),
    ).fetchall()
    if not found:
        return None
    table: str = found[0][0]
    columns = database.execute(
        "SELECT name, type, \"notnull\", pk FROM pragma_table_info(?, 'main')", (table,)
    ).fetchall()
    indexes = database.execute(
        "SELECT name, origin FROM pragma_index_list(?, 'main') WHERE \"unique\" AND NOT partial",
        (table,),
    ).fetchall()
    primary = [column for column in columns if column[3]]
    if len(primary) == 1 and not any(origin == "pk" for _, origin in indexes):
        return TableKey(table=f"main.{quoted(table)}", columns=(primary[0][0],), collations=("",))
    required = {column[0] for column in columns if column[2] or column[3]}
    # SQLite allows NULL in primary keys, for which there is no order.
    maybe = [quoted(column[0]) for column in primary if not column[2]]
    if maybe and _has_nulls(database, table, maybe):
        required -= {column[0] for column in primary}
    usable = [key for index in indexes if (key := _key(database, table, index[0], required))]
    usable.sort(key=lambda key: (_origin_order(indexes, key[0]), len(key[1].columns), key[0]))
    return usable[0][1] if usable else table


def _has_nulls(database: sqlite3.Connection, table: str, columns: Sequence[str]) -> bool:
    condition = " OR ".join(f"{column} IS NULL" for column in columns)
    found = database.execute(f"SELECT 1 FROM main.{quoted(table)} WHERE {condition} LIMIT 1")
    return bool(found.fetchall())


def _origin_order(indexes: Sequence[Sequence[str]], name: str) -> bool:
    return not any(index == name and origin == "pk" for index, origin in indexes)


def _key(
    database: sqlite3.Connection, table: str, index: str, required: set[str]
) -> tuple[str, TableKey] | None:
    """Return the key of a unique *index*, if all its columns are *required*."""
    parts = database.execute(
        "SELECT name, coll FROM pragma_index_xinfo(?, 'main') WHERE key ORDER BY seqno", (index,)
    ).fetchall()
    if any(name is None or name not in required for name, _ in parts):
        return None
    return index, TableKey(
        table=f"main.{quoted(table)}",
        columns=tuple(name for name, _ in parts),
        collations=tuple(collation for _, collation in parts),
    )
