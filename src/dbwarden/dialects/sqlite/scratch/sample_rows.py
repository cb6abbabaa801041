"""Generate a few rows for each table, so that migrations are not only tried on empty tables."""

import sqlite3
from collections.abc import Sequence
from hashlib import sha256

from dbwarden.dialects.sqlite.catalog.tokens import tokens
from dbwarden.dialects.sqlite.sql.quoting import identifier
from dbwarden.schema import Column, Schema, Table

ROWS = 2
ALIKE = 3
"""The number of the row that duplicates the first."""
MOST = 20
"""The maximum number of extra rows for the values that a check lists."""
FIRST = ((True, False), (False, False), (False, True))
TRIES = {ROWS: ((False, False), (True, False), (False, True))}
"""For some rows, the attempts to insert them: whether columns with a default use it, and whether
columns use the values in checks. A row with another value than the default shows that a column was
dropped and added again. All rows but the second use FIRST."""
_DEPTH = 10
"""The maximum number of tables through which a foreign key's value is followed."""

_VALUES = (
    # a part of the declared type, and the value of row {n}
    ("BOOL", "({n} % 2)"),
    ("INT", "{n}"),
    ("DATETIME", "'2024-01-{n:02d} 00:00:00.000000'"),
    ("TIMESTAMP", "'2024-01-{n:02d} 00:00:00.000000'"),
    ("DATE", "'2024-01-{n:02d}'"),
    ("TIME", "'00:{n:02d}:00.000000'"),
    ("JSON", "'{{\"n\": {n}}}'"),
    ("CHAR", "'{n}'"),
    ("CLOB", "'{n}'"),
    ("TEXT", "'{n}'"),
    ("BLOB", "x'{n:02x}'"),
    ("REAL", "{n}.5"),
    ("FLOA", "{n}.5"),
    ("DOUB", "{n}.5"),
)


def add_rows(
    database: sqlite3.Connection, schema: Schema, *, duplicate: bool = False
) -> tuple[str, ...]:
    """Insert up to two rows into each table, and return the tables that have rows. Blocking.

    A table that refuses them stays empty. The second row has NULL where allowed. With *duplicate*,
    a third row equals the first in all columns that may be equal.
    """
    tables = [table for table in schema.tables if table.virtual is None]
    for table in tables:
        listed = (len(_listed(table, column)) for column in table.columns)
        more = min(max(listed, default=0), MOST)
        others = range(ALIKE + 1, ALIKE + 1 + more if more > 1 else 0)
        for number in (*range(1, ROWS + duplicate + 1), *others):
            _fill(database, schema, table, number)
    _take_back_strays(database)
    return tuple(
        table.name.name
        for table in tables
        if database.execute(f"SELECT 1 FROM main.{_sql(table)} LIMIT 1").fetchone()
    )


def _fill(database: sqlite3.Connection, schema: Schema, table: Table, number: int) -> None:
    for defaults, allowed in TRIES.get(number, FIRST):
        try:
            database.execute(insert(schema, table, number, defaults=defaults, allowed=allowed))
        except sqlite3.Error:
            continue  # the next values may satisfy the constraints
        return


def _take_back_strays(database: sqlite3.Connection) -> None:
    """Delete rows that reference a refused row."""
    for _ in range(_DEPTH):
        try:
            found = database.execute("PRAGMA main.foreign_key_check").fetchall()
        except sqlite3.Error:
            return  # a foreign key to columns that are not unique, which SQLite does not check
        if not found:
            return
        for name, rowid, *_rest in found:
            quoted = identifier(name)
            where = f" WHERE rowid = {int(rowid)}" if rowid is not None else ""
            database.execute(f"DELETE FROM main.{quoted}{where}")


def insert(schema: Schema, table: Table, number: int, *, defaults: bool, allowed: bool) -> str:
    """Return the INSERT for row *number*.

    Args:
        schema: The schema with the targets of foreign keys.
        table: The table.
        number: The number of the row, from 1.
        defaults: Whether columns with a default use it.
        allowed: Whether columns use the values in checks.
    """
    keys = _unique_columns(table) if number >= ALIKE else _key_columns(table)
    referring = {name for key in table.foreign_keys for name in key.columns}
    names, values = [], []
    for column in table.columns:
        if column.generated is not None:
            continue
        plain = column.name not in keys
        if defaults and plain and column.default is not None and number <= ALIKE:
            continue
        like_first = plain and (number == ALIKE or (number > ALIKE and column.name in referring))
        own = 1 if like_first else number
        value = _value(schema, table, column, own)
        if plain and own == ROWS and column.default is not None and "BOOL" in column.type.upper():
            value = f"NOT ({column.default})"
        elif plain and own == ROWS and not column.not_null:
            value = "NULL"
        elif allowed:
            value = _allowed(table, column, own) or value
        names.append(identifier(column.name))
        values.append(value)
    if not names:
        return f"INSERT INTO main.{_sql(table)} DEFAULT VALUES"
    return f"INSERT INTO main.{_sql(table)} ({', '.join(names)}) VALUES ({', '.join(values)})"


def _key_columns(table: Table) -> set[str]:
    """Return the columns in unique or foreign keys."""
    return _unique_columns(table).union(*(key.columns for key in table.foreign_keys))


def _unique_columns(table: Table) -> set[str]:
    """Return the columns in unique keys."""
    keys = set(table.primary_key.columns if table.primary_key else ())
    for unique in table.uniques:
        keys.update(unique.columns)
    for index in table.indexes:
        if index.unique:
            keys.update(column.column for column in index.columns if column.column)
    return keys


def _value(schema: Schema, table: Table, column: Column, number: int, depth: int = 0) -> str:
    """Return the value of row *number*, taken from the target column of a foreign key."""
    for key in table.foreign_keys:
        parent = schema.table(key.references)
        if column.name not in key.columns or parent is None or depth > _DEPTH:
            continue
        pairs = dict(zip(key.columns, key.referred_columns, strict=False))
        target = parent.column(pairs.get(column.name, ""))
        if target is not None and target is not column:
            return _value(schema, parent, target, number, depth + 1)
    type_ = column.type.upper()
    template = next((value for part, value in _VALUES if part in type_), "{n}")
    return template.format(n=number)


def _allowed(table: Table, column: Column, number: int) -> str | None:
    """Return one of the values in a check on *column*."""
    found = _listed(table, column)
    return found[(number - 1) % len(found)] if found else None


def _listed(table: Table, column: Column) -> list[str]:
    """Return the values in a check on *column*."""
    for check in table.checks:
        if column.name not in check.columns:
            continue
        found = [token.text for token in tokens(check.expression) if token.kind == "string"]
        found = found or [t.text for t in tokens(check.expression) if t.kind == "number"]
        if found:
            return found
    return []


def fingerprint(database: sqlite3.Connection, schema: Schema) -> dict[str, str]:
    """Return a digest of each column's values, by names such as ``users.email``. Blocking."""
    found: dict[str, str] = {}
    for table in schema.tables:
        if table.virtual is None and table.columns:
            found.update(_digests(database, table))
    return found


def _digests(database: sqlite3.Connection, table: Table) -> dict[str, str]:
    names = [column.name for column in table.columns]
    listed = ", ".join(f"quote({identifier(name)})" for name in names)
    rows = database.execute(f"SELECT {listed} FROM main.{_sql(table)}").fetchall()
    return {
        f"{table.name.name}.{name}": _digest([row[place] for row in rows])
        for place, name in enumerate(names)
    }


def _digest(values: Sequence[str]) -> str:
    filled = sum(value != "NULL" for value in values)
    return f"{filled}:{sha256(chr(0).join(sorted(values)).encode()).hexdigest()}"


def _sql(table: Table) -> str:
    return identifier(table.name.name)
