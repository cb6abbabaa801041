"""Parts that change in place."""

from dataclasses import replace

from dbwarden.diff.alterable import object_alters
from dbwarden.schema import (
    Exclusion,
    Unique,
)


def test_an_exclusion_changes_in_place_in_its_comments_only() -> None:
    key = Exclusion(name="x", definition="EXCLUDE USING gist (r WITH &&)")

    assert object_alters(key, replace(key, comment="said", index_comment="more"))
    assert not object_alters(key, replace(key, deferrable="deferred"))
    assert not object_alters(key, Unique(name="u", columns=("a",)))
