"""Indexes, views, triggers and virtual tables, as they are read."""

import sqlite3
from contextlib import closing

import pytest

from dbwarden.dialects.sqlite.catalog import read_schema
from dbwarden.dialects.sqlite.catalog.grammar import parse_table
from dbwarden.dialects.sqlite.catalog.tables import index
from dbwarden.dialects.sqlite.catalog.tokens import Unreadable
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import Index, IndexColumn, QualifiedName, Ref, Table, Trigger, View
from dbwarden.schema import ObjectKind as K
from tests.unit.dialects.sqlite.catalog.reading import read, table


def test_indexes_are_read_with_expressions_collations_order_and_condition() -> None:
    made = table(
        'CREATE TABLE t (a TEXT COLLATE NOCASE, b INT, "c d" INT)',
        "CREATE UNIQUE INDEX IF NOT EXISTS one ON t (a COLLATE nocase DESC, B ASC, "
        "[c d], lower(a) COLLATE rtrim, (b+1), a COLLATE binary) WHERE (b is NOT null)",
    )
    assert made.indexes == (
        Index(
            name="one",
            unique=True,
            where="b IS NOT NULL",
            columns=(
                IndexColumn(column="a", descending=True),
                IndexColumn(column="b"),
                IndexColumn(column="c d"),
                IndexColumn(expression="lower(a)", collation="RTRIM"),
                IndexColumn(expression="b + 1"),
                IndexColumn(column="a", collation="BINARY"),
            ),
        ),
    )


def test_views_and_triggers_are_read_with_their_dependencies() -> None:
    found = read(
        "CREATE TABLE t (a INT, b INT)",
        "CREATE VIEW v (x) AS SELECT a FROM t",
        "CREATE VIEW w AS SELECT x FROM v -- and no more",
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET b = new.a; END",
        "CREATE TRIGGER h INSTEAD OF DELETE ON W BEGIN DELETE FROM t; END",
        "CREATE VIEW broken AS SELECT * FROM gone",
        "CREATE TRIGGER i INSTEAD OF DELETE ON broken BEGIN SELECT 1; END",
        "CREATE VIEW own AS SELECT name FROM sqlite_master",
    )
    assert [(str(v.name), v.parameters) for v in found.of(View)] == [
        ("broken", ()),
        ("own", ()),
        ("v", (("columns", "x"),)),
        ("w", ()),
    ]
    assert [(str(t.table), t.name) for t in found.of(Trigger)] == [
        ("broken", "i"),
        ("t", "g"),
        ("w", "h"),
    ]
    t, v, w = Ref(K.TABLE, None, "t"), Ref(K.VIEW, None, "v"), Ref(K.VIEW, None, "w")
    a, b = Ref(K.COLUMN, None, "t", "a"), Ref(K.COLUMN, None, "t", "b")
    g, h = Ref(K.TRIGGER, None, "t", "g"), Ref(K.TRIGGER, None, "w", "h")
    assert set(found.dependencies) == {(v, t), (v, a), (w, v), (g, t), (g, a), (g, b), (h, t)}
    assert found.broken == ((Ref(K.VIEW, None, "broken"), "no such table: main.gone"),)


def test_virtual_tables_are_read_without_shadow_and_internal_tables() -> None:
    found = read(
        "CREATE TABLE ledger (a INT UNIQUE)",
        "CREATE INDEX of_ledger ON ledger (a)",
        "CREATE TABLE docs_x (a INTEGER PRIMARY KEY AUTOINCREMENT)",
        "CREATE VIRTUAL TABLE docs USING fts5(body)",
        "ANALYZE",
        exclude=["Ledger"],
    )
    assert [str(item.name) for item in found.tables] == ["docs", "docs_x"]
    assert found.tables[0].virtual == "CREATE VIRTUAL TABLE docs USING fts5(body)"


def test_the_shadow_tables_of_a_virtual_table_are_known_on_old_sqlite(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
    found = read("CREATE VIRTUAL TABLE docs USING fts5(body)", "CREATE TABLE docs_mine (a)")
    assert [str(item.name) for item in found.tables] == ["docs", "docs_mine"]


def test_an_unreadable_table_is_an_error_that_names_it() -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE odd (a INT)")
        database.execute("PRAGMA writable_schema = ON")
        database.execute("UPDATE sqlite_master SET sql = 'CREATE TABLE odd (a INT) WITHOUT SENSE'")
        with pytest.raises(
            UnsupportedChange, match=r"cannot parse the statement of table odd: .* was not expected"
        ):
            read_schema(database)


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE t",
        "CREATE TABLE t (",
        "CREATE TABLE t (a INT",
        "CREATE TABLE t (a INT CHECK (a > 0)",
        "CREATE TABLE t (a INT BANANA()",
        "CREATE TABLE t (a INT) x",
        "CREATE TABLE t (a INT) STRICT; more",
        "CREATE TABLE t (a INT, PRIMARY KEY ())",
        "CREATE TABLE t (a INT REFERENCES b ON DELETE EXPLODE)",
        "CREATE TABLE t (a INT CHECK a > 0)",
        "CREATE TABLE t (a INT, CONSTRAINT x FOREIGN (a))",
        "CREATE TABLE t (a INT DEFAULT 1 2)",
        "CREATE TABLE t (a INT \x00)",
        "CREATE TABLE t (a 'INT)",
        "CREATE TABLE t (1)",
        "CREATE TABLE t (a INT CHECK (a > 0",
        "CREATE TABLE t (a INT DEFAULT",
    ],
)
def test_no_text_is_ignored_silently(text: str) -> None:
    with pytest.raises(Unreadable):
        parse_table(text)


def test_an_index_that_is_not_understood_is_an_error_too() -> None:
    with pytest.raises(Unreadable, match="'USING"):
        index("CREATE INDEX i ON t (a) USING magic", Table(name=QualifiedName(None, "t")))
