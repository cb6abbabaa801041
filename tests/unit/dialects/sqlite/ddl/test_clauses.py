"""Clauses of columns and constraints."""

import sqlite3
from dataclasses import replace

import pytest

from dbwarden.dialects.sqlite.ddl.clauses import constraint_clause, default_text, is_constant
from tests.acceptance.judging_sqlite import built
from tests.unit.dialects.sqlite.ddl.schemas import KEY


@pytest.mark.parametrize(
    ("default", "in_place"),
    [
        ("0", True),
        ("(-1)", True),
        ("'it''s'", True),
        ("x'00'", True),
        ("(CURRENT_TIMESTAMP)", False),
        ("lower('A')", False),
        ("(1) + (2)", False),
        ("('never closed", False),
    ],
)
def test_a_default_is_constant_where_add_column_takes_it(default: str, in_place: bool) -> None:
    assert is_constant(default) == in_place
    text = f"ALTER TABLE t ADD COLUMN b DEFAULT {default_text(default)}"
    if "closed" not in default:
        database = built("CREATE TABLE t (a); INSERT INTO t VALUES (1);")
        if in_place:
            database.execute(text)
        else:
            with pytest.raises(sqlite3.OperationalError):
                database.execute(text)


def test_a_key_that_names_no_columns_refers_to_the_primary_key() -> None:
    key = replace(KEY, referred_columns=())
    assert constraint_clause(key) == "CONSTRAINT f FOREIGN KEY (a) REFERENCES o"
