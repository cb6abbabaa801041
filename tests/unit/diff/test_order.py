"""Objects that need each other."""

import pytest

from dbwarden.diff import diff
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import (
    QualifiedName,
    Schema,
    View,
)


def test_objects_that_need_each_other_are_an_error_that_names_them() -> None:
    views = [View(name=QualifiedName("public", name), definition="SELECT 1") for name in "vw"]
    one, other = views[0].ref, views[1].ref
    desired = Schema(objects=tuple(views), dependencies=((one, other), (other, one)))

    with pytest.raises(UnsupportedChange, match=r"in a cycle: view public\.v, view public\.w"):
        diff(Schema(), desired)
