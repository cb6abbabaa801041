"""Each field of each object leads to SQL or to an error."""

from dataclasses import fields, replace
from typing import Any

import pytest

from dbwarden.dialects.sqlite.catalog import EMPTY_SCHEMA
from dbwarden.dialects.sqlite.ddl import render
from dbwarden.diff import diff
from dbwarden.diff.changes import Change, Create, RebuildType, Rename, RenameValue
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import (
    Check,
    Column,
    Enum,
    Exclusion,
    Generated,
    Identity,
    Index,
    IndexColumn,
    Namespace,
    ObjectKind,
    PartitionOf,
    PlainObject,
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
from tests.acceptance.judging_sqlite import write
from tests.unit.dialects.sqlite.ddl.schemas import KEY, A, B, O, T, schema, table

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
                one, other = (_with_part(plain, part, item) for item in both)
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
            before = schema(tables=(plain,), objects=(obj,))
            after = schema(tables=(plain,), objects=(replace(obj, **{field: value}),))
            add(part, field, before, after, has=field not in LACKS)
    return found


def _with_part(table: Table, name: str, part: object) -> Table:
    parts: dict[str, Any] = {name: (part,)}
    return replace(table, **parts)


@pytest.mark.parametrize(("one", "other", "has"), variants())
def test_every_field_yields_sql_or_an_error_that_names_the_object(
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
        (Create(obj=PlainObject(kind=ObjectKind.OTHER, part="server", name=O)), "server o"),
        (RebuildType(before=ENUM, after=replace(ENUM, values=("b",))), "enum o"),
        (RenameValue(enum=O, before="a", after="b"), "enum b on o"),
        (Rename(before=ENUM.ref, after=Ref(ObjectKind.ENUM, None, "p")), "enum o"),
        (Create(obj=View(name=QualifiedName("n", "v"), definition="")), "view n.v"),
    ],
)
def test_features_that_sqlite_lacks_are_named(change: Change, named: str) -> None:
    with pytest.raises(UnsupportedChange) as raised:
        render((change,), current=EMPTY_SCHEMA, desired=EMPTY_SCHEMA)
    assert named in raised.value.message


def test_tables_in_a_namespace_are_refused() -> None:
    wanted = schema(tables=(replace(table(), name=QualifiedName("n", "t")),))
    with pytest.raises(UnsupportedChange, match="namespaces"):
        write(EMPTY_SCHEMA, wanted)
