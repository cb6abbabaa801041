"""Types that columns use."""

from dataclasses import replace

import pytest

from dbwarden.diff import diff
from dbwarden.diff.changes import Alter, Drop
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import (
    Column,
    Domain,
    Enum,
    QualifiedName,
    Schema,
    Table,
)

T = QualifiedName("public", "t")
A = Column(name="a", type="integer")


def test_a_column_leaves_a_dropped_domain() -> None:
    domain = Domain(name=QualifiedName("public", "age"), type="integer")
    used = Table(name=T, columns=(replace(A, type="age"),))
    needs = ((used.column_ref("a"), domain.ref),)
    current = Schema(objects=(domain,), tables=(used,), dependencies=needs)
    desired = Schema(tables=(Table(name=T, columns=(A,)),))

    assert [type(change) for change in diff(current, desired)] == [Alter, Drop]


def test_a_type_that_becomes_one_of_another_kind_while_a_column_uses_it_is_an_error() -> None:
    name = QualifiedName("public", "age")
    used = Table(name=T, columns=(replace(A, type="age"),))

    def schema(type_: Enum | Domain) -> Schema:
        needs = ((used.column_ref("a"), type_.ref),)
        return Schema(tables=(used,), objects=(type_,), dependencies=needs)

    current = schema(Enum(name=name, values=("1",)))
    with pytest.raises(UnsupportedChange, match=r"enum public\.age .* column public\.t\.a"):
        diff(current, schema(Domain(name=name, type="integer")))
