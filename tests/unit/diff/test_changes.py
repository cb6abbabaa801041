"""The identity of changes, and the inverse of a rename."""

import pytest

from dbwarden.diff.changes import (
    Alter,
    Change,
    Create,
    Drop,
    Rename,
    RenameValue,
    Renaming,
    alters,
    invert,
)
from dbwarden.schema import Column, Index, ObjectKind, QualifiedName, Ref, Table

T = QualifiedName("public", "t")


@pytest.mark.parametrize(
    "rename",
    [
        Rename(
            before=Ref(ObjectKind.TABLE, "public", "t"), after=Ref(ObjectKind.TABLE, "public", "s")
        ),
        RenameValue(enum=T, before="a", after="b"),
    ],
)
def test_an_inverse_swaps_before_and_after(rename: Renaming) -> None:
    (back,) = invert([rename])

    assert type(back) is type(rename)
    assert (back.before, back.after) == (rename.after, rename.before)
    assert invert([back]) == (rename,)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (Create(obj=Table(name=T)), "add table public.t"),
        (Create(obj=Column(name="a", type="int"), on=T), "add column public.t.a"),
        (Drop(obj=Index(name="ix", columns=()), on=T), "drop index public.ix"),
        (Alter(before=Table(name=T), after=Table(name=T)), "change table public.t"),
        (RenameValue(enum=T, before="a", after="b"), "rename enum b on public.t"),
    ],
)
def test_a_change_knows_its_verb_its_object_and_its_table(change: Change, text: str) -> None:
    assert f"{change.verb} {change.ref}" == text
    assert change.table == T


def test_one_change_leads_from_each_state_to_the_next() -> None:
    first, second = Column(name="a", type="int"), Column(name="a", type="text")

    assert list(alters([first, first, second, second], on=T)) == [
        Alter(before=first, after=second, on=T)
    ]
