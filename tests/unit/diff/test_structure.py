"""Dependents that the schema does not describe."""

import pytest

from dbwarden.diff import diff
from dbwarden.diff.changes import (
    Drop,
)
from dbwarden.schema import (
    ObjectKind,
    QualifiedName,
    Routine,
    Schema,
    ref_of,
)


@pytest.mark.parametrize(
    "kind",
    [
        ObjectKind.CONSTRAINT,
        ObjectKind.INDEX,
        ObjectKind.VIEW,
        ObjectKind.DEFAULT,
        ObjectKind.COLUMN,
    ],
)
def test_an_unknown_dependent_is_left_alone(kind: ObjectKind) -> None:
    part = None if kind in (ObjectKind.INDEX, ObjectKind.VIEW) else "unknown"
    routine = Routine(
        name=QualifiedName("public", "f"),
        identity="",
        returns="integer",
        arguments="",
        definition="SELECT 1",
    )
    user = ref_of(kind, QualifiedName("public", "unknown"), part)
    current = Schema(objects=(routine,), dependencies=((user, routine.ref),))

    assert diff(current, Schema()) == (Drop(obj=routine),)
