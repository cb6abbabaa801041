"""A table and its parts for tests of generated SQL."""

from dataclasses import replace
from typing import Any

from dbwarden.dialects.sqlite.catalog import EMPTY_SCHEMA
from dbwarden.schema import Column, ForeignKey, PrimaryKey, QualifiedName, Schema, Table

T, O = QualifiedName(None, "t"), QualifiedName(None, "o")  # noqa: E741  # a table, another
A = Column(name="a", type="INTEGER")
B = Column(name="b", type="TEXT")
KEY = ForeignKey(name="f", columns=("a",), references=O, referred_columns=("a",))


def schema(**parts: Any) -> Schema:
    return replace(EMPTY_SCHEMA, **parts)


def table(**parts: Any) -> Table:
    return Table(name=T, columns=(A, B), primary_key=PrimaryKey(name="k", columns=("a",)), **parts)


CASCADE = """
CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE c (id INTEGER PRIMARY KEY, p_id INTEGER NOT NULL REFERENCES p (id) ON DELETE CASCADE);
INSERT INTO p VALUES (1, 'ada'), (2, 'bob'); INSERT INTO c VALUES (1, 1), (2, 2), (3, 2);
"""
