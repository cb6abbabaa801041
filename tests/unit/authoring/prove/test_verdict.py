"""The verdict of a proof."""

import pytest

from dbwarden.authoring.prove.verdict import verdict


@pytest.mark.parametrize(
    ("proven", "reversible", "loses", "word"),
    [
        (True, True, (), "exact"),
        (True, True, ("a.b", "c"), "loses a.b, c"),
        (True, True, tuple("abcdefghijk"), "loses a, b, c, d, e, f, g, h and 3 more"),
        (True, False, ("a.b",), "irreversible"),
        (False, True, (), "not proven"),
    ],
)
def test_the_verdict_names_the_worst_result(
    proven: bool, reversible: bool, loses: tuple[str, ...], word: str
) -> None:
    assert verdict(proven=proven, reversible=reversible, loses=loses) == word
