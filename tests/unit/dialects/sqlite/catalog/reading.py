"""Schemas and tables that are read from statements."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing

from dbwarden.dialects.sqlite.catalog import read_schema
from dbwarden.dialects.sqlite.catalog.expressions import columns_by_name
from dbwarden.schema import Column, Schema, Table


def read(*statements: str, exclude: Sequence[str] = ()) -> Schema:
    """The schema that *statements* make."""
    with closing(sqlite3.connect(":memory:")) as database:
        for statement in statements:
            database.execute(statement)
        return read_schema(database, exclude=exclude)


def table(*statements: str) -> Table:
    """The last table, by name, that *statements* make."""
    return read(*statements).tables[-1]


def column(text: str) -> Column:
    """The column that *text* declares, beside one before it."""
    return table(f"CREATE TABLE t (a INT, {text})").columns[1]


COLUMNS = columns_by_name(["age", "Name", "order", "end"])
