"""The inverse of a rename."""

import pytest

from dbwarden.diff.changes import (
    Rename,
    RenameValue,
    Renaming,
    invert,
)
from dbwarden.schema import (
    ObjectKind,
    QualifiedName,
    Ref,
)

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
