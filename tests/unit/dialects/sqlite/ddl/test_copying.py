"""Tables that are recreated with a copy of their rows."""

import sqlite3
from dataclasses import replace

import pytest

from dbwarden.dialects.sqlite.ddl.copying import affinity, join_wrapped, may_lose_values, plan_copy
from dbwarden.diff.statements import DEFAULT_OPTIONS, RenderOptions
from dbwarden.schema import Column, Generated
from tests.acceptance.judging_sqlite import built, read, script, write
from tests.unit.dialects.sqlite.ddl.schemas import CASCADE, A, B, schema, table


def cascading() -> str:
    """The SQL that builds the parent of a cascading foreign key anew."""
    current = read(built(CASCADE))
    return script(write(current, read(built(CASCADE.replace("name TEXT", "name TEXT UNIQUE")))))


def test_cascading_rows_survive_when_their_parent_is_recreated() -> None:
    database = built(CASCADE)
    database.executescript(f"BEGIN; {cascading()} COMMIT;")
    assert database.execute("SELECT * FROM c").fetchall() == [(1, 1), (2, 2), (3, 2)]
    assert database.execute("SELECT * FROM p").fetchall() == [(1, "ada"), (2, "bob")]
    database.executescript("PRAGMA foreign_keys = ON; DELETE FROM p WHERE id = 2;")
    assert database.execute("SELECT * FROM c").fetchall() == [(1, 1)]


@pytest.mark.parametrize("own", [CASCADE, CASCADE.replace("CASCADE", "SET DEFAULT")])
def test_nothing_is_dropped_while_foreign_keys_are_enforced(own: str) -> None:
    database = built(own)
    database.execute("PRAGMA foreign_keys = ON")
    with pytest.raises(sqlite3.Error, match="integer overflow"):
        database.executescript(f"BEGIN; {cascading()} COMMIT;")
    database.execute("ROLLBACK")
    assert database.execute("SELECT count(*) FROM c").fetchall() == [(3,)]


@pytest.mark.parametrize("action", ["RESTRICT", "NO ACTION"])
def test_enforced_keys_without_an_action_stop_the_drop(action: str) -> None:
    own = CASCADE.replace("CASCADE", action)
    current = read(built(own))
    text = script(write(current, read(built(own.replace("name TEXT", "name TEXT UNIQUE")))))
    assert "pragma_foreign_keys" not in text
    database = built(own)
    database.execute("PRAGMA foreign_keys = ON")
    with pytest.raises(sqlite3.IntegrityError):
        database.executescript(f"BEGIN; {text} COMMIT;")


def test_a_new_column_that_fails_on_rows_has_a_note() -> None:
    one, other = (schema(tables=(table(),)), schema(tables=(table(),)))
    required = replace(table(), columns=(A, B, Column(name="c", type="TEXT", not_null=True)))
    other = schema(tables=(required,))
    (statement,) = write(one, other)
    assert statement.why == "Fails where the table has rows: give a default, or --fill."
    stricter = schema(tables=(replace(table(), columns=(A, replace(B, not_null=True))),))
    whys = [item.why or "" for item in write(one, stricter)]
    assert any("has a row no value for b" in why or "no value for b" in why for why in whys)
    filled = write(one, stricter, options=RenderOptions(fills={"t.b": "''"}))
    assert not any("no value" in (item.why or "") for item in filled)


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("POINTINT", "INTEGER"),
        ("VARCHAR(5)", "TEXT"),
        ("CLOB", "TEXT"),
        ("", "BLOB"),
        ("BLOB", "BLOB"),
        ("ANY", "NUMERIC"),
        ("DOUBLE PRECISION", "REAL"),
        ("FLOAT", "REAL"),
        ("DATETIME", "NUMERIC"),
    ],
)
def test_affinity_is_what_sqlite_makes_of_a_type(type_: str, expected: str) -> None:
    assert affinity(type_) == expected
    if type_ != "":
        database = built(f"CREATE TABLE t (a {type_}); INSERT INTO t VALUES ('1');")
        stored = {"INTEGER": "integer", "REAL": "real", "NUMERIC": "integer"}
        (found,) = database.execute("SELECT typeof(a) FROM t").fetchone()
        assert found == stored.get(expected, "text")


def test_a_text_that_becomes_a_number_narrows_and_a_real_that_becomes_a_text() -> None:
    assert may_lose_values("TEXT", "INTEGER")
    assert not may_lose_values("INTEGER", "TEXT")
    assert not may_lose_values("INTEGER", "REAL")
    assert may_lose_values("REAL", "TEXT")
    one, computed = table(), replace(A, name="b", generated=Generated(expression="1"))
    assert plan_copy(one, replace(one, columns=(A, computed)), DEFAULT_OPTIONS).narrowed == ()


def test_a_value_without_a_type_is_not_cast() -> None:
    anything = Column(name="b", type="ANY")
    one, other = table(), replace(table(), columns=(A, anything), strict=True)
    assert plan_copy(one, other, DEFAULT_OPTIONS).sources == ("a", "b")


def test_long_lists_take_several_lines() -> None:
    names = [f"a_rather_long_column_{number}" for number in range(8)]
    lines = join_wrapped(names).splitlines()
    assert len(lines) == 2
    assert " ".join(line.strip() for line in lines) == ", ".join(names)


def test_a_table_without_common_columns_states_its_losses() -> None:
    one = "CREATE TABLE t (a TEXT PRIMARY KEY) WITHOUT ROWID; INSERT INTO t VALUES ('x');"
    other = "CREATE TABLE t (b TEXT PRIMARY KEY) WITHOUT ROWID;"
    found = write(read(built(one)), read(built(other)))
    assert {name for item in found for name in item.destroys} == {"t", "t.a"}
    assert "INSERT" not in script(found)


@pytest.mark.parametrize(
    "column",
    [
        "a INTEGER PRIMARY KEY ON CONFLICT REPLACE",
        "a UNIQUE ON CONFLICT IGNORE",
        "a DEFAULT 7 NOT NULL ON CONFLICT REPLACE",
        "a NOT NULL ON CONFLICT IGNORE",
        "a UNIQUE ON CONFLICT ROLLBACK",
    ],
)
def test_a_conflicting_row_stops_the_copy(column: str) -> None:
    database = built("CREATE TABLE t (a); INSERT INTO t VALUES (1), (1), (NULL);")
    found = write(read(database), read(built(f"CREATE TABLE t ({column})")))
    with pytest.raises(sqlite3.IntegrityError):
        database.executescript(f"BEGIN;\n{script(found)}")
    assert database.in_transaction
    database.execute("ROLLBACK")
    assert database.execute("SELECT a FROM t").fetchall() == [(1,), (1,), (None,)]
