"""Generate a few rows for each table, so that migrations are not only tried on empty tables."""

import sqlite3
from collections.abc import Sequence
from hashlib import sha256

from dbwarden.dialects.sample_rows import SampleRows
from dbwarden.dialects.sqlite.catalog.tokens import tokens
from dbwarden.dialects.sqlite.sql.quoting import identifier
from dbwarden.schema import Column, Schema, Table

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
    values = Values(schema)
    for table in tables:
        for number in values.numbers(table, duplicate=duplicate):
            _add_row(database, values, table, number)
    _take_back_strays(database)
    return tuple(
        table.name.name
        for table in tables
        if database.execute(f"SELECT 1 FROM main.{_sql(table)} LIMIT 1").fetchone()
    )


def _add_row(database: sqlite3.Connection, values: "Values", table: Table, number: int) -> None:
    for sql in values.inserts(table, number):
        try:
            database.execute(sql)
        except sqlite3.Error:
            continue  # the next values may satisfy the constraints
        return


def _take_back_strays(database: sqlite3.Connection) -> None:
    """Delete rows that reference a refused row."""
    for _ in range(_DEPTH):
        try:
            violations = database.execute("PRAGMA main.foreign_key_check").fetchall()
        except sqlite3.Error:
            return  # a foreign key to columns that are not unique, which SQLite does not check
        if not violations:
            return
        for name, rowid, *_rest in violations:
            quoted = identifier(name)
            where = f" WHERE rowid = {int(rowid)}" if rowid is not None else ""
            database.execute(f"DELETE FROM main.{quoted}{where}")


class Values(SampleRows):
    """Values for the columns of one schema, as SQL."""

    most = 20

    def __init__(self, schema: Schema) -> None:
        """Store the *schema* with the targets of foreign keys."""
        self._schema = schema

    def insert(self, table: Table, columns: Sequence[str], values: Sequence[str]) -> str:
        """Return the INSERT of a row, which may have no columns."""
        into = f"INSERT INTO main.{_sql(table)}"
        if not columns:
            return f"{into} DEFAULT VALUES"
        return f"{into} ({', '.join(map(identifier, columns))}) VALUES ({', '.join(values)})"

    def value(self, table: Table, column: Column, number: int, depth: int = 0) -> str:
        """Return the value of row *number*, taken from the target column of a foreign key."""
        for key in table.foreign_keys:
            parent = self._schema.table(key.references)
            if column.name not in key.columns or parent is None or depth > _DEPTH:
                continue
            pairs = dict(zip(key.columns, key.referred_columns, strict=False))
            target = parent.column(pairs.get(column.name, ""))
            if target is not None and target is not column:
                return self.value(parent, target, number, depth + 1)
        type_ = column.type.upper()
        template = next((value for part, value in _VALUES if part in type_), "{n}")
        return template.format(n=number)

    def listed(self, table: Table, column: Column) -> list[str]:
        """Return the values in a check on *column*."""
        for check in table.checks:
            if column.name in check.columns:
                words = tokens(check.expression)
                values = [token.text for token in words if token.kind == "string"]
                if values := values or [token.text for token in words if token.kind == "number"]:
                    return values
        return []


def fingerprint(database: sqlite3.Connection, schema: Schema) -> dict[str, str]:
    """Return a digest of each column's values, by names such as ``users.email``. Blocking."""
    digests: dict[str, str] = {}
    for table in schema.tables:
        if table.virtual is None and table.columns:
            digests.update(_digests(database, table))
    return digests


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
