"""Columns that a child inherits."""

from dataclasses import replace

from dbwarden.dialects.postgresql.ddl import render
from dbwarden.diff import diff
from dbwarden.diff.changes import Alter
from dbwarden.schema import (
    Column,
    QualifiedName,
    Schema,
    Table,
)

T = QualifiedName("public", "t")
A = Column(name="a", type="integer")


def test_a_child_takes_each_column_from_the_parent_that_has_it() -> None:
    def schema(type_: str) -> Schema:
        one = Table(name=QualifiedName("public", "one"), columns=(replace(A, type=type_),))
        two = Table(name=QualifiedName("public", "two"), columns=(replace(A, name="b"),))
        columns = (replace(A, type=type_, inherited=True, default="7"), replace(A, name="b"))
        child = Table(
            name=T,
            inherits=(one.name, two.name),
            columns=tuple(replace(column, inherited=True) for column in columns),
        )
        return Schema(tables=(one, child, two))

    made = render(diff(Schema(), schema("integer")), current=Schema(), desired=schema("integer"))
    texts = [item.text for item in made]
    assert texts[-1] == "ALTER TABLE t\n    ALTER COLUMN a SET DEFAULT 7"
    assert texts[-2] == "CREATE TABLE t ()\nINHERITS (one, two)"
    (change,) = diff(schema("integer"), schema("bigint"))
    assert isinstance(change, Alter)
    assert change.table.name == "one"  # it reaches the child by itself
