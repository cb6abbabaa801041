"""The SQL of SQLite: every field has some, every error names its thing, rows are never lost."""

import sqlite3
import subprocess
from dataclasses import fields, replace
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from dbwarden.dialects.sqlite.catalog import EMPTY_SCHEMA
from dbwarden.dialects.sqlite.ddl import render
from dbwarden.dialects.sqlite.ddl.clauses import constraint_clause, default_text, is_constant
from dbwarden.dialects.sqlite.ddl.copying import affinity, join_wrapped, may_lose_values, plan_copy
from dbwarden.dialects.sqlite.ddl.mentions import mentions
from dbwarden.diff import diff
from dbwarden.diff.changes import Change, Create, RebuildType, Rename, RenameValue
from dbwarden.diff.statements import DEFAULT_OPTIONS, RenderOptions
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import (
    Check,
    Column,
    Enum,
    Exclusion,
    ForeignKey,
    Generated,
    Identity,
    Index,
    IndexColumn,
    Namespace,
    ObjectKind,
    Other,
    PartitionOf,
    PrimaryKey,
    QualifiedName,
    Ref,
    Schema,
    Sequence,
    Table,
    Trigger,
    Unique,
    View,
    ViewColumn,
)
from tests.acceptance.judging_sqlite import built, read, run, script, unlike, write

T, O = QualifiedName(None, "t"), QualifiedName(None, "o")  # noqa: E741  # a table, another
A = Column(name="a", type="INTEGER")
B = Column(name="b", type="TEXT")
KEY = ForeignKey(name="f", columns=("a",), references=O, referred_columns=("a",))
ON_CONFLICT = (("on conflict", "REPLACE"),)
SEVERAL = {"include": ("b",), "deferrable": "deferred", "without_overlaps": True}
SAID = {"comment": "said", "index_comment": "said"}
MORE = {**SEVERAL, **SAID, "clustered": True, "valid": False, "parameters": ON_CONFLICT}

# What each field may change to. A name is who a thing is: another name is another thing; what is
# inherited is the parent's business.
TABLE: dict[str, Any] = {
    "columns": (A,),
    "primary_key": None,
    "uniques": (Unique(name="u", columns=("a",)),),
    "foreign_keys": (KEY,),
    "checks": (Check(name="c", expression="a > 0"),),
    "exclusions": (Exclusion(name="x", definition="EXCLUDE USING gist (r WITH &&)"),),
    "indexes": (Index(name="i", columns=(IndexColumn(column="a"),)),),
    "comment": "said",
    "parameters": (("fillfactor", "70"),),
    "unlogged": True,
    "access_method": "columnar",
    "partition_by": "RANGE (a)",
    "partition_of": PartitionOf(parent=O, bound="DEFAULT"),
    "inherits": (O,),
    "row_security": True,
    "force_row_security": True,
    "replica_identity": "FULL",
    "strict": True,
    "without_rowid": True,
    "autoincrement": True,
    "virtual": "CREATE VIRTUAL TABLE t USING fts5(a)",
}
COLUMN: dict[str, Any] = {
    "type": "TEXT",
    "collation": "NOCASE",
    "not_null": True,
    "default": "2",
    "identity": Identity(always=True),
    "generated": Generated(expression="b + 1"),
    "comment": "said",
    "statistics": 5,
    "storage": "MAIN",
    "compression": "pglz",
    "parameters": (("not null on conflict", "IGNORE"),),
}
PARTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "primary_key": (PrimaryKey(name="k", columns=("a",)), {"columns": ("b",), **MORE}),
    "uniques": (TABLE["uniques"][0], {"columns": ("b",), "nulls_not_distinct": True, **MORE}),
    "foreign_keys": (
        KEY,
        {
            "columns": ("b",),
            "references": T,
            "referred_columns": ("b",),
            "on_update": "CASCADE",
            "on_delete": "SET NULL",
            "on_delete_columns": ("a",),
            "match": "FULL",
            "deferrable": "immediate",
            "period": True,
            "enforced": False,
            "validated": False,
            "comment": "said",
        },
    ),
    "checks": (
        TABLE["checks"][0],
        {
            "expression": "a > 1",
            "no_inherit": True,
            "enforced": False,
            "validated": False,
            "comment": "said",
        },
    ),
    "indexes": (
        TABLE["indexes"][0],
        {
            "columns": (IndexColumn(column="b"),),
            "unique": True,
            "method": "hash",
            "include": ("b",),
            "where": "a > 0",
            "nulls_not_distinct": True,
            "parameters": (("fillfactor", "70"),),
            "clustered": True,
            "valid": False,
            "comment": "said",
        },
    ),
}
INDEX_KEYS: dict[str, Any] = {
    "column": "b",
    "expression": "a + 1",
    "operator_class": "int4_ops",
    "collation": "NOCASE",
    "descending": True,
    "nulls_first": True,
    "statistics": 5,
}
THINGS: dict[str, tuple[Any, dict[str, Any]]] = {
    "views": (
        View(name=O, definition="SELECT 1 AS a"),
        {
            "definition": "SELECT 2 AS a",
            "columns": (ViewColumn(name="a", type="INTEGER"),),
            "parameters": (("columns", "a"),),
            "comment": "said",
        },
    ),
    "triggers": (
        Trigger(name="g", table=T, definition="CREATE TRIGGER g"),
        {"definition": "CREATE TRIGGER g AFTER", "enabled": "DISABLE", "comment": "said"},
    ),
}
LACKS = {
    *(
        "comment",
        "index_comment",
        "unlogged",
        "access_method",
        "partition_by",
        "partition_of",
        "inherits",
    ),
    *("row_security", "force_row_security", "replica_identity", "exclusions", "virtual"),
    *("identity", "statistics", "storage", "compression", "include", "without_overlaps"),
    *("clustered", "nulls_not_distinct", "on_delete_columns", "period", "enforced", "validated"),
    *("no_inherit", "method", "valid", "operator_class", "nulls_first", "enabled"),
}
"""The fields that mean nothing to SQLite, or that dbwarden leaves alone."""


def schema(**parts: Any) -> Schema:
    return replace(EMPTY_SCHEMA, **parts)


def table(**parts: Any) -> Table:
    return Table(name=T, columns=(A, B), primary_key=PrimaryKey(name="k", columns=("a",)), **parts)


def variants() -> list[Any]:
    """Two schemas that differ in one field, and whether SQLite has it."""
    found: list[Any] = []

    def add(label: str, field: str, one: Schema, other: Schema, *, has: bool) -> None:
        found.append(pytest.param(one, other, has, id=f"{label}.{field}"))

    def tables(one: Table, other: Table) -> tuple[Schema, Schema]:
        return schema(tables=(one,)), schema(tables=(other,))

    plain = table()
    for field, value in TABLE.items():
        has = field not in LACKS and field != "parameters"
        add("table", field, *tables(plain, replace(plain, **{field: value})), has=has)
    for field, value in COLUMN.items():
        other = replace(plain, columns=(replace(A, **{field: value}), B))
        add("column", field, *tables(plain, other), has=field not in LACKS)
    for part, (obj, values) in PARTS.items():
        for field, value in values.items():
            has = field not in LACKS and (part, field) != ("indexes", "parameters")
            has = has and (field != "deferrable" or part == "foreign_keys")
            both = [replace(obj, **change) for change in ({}, {field: value})]
            if part == "primary_key":
                one, other = (replace(plain, primary_key=item) for item in both)
            else:
                one, other = (replace(plain, **{part: (item,)}) for item in both)
            add(part, field, *tables(one, other), has=has)
    index = TABLE["indexes"][0]
    for field, value in INDEX_KEYS.items():
        key = IndexColumn(**{"column": "a", field: value})
        other = replace(plain, indexes=(replace(index, columns=(key,)),))
        add(
            "index key",
            field,
            *tables(replace(plain, indexes=(index,)), other),
            has=field not in LACKS,
        )
    for part, (obj, values) in THINGS.items():
        for field, value in values.items():
            one = schema(tables=(plain,), **{part: (obj,)})
            other_schema = schema(tables=(plain,), **{part: (replace(obj, **{field: value}),)})
            add(part, field, one, other_schema, has=field not in LACKS)
    return found


@pytest.mark.parametrize(("one", "other", "has"), variants())
def test_every_field_yields_sql_or_an_error_that_names_the_thing(
    one: Schema, other: Schema, has: bool
) -> None:
    changes = diff(one, other)
    assert changes, "a difference that nobody sees"
    if has:
        assert render(changes, current=one, desired=other)
        assert render(diff(other, one), current=other, desired=one)
    else:
        with pytest.raises(UnsupportedChange, match=r"\b[tofgi]\b") as raised:
            render(changes, current=one, desired=other)
        assert raised.value.next_step


def test_every_field_of_every_object_is_tried() -> None:
    same = {"name", "inherited", "table", "not_null_name", "not_null_state"}  # PostgreSQL's
    tried: list[tuple[type, set[str]]] = [
        (Table, set(TABLE)),
        (Column, set(COLUMN)),
        (IndexColumn, set(INDEX_KEYS)),
        *((type(obj), set(values)) for obj, values in PARTS.values()),
        *((type(obj), set(values)) for obj, values in THINGS.values()),
    ]
    for kind, names in tried:
        derived = {"columns"} if kind is Check else set()  # which ones the expression reads
        assert {field.name for field in fields(kind)} - same - derived == names, kind


ENUM = Enum(name=O, values=("a",))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (Create(obj=ENUM), "enum o"),
        (Create(obj=Namespace(name="n")), "namespace n"),
        (Create(obj=Sequence(name=O)), "sequence o"),
        (Create(obj=Other(kind="server", name=O)), "server o"),
        (RebuildType(before=ENUM, after=replace(ENUM, values=("b",))), "enum o"),
        (RenameValue(enum=O, before="a", after="b"), "enum b on o"),
        (Rename(before=ENUM.ref, after=Ref(ObjectKind.ENUM, None, "p")), "enum o"),
        (Create(obj=View(name=QualifiedName("n", "v"), definition="")), "view n.v"),
    ],
)
def test_what_sqlite_does_not_have_is_named(change: Change, named: str) -> None:
    with pytest.raises(UnsupportedChange) as raised:
        render((change,), current=EMPTY_SCHEMA, desired=EMPTY_SCHEMA)
    assert named in raised.value.message


def test_tables_in_a_namespace_are_refused() -> None:
    wanted = schema(tables=(replace(table(), name=QualifiedName("n", "t")),))
    with pytest.raises(UnsupportedChange, match="namespaces"):
        write(EMPTY_SCHEMA, wanted)


CASCADE = """
CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE c (id INTEGER PRIMARY KEY, p_id INTEGER NOT NULL REFERENCES p (id) ON DELETE CASCADE);
INSERT INTO p VALUES (1, 'ada'), (2, 'bob'); INSERT INTO c VALUES (1, 1), (2, 2), (3, 2);
"""


def cascading() -> str:
    """The SQL that builds the parent of a cascading foreign key anew."""
    current = read(built(CASCADE))
    return script(write(current, read(built(CASCADE.replace("name TEXT", "name TEXT UNIQUE")))))


def test_rows_that_cascade_survive_their_parent_being_built_anew() -> None:
    database = built(CASCADE)
    database.executescript(f"BEGIN; {cascading()} COMMIT;")
    assert database.execute("SELECT * FROM c").fetchall() == [(1, 1), (2, 2), (3, 2)]
    assert database.execute("SELECT * FROM p").fetchall() == [(1, "ada"), (2, "bob")]
    database.executescript("PRAGMA foreign_keys = ON; DELETE FROM p WHERE id = 2;")
    assert database.execute("SELECT * FROM c").fetchall() == [(1, 1)]


@pytest.mark.parametrize("own", [CASCADE, CASCADE.replace("CASCADE", "SET DEFAULT")])
def test_where_foreign_keys_are_enforced_nothing_is_dropped(own: str) -> None:
    database = built(own)
    database.execute("PRAGMA foreign_keys = ON")
    with pytest.raises(sqlite3.Error, match="integer overflow"):
        database.executescript(f"BEGIN; {cascading()} COMMIT;")
    database.execute("ROLLBACK")
    assert database.execute("SELECT count(*) FROM c").fetchall() == [(3,)]


@pytest.mark.parametrize("action", ["RESTRICT", "NO ACTION"])
def test_enforced_keys_without_an_action_stop_the_drop_by_themselves(action: str) -> None:
    own = CASCADE.replace("CASCADE", action)
    current = read(built(own))
    text = script(write(current, read(built(own.replace("name TEXT", "name TEXT UNIQUE")))))
    assert "pragma_foreign_keys" not in text
    database = built(own)
    database.execute("PRAGMA foreign_keys = ON")
    with pytest.raises(sqlite3.IntegrityError):
        database.executescript(f"BEGIN; {text} COMMIT;")


@pytest.mark.skipif(which("sqlite3") is None, reason="needs the program sqlite3")
def test_the_file_runs_in_the_sqlite3_program_as_it_is(tmp_path: Path) -> None:
    program = which("sqlite3") or ""

    def shell(sql: str) -> str:
        done = subprocess.run(
            [program, "-bail", str(tmp_path / "app.db")],
            input=sql,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    assert shell(CASCADE) == ""
    assert shell(cascading()) == ""
    assert shell("SELECT * FROM c ORDER BY id") == "1|1\n2|2\n3|2\n"
    assert "overflow" in shell(f"PRAGMA foreign_keys = ON; {cascading()}")
    assert shell("SELECT count(*) FROM c") == "3\n"


def test_a_new_column_that_rows_cannot_have_says_so() -> None:
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


def test_a_text_that_is_not_understood_mentions_its_words() -> None:
    assert mentions("'never closed t", {"T"})
    assert not mentions("'never closed t", {"u"})
    assert mentions('SELECT 1 FROM "My Table"', {"my table"})


def test_a_table_with_nothing_to_copy_says_what_it_loses() -> None:
    one = "CREATE TABLE t (a TEXT PRIMARY KEY) WITHOUT ROWID; INSERT INTO t VALUES ('x');"
    other = "CREATE TABLE t (b TEXT PRIMARY KEY) WITHOUT ROWID;"
    found = write(read(built(one)), read(built(other)))
    assert {name for item in found for name in item.destroys} == {"t", "t.a"}
    assert "INSERT" not in script(found)


def test_a_virtual_table_is_left_alone() -> None:
    one = replace(EMPTY_SCHEMA, tables=(Table(name=T, virtual="CREATE VIRTUAL TABLE t USING x"),))
    other = replace(EMPTY_SCHEMA, tables=(Table(name=T, virtual="CREATE VIRTUAL TABLE t USING y"),))
    with pytest.raises(UnsupportedChange, match="does not change table t on SQLite"):
        write(one, other)


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


def test_a_renamed_view_or_trigger_is_made_anew_under_its_new_name() -> None:
    own = "CREATE TABLE t (a); CREATE VIEW {v} AS SELECT a FROM t;"
    own += "CREATE TRIGGER {g} AFTER INSERT ON t BEGIN SELECT 1; END;"
    database = built(own.format(v="v", g="g"))
    one, other = read(database), read(built(own.format(v="w", g="h")))
    (old_view,), (new_view,) = one.views, other.views
    (old, new) = (schema.triggers[0] for schema in (one, other))
    renames = [
        Rename(before=old_view.ref, after=new_view.ref),
        Rename(before=old.ref, after=new.ref),
    ]
    run(database, write(one, other, renames))
    assert unlike(read(database), other) == []


def test_views_that_read_one_another_in_a_circle_are_made_all_the_same() -> None:
    own = "CREATE VIEW v AS SELECT * FROM w; CREATE VIEW w AS SELECT * FROM v;"
    database, wanted = built(), read(built(own))
    run(database, write(EMPTY_SCHEMA, wanted))
    assert unlike(read(database), wanted) == []


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
def test_a_row_in_conflict_stops_the_copy_and_is_not_left_out(column: str) -> None:
    database = built("CREATE TABLE t (a); INSERT INTO t VALUES (1), (1), (NULL);")
    found = write(read(database), read(built(f"CREATE TABLE t ({column})")))
    with pytest.raises(sqlite3.IntegrityError):
        database.executescript(f"BEGIN;\n{script(found)}")
    assert database.in_transaction
    database.execute("ROLLBACK")
    assert database.execute("SELECT a FROM t").fetchall() == [(1,), (1,), (None,)]
