"""Expressions that certainly differ without a question to the server."""

import pytest

from dbwarden.dialects.postgresql.scratch.quick_diff import surely_differ
from dbwarden.schema import Check, Column, Enum, Index, IndexColumn, PrimaryKey, Unique
from tests.unit.authoring.schemas import USERS


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Column(name="a", type="text"), Column(name="a", type="integer")),
        (Enum(name=USERS, values=("a",)), Enum(name=USERS, values=("a", "b"))),
        (PrimaryKey(name="k", columns=("a",)), Unique(name="k", columns=("a",))),
        (
            Index(name="i", columns=(IndexColumn(column="a"),)),
            Index(name="i", columns=(IndexColumn(column="b"),)),
        ),
    ],
)
def test_clearly_different_expressions_are_not_sent_to_the_server(
    one: object, other: object
) -> None:
    assert surely_differ(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Column(name="a", type="text", default="1"), Column(name="a", type="text", default="2")),
        (Check(name="c", expression="a > 0"), Check(name="c", expression="a > 1")),
        (
            Index(name="i", columns=(IndexColumn(expression="a"),)),
            Index(name="i", columns=(IndexColumn(expression="b"),)),
        ),
    ],
)
def test_equal_expressions_may_have_different_texts(one: object, other: object) -> None:
    assert not surely_differ(one, other)
