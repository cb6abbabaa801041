"""A change of any field leads to SQL or to an error that names the object."""

from dataclasses import fields, replace
from typing import Any, get_args

import pytest

from dbwarden.dialects.postgresql.ddl import render
from dbwarden.diff import diff
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import (
    Aggregate,
    Attribute,
    Check,
    Column,
    CompositeType,
    DefaultPrivileges,
    Domain,
    DomainCheck,
    Enum,
    Exclusion,
    Extension,
    ForeignKey,
    Generated,
    Grant,
    Identity,
    Index,
    IndexColumn,
    MaterializedView,
    Namespace,
    ObjectKind,
    PartitionOf,
    PlainObject,
    Policy,
    PrimaryKey,
    QualifiedName,
    Routine,
    Rule,
    Schema,
    SchemaObject,
    Sequence,
    SequenceOptions,
    Statistics,
    Table,
    Trigger,
    Unique,
    View,
    ViewColumn,
    ref_of,
)

T, O = QualifiedName("public", "t"), QualifiedName("public", "o")  # noqa: E741  # a table, another
NAME = QualifiedName("public", "thing")
KEY = PrimaryKey(name="t_pkey", columns=("a",))
COMMENT = {"comment": "said"}
SETTINGS = {**COMMENT, "parameters": (("fillfactor", "70"),), "clustered": True}
KEY_FIELDS = {
    **SETTINGS,
    "valid": False,
    "index_comment": "said",
    "columns": ("b",),
    "include": ("b",),
    "deferrable": "deferred",
    "without_overlaps": True,
}
OPTIONS = {"start": 2, "increment": 2, "minimum": 0, "maximum": 9, "cache": 2, "cycle": True}

# What each field may change to. A name is who a thing is: another name is another thing.
COLUMN: dict[str, Any] = {
    "type": "bigint",
    "collation": '"C"',
    "not_null": True,
    "not_null_state": "NOT VALID",
    "default": "2",
    "identity": Identity(always=True),
    "generated": Generated(expression="(b + 1)"),
    "statistics": 5,
    "storage": "MAIN",
    "compression": "pglz",
    "parameters": (("n_distinct", "5"),),
    **COMMENT,
}
TABLE: dict[str, Any] = {
    "columns": (Column(name="a", type="integer"),),
    "primary_key": None,
    "uniques": (Unique(name="u", columns=("a",)),),
    "foreign_keys": (ForeignKey(name="f", columns=("a",), references=O, referred_columns=("a",)),),
    "checks": (Check(name="c", expression="(a > 0)"),),
    "exclusions": (Exclusion(name="x", definition="EXCLUDE USING gist (r WITH &&)"),),
    "indexes": (Index(name="i", columns=(IndexColumn(column="a"),)),),
    "parameters": (("fillfactor", "70"),),
    "unlogged": True,
    "access_method": "columnar",
    "partition_by": "RANGE (a)",
    "partition_of": PartitionOf(parent=O, bound="DEFAULT"),
    "inherits": (O,),
    "row_security": True,
    "force_row_security": True,
    "replica_identity": "FULL",
    **COMMENT,
}
PARTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "primary_key": (KEY, KEY_FIELDS),
    "uniques": (Unique(name="u", columns=("a",)), {**KEY_FIELDS, "nulls_not_distinct": True}),
    "foreign_keys": (
        TABLE["foreign_keys"][0],
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
            **COMMENT,
        },
    ),
    "checks": (
        TABLE["checks"][0],
        {
            "expression": "(a > 1)",
            "no_inherit": True,
            "enforced": False,
            "validated": False,
            **COMMENT,
        },
    ),
    "exclusions": (
        TABLE["exclusions"][0],
        {
            "definition": "EXCLUDE USING gist (s WITH &&)",
            "deferrable": "deferred",
            "index_comment": "said",
            **COMMENT,
        },
    ),
    "indexes": (
        TABLE["indexes"][0],
        {
            "columns": (IndexColumn(column="b"),),
            "unique": True,
            "method": "hash",
            "include": ("b",),
            "where": "(a > 0)",
            "nulls_not_distinct": True,
            "valid": False,
            **SETTINGS,
        },
    ),
}
KEYS: dict[str, Any] = {
    "column": "b",
    "expression": "(a + 1)",
    "operator_class": "int4_ops",
    "collation": '"C"',
    "descending": True,
    "nulls_first": True,
    "statistics": 5,
}
SHOWN = ViewColumn(name="a", type="integer")
TEXTS = {"definition": "SELECT 2 AS a", **COMMENT}
ENABLED = {"enabled": "DISABLE", **COMMENT}
PASSING = {"privileges": ("INSERT",), "grantable": ("SELECT",), "revoked": ("DELETE",)}
OBJECTS: list[tuple[Any, dict[str, Any]]] = [
    (Namespace(name="n"), COMMENT),
    (
        Extension(name="x", namespace="public"),
        {"namespace": "n", "version": "1", **COMMENT},
    ),
    (Enum(name=NAME, values=("a",)), {"values": ("b",), **COMMENT}),
    (
        Domain(name=NAME, type="text", checks=(DomainCheck(name="k", expression="(VALUE > 0)"),)),
        {
            "type": "integer",
            "collation": '"C"',
            "not_null": True,
            "default": "1",
            "checks": (),
            **COMMENT,
        },
    ),
    (
        CompositeType(name=NAME, attributes=(Attribute(name="a", type="integer"),)),
        {"attributes": (), **COMMENT},
    ),
    (
        Sequence(name=NAME),
        {
            "type": "integer",
            "options": SequenceOptions(cycle=True),
            "owned_by": ref_of(ObjectKind.COLUMN, T, "a"),
            "unlogged": True,
            **COMMENT,
        },
    ),
    (
        View(name=NAME, definition="SELECT 1 AS a", columns=(SHOWN,)),
        {**TEXTS, "columns": (), "parameters": (("security_barrier", "true"),)},
    ),
    (
        MaterializedView(name=NAME, definition="SELECT 1 AS a", columns=(SHOWN,)),
        {
            **TEXTS,
            "indexes": TABLE["indexes"],
            "parameters": (("fillfactor", "70"),),
            "access_method": "columnar",
            "populated": False,
        },
    ),
    (
        Routine(name=NAME, identity="", arguments="", returns="integer", definition="CREATE 1"),
        {
            "arguments": "a integer",
            "returns": "text",
            "definition": "CREATE 2",
            "procedure": True,
            **COMMENT,
        },
    ),
    (
        Aggregate(name=NAME, identity="integer", arguments="integer", options=(("SFUNC", "f"),)),
        {"arguments": "a integer", "options": (("SFUNC", "g"),), **COMMENT},
    ),
    (
        Trigger(name="g", table=T, definition="CREATE 1"),
        {"definition": "CREATE 2", **ENABLED},
    ),
    (
        Rule(name="r", table=T, definition="CREATE RULE 1"),
        {"definition": "CREATE RULE 2", **ENABLED},
    ),
    (
        Policy(name="p", table=T),
        {
            "command": "SELECT",
            "permissive": False,
            "roles": ("bob",),
            "using": "true",
            "check": "true",
            **COMMENT,
        },
    ),
    (
        Statistics(name=NAME, table=T, definition="ON a, b FROM t"),
        {"table": O, "definition": "ON b, a FROM t", "target": 5, **COMMENT},
    ),
    (
        Grant(on=ref_of(ObjectKind.TABLE, T), target="TABLE t", role="bob", privileges=("SELECT",)),
        PASSING,
    ),
    (
        DefaultPrivileges(
            grantor="a", namespace=None, objects="TABLES", role="b", privileges=("SELECT",)
        ),
        PASSING,
    ),
    (
        PlainObject(kind=ObjectKind.OTHER, part="cast", name=NAME),
        {"clauses": (("definition", "x"),), **COMMENT},
    ),
]
INSIDE: dict[type, tuple[Any, dict[str, Any]]] = {
    Identity: (
        Identity(always=True, sequence=NAME),
        {"always": False, "sequence": QualifiedName("public", "z")},
    ),
    SequenceOptions: (SequenceOptions(), OPTIONS),
    Generated: (Generated(expression="(1)"), {"expression": "(2)", "stored": False}),
    PartitionOf: (
        PartitionOf(parent=O, bound="DEFAULT"),
        {"parent": T, "bound": "FOR VALUES IN (1)"},
    ),
    DomainCheck: (
        DomainCheck(name="k", expression="(VALUE > 0)"),
        {"expression": "(VALUE > 1)", "validated": False, **COMMENT},
    ),
    Attribute: (
        Attribute(name="a", type="integer"),
        {"type": "text", "collation": '"C"', **COMMENT},
    ),
    ViewColumn: (SHOWN, {"type": "bigint", "collation": '"C"', "default": "1", **COMMENT}),
}
# Who a thing is; what tells it apart is compared by name.
IDENTITY = {
    Grant: {"on", "target", "role"},
    DefaultPrivileges: {"grantor", "namespace", "objects", "role"},
    Routine: {"identity"},
    Aggregate: {"identity"},
    Trigger: {"table"},
    Rule: {"table"},
    Policy: {"table"},
    PlainObject: {"kind", "part"},
    # The server's own account of an expression that is compared itself.
    Check: {"columns"},
    # A materialized view's columns follow from its definition; comments are below.
    MaterializedView: {"columns"},
    # SQLite's, and what makes no difference on PostgreSQL.
    Table: {"strict", "without_rowid", "autoincrement", "virtual"},
}


def base(**changes: Any) -> Table:
    columns = (Column(name="a", type="integer", default="1"), Column(name="b", type="integer"))
    return replace(Table(name=T, columns=columns, primary_key=KEY), **changes)


def schema(*objects: SchemaObject) -> Schema:
    other = Table(name=O, columns=(Column(name="a", type="integer"),))
    return Schema(tables=(other,), objects=objects)


def with_table(table: Table) -> Schema:
    return replace(schema(), tables=(schema().tables[0], table))


def cases() -> Any:
    for name, value in TABLE.items():
        yield f"Table.{name}", with_table(base()), with_table(base(**{name: value}))
    column = base().columns[0]
    for name, value in COLUMN.items():
        clean = replace(column, default=None) if name in ("identity", "generated") else column
        required = {"not_null": True} if name == "not_null_state" else {}
        after = replace(clean, **{name: value, **required})
        yield (
            f"Column.{name}",
            with_table(base()),
            with_table(base(columns=(after, base().columns[1]))),
        )
    for field, (part, values) in PARTS.items():
        for name, value in values.items():
            now = replace(part, **{name: value})
            wrap = (lambda item: item) if field == "primary_key" else (lambda item: (item,))
            old, new = base(**{field: wrap(part)}), base(**{field: wrap(now)})
            yield f"{type(part).__name__}.{name}", with_table(old), with_table(new)
    for name, value in KEYS.items():
        key = IndexColumn(column=None if name == "expression" else "a", expression=None)
        old_index = Index(name="i", columns=(IndexColumn(column="a"),))
        new_index = replace(old_index, columns=(replace(key, **{name: value}),))
        old, new = base(indexes=(old_index,)), base(indexes=(new_index,))
        yield f"IndexColumn.{name}", with_table(old), with_table(new)
    for obj, values in OBJECTS:
        for name, value in values.items():
            yield f"{type(obj).__name__}.{name}", schema(obj), schema(replace(obj, **{name: value}))
    for kind, (part, values) in INSIDE.items():
        for name, value in values.items():
            yield f"{kind.__name__}.{name}", holding(part), holding(replace(part, **{name: value}))


def holding(part: Any) -> Schema:
    """A schema with *part* in its place."""
    column = Column(name="a", type="integer")
    match part:
        case Identity():
            return with_table(base(columns=(replace(column, identity=part),)))
        case SequenceOptions():
            return schema(Sequence(name=NAME, options=part))
        case Generated():
            return with_table(base(columns=(replace(column, generated=part),)))
        case PartitionOf():
            return with_table(base(partition_of=part))
        case DomainCheck():
            return schema(Domain(name=NAME, type="integer", checks=(part,)))
        case Attribute():
            return schema(CompositeType(name=NAME, attributes=(part,)))
        case _:
            return schema(View(name=NAME, definition="SELECT 1 AS a", columns=(part,)))


CASES = list(cases())


@pytest.mark.parametrize(
    ("old", "new"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_changed_field_is_sql_or_an_error_in_both_directions(old: Schema, new: Schema) -> None:
    for current, desired in ((old, new), (new, old)):
        changes = diff(current, desired)
        assert changes
        try:
            assert render(changes, current=current, desired=desired)
        except UnsupportedChange as error:
            assert "thing" in str(error) or " t " in str(error) or "t." in str(error)


def test_no_field_is_forgotten() -> None:
    tested = {case[0] for case in CASES}
    kinds = [Table, Column, IndexColumn, *INSIDE]
    kinds += [type(part) for part, _ in PARTS.values()] + [type(obj) for obj, _ in OBJECTS]
    for kind in kinds:
        known = {"name", "inherited"} | IDENTITY.get(kind, set())
        named = {
            f"{kind.__name__}.{field.name}"
            for field in fields(kind)
            if field.compare and field.name not in known
        }
        assert named - tested == set() or named - tested <= {"Identity.options"}


def test_every_object_kind_of_a_schema_is_tried() -> None:
    assert {type(obj) for obj, _ in OBJECTS} == {*get_args(SchemaObject)}


def test_an_unsupported_change_is_an_error_that_names_the_object() -> None:
    name = QualifiedName(None, "a AS b")
    cast = Schema(objects=(PlainObject(kind=ObjectKind.OTHER, part="cast", name=name),))

    for current, desired in ((Schema(), cast), (cast, Schema())):
        with pytest.raises(UnsupportedChange, match="cast a AS b"):
            render(diff(current, desired), current=current, desired=desired)


def test_a_conversion_that_the_server_does_not_know_asks_for_one() -> None:
    new = base(columns=(Column(name="a", type="uuid", default="1"), base().columns[1]))
    current, desired = with_table(base()), with_table(new)

    with pytest.raises(UnsupportedChange, match=r"t\.a from integer to uuid") as caught:
        render(diff(current, desired), current=current, desired=desired)

    assert caught.value.next_step == "Pass the conversion: --using t.a='<expression>'."
