"""Names of objects in messages."""

import pytest

from dbwarden.schema import (
    Check,
    ForeignKey,
    ObjectKind,
    PrimaryKey,
    QualifiedName,
    Ref,
    Unique,
    ref_of,
)

T = QualifiedName("public", "t")


@pytest.mark.parametrize(
    ("ref", "text"),
    [
        (ref_of(ObjectKind.TABLE, T), "table public.t"),
        (ref_of(ObjectKind.TABLE, QualifiedName(None, "t")), "table t"),
        (ref_of(ObjectKind.COLUMN, T, "a"), "column public.t.a"),
        (ref_of(ObjectKind.TRIGGER, T, "g"), "trigger g on public.t"),
        (ref_of(ObjectKind.ROUTINE, T, "integer, text"), "routine public.t(integer, text)"),
        (Ref(ObjectKind.EXTENSION, None, "citext"), "extension citext"),
    ],
)
def test_an_object_has_a_readable_name(ref: Ref, text: str) -> None:
    assert str(ref) == text


def test_a_part_of_one_table_becomes_the_same_part_of_another() -> None:
    other = QualifiedName("s", "o")

    assert ref_of(ObjectKind.COLUMN, T, "a").within(other) == ref_of(ObjectKind.COLUMN, other, "a")


def test_unnamed_constraints_are_identified_by_their_content() -> None:
    key = ForeignKey(name=None, columns=("a",), references=T, referred_columns=("b",))

    assert [
        PrimaryKey(name=None, columns=("a",)).key,
        Unique(name=None, columns=("a", "b")).key,
        Check(name=None, expression="a > 0").key,
        key.key,
        Unique(name="u", columns=("a",)).key,
    ] == [
        "primary key",
        "unique (a, b)",
        "check a > 0",
        "foreign key (a) to public.t",
        "u",
    ]
