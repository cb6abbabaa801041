"""Suggestions for misspelled words."""

import pytest

from dbwarden.files.spelling import closest, distance


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("upgrade", "upgrade", 0),
        ("upgarde", "upgrade", 1),
        ("upgade", "upgrade", 1),
        ("uprade", "upgrade", 1),
        ("updates", "upgrade", 3),
        ("x", "upgrade", 3),
        ("ugprdae", "upgrade", 2),
    ],
)
def test_the_distance_counts_letters_up_to_three(one: str, other: str, expected: int) -> None:
    assert distance(one, other) == distance(other, one) == expected


def test_the_closest_known_word_is_suggested_if_it_is_close() -> None:
    assert closest("Depend_on", ["requires", "depends_on"]) == "depends_on"
    assert closest("author", ["requires", "depends_on"]) is None
    assert closest("x", []) is None
