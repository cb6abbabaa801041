"""Errors of SQLite that have no code of their own, from a real database."""

import sqlite3

import pytest

from dbwarden.dialects.sqlite.sql.error_texts import SQLiteText

SETUP = """
CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER);
INSERT INTO t VALUES (1, 1);
CREATE TABLE child (a INTEGER REFERENCES t (a));
"""


def error_of(statement: str) -> sqlite3.Error:
    database = sqlite3.connect(":memory:")
    database.executescript(SETUP)
    with pytest.raises(sqlite3.Error) as caught:
        database.execute(statement)
    database.close()
    return caught.value


@pytest.mark.parametrize(
    ("statement", "texts"),
    [
        ("SELECT * FROM missing", ["MISSING_OBJECT", "MISSING_REFERENCE"]),
        ("CREATE VIRTUAL TABLE v USING missing", ["MISSING_OBJECT"]),
        ("SELECT 1 ORDER BY 1 COLLATE missing", ["MISSING_OBJECT"]),
        ("SELECT missing FROM t", ["MISSING_REFERENCE"]),
        ("INSERT INTO t (missing) VALUES (1)", ["MISSING_REFERENCE"]),
        ("INSERT INTO t VALUES (1)", ["MISSING_REFERENCE"]),
        ("SELECT missing(a) FROM t", []),
        ("CREATE TABLE t (id)", ["DUPLICATE_OBJECT"]),
        ("ALTER TABLE t ADD COLUMN a", ["DUPLICATE_OBJECT"]),
        ("ALTER TABLE t ADD COLUMN b NOT NULL", ["REQUIRED_COLUMN"]),
        ("PRAGMA foreign_key_check", ["KEY_MISMATCH"]),
        ("SELECT ?", ["PARAMETER"]),
        ("SELECT 1 FRM t WHERE", ["SYNTAX_ERROR"]),
        ("INSERT INTO t VALUES (1, 2)", []),
    ],
)
def test_each_error_has_only_its_own_texts(statement: str, texts: list[str]) -> None:
    error = error_of(statement)
    assert [text.name for text in SQLiteText if text.is_in(error)] == texts


def test_a_syntax_error_names_its_word() -> None:
    assert SQLiteText.SYNTAX_ERROR.name_in(error_of("SELECT 1 FRM t WHERE")) == "t"
    assert SQLiteText.SYNTAX_ERROR.name_in(error_of("SELECT * FROM missing")) is None
