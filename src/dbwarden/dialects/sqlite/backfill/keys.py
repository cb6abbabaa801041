"""Find the unique keys of a table, and write their columns and values as SQL."""

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dbwarden.dialects.backfill.keys import KeyValues, TableKey
from dbwarden.dialects.sqlite.migrate.opening import find_table
from dbwarden.quoting import quoted, text_literal, unquoted

_NAME = re.compile(r'(?:(?:main|"main")\.)?("(?:[^"]|"")+"|[^".]+)', re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SQLiteKey(TableKey):
    """A unique key; a stored value is its literal.

    ``types`` are the collations of the key's index, by which its values are unique; empty for
    numbers.
    """

    def compared(self) -> list[str]:
        """Return each column as it is compared and sorted."""
        return [
            quoted(column) + (f" COLLATE {quoted(collation)}" if collation else "")
            for column, collation in zip(self.columns, self.types, strict=True)
        ]

    def selected(self) -> str:
        """Return the columns for a SELECT."""
        return ", ".join(map(quoted, self.columns))

    def key_of(self, values: Sequence[Any]) -> KeyValues:
        """Return the key that a SELECT returned."""
        return tuple(map(_literal, values))

    def literals(self, key: KeyValues) -> list[str]:
        """Return each value of *key* as SQL."""
        return list(key)


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


def find_keys(database: sqlite3.Connection, name: str) -> list[SQLiteKey] | None:
    """Return the usable unique keys of the table *name*, best first; ``None`` without it."""
    match = _NAME.fullmatch(name)
    plain = unquoted(match[1]) if match else name
    table = find_table(database, plain)
    if table is None:
        return None
    columns = database.execute(
        "SELECT name, type, \"notnull\", pk FROM pragma_table_info(?, 'main')", (table,)
    ).fetchall()
    indexes = database.execute(
        "SELECT name, origin FROM pragma_index_list(?, 'main') WHERE \"unique\" AND NOT partial",
        (table,),
    ).fetchall()
    primary = [column for column in columns if column[3]]
    own_index = {name for name, origin in indexes if origin == "pk"}
    if len(primary) == 1 and not own_index:
        return [SQLiteKey(table=f"main.{quoted(table)}", columns=(primary[0][0],), types=("",))]
    required = {column[0] for column in columns if column[2] or column[3]}
    # SQLite allows NULL in primary keys, for which there is no order.
    maybe = " OR ".join(f"{quoted(column[0])} IS NULL" for column in primary if not column[2])
    if maybe and database.execute(f"SELECT 1 FROM main.{quoted(table)} WHERE {maybe}").fetchone():
        required -= {column[0] for column in primary}
    usable = [(name, key) for name, _ in indexes if (key := _key(database, table, name, required))]
    usable.sort(key=lambda each: (each[0] not in own_index, len(each[1].columns), each[0]))
    return [key for _, key in usable]


def _key(
    database: sqlite3.Connection, table: str, index: str, required: set[str]
) -> SQLiteKey | None:
    """Return the key of a unique *index*, if all its columns are *required*."""
    parts = database.execute(
        "SELECT name, coll FROM pragma_index_xinfo(?, 'main') WHERE key ORDER BY seqno", (index,)
    ).fetchall()
    if any(name is None or name not in required for name, _ in parts):
        return None
    names, collations = zip(*parts, strict=True)
    return SQLiteKey(table=f"main.{quoted(table)}", columns=names, types=collations)
