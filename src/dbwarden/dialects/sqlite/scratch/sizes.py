"""Read the sizes of the tables of a live database."""

import sqlite3
from collections.abc import Iterator

from dbwarden.linting.sizes import TableSize
from dbwarden.quoting import quoted

_TABLES = (
    "SELECT name FROM main.sqlite_master WHERE type = 'table' AND rootpage > 0"
    " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
)


def read_sizes(database: sqlite3.Connection) -> dict[str, TableSize]:
    """Return the number of rows of each table, which its highest rowid estimates. Blocking."""
    return dict(_sizes(database))


def _sizes(database: sqlite3.Connection) -> Iterator[tuple[str, TableSize]]:
    for (name,) in database.execute(_TABLES).fetchall():
        try:
            query = f"SELECT max(rowid) FROM main.{quoted(name)}"
            row = database.execute(query).fetchone()
        except sqlite3.OperationalError:  # WITHOUT ROWID
            query = f"SELECT count(*) FROM main.{quoted(name)}"
            row = database.execute(query).fetchone()
        yield name, TableSize(rows=int(row[0] or 0))
