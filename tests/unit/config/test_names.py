"""Names of databases."""

import pytest

from dbwarden.config.names import RESERVED, closest, did_you_mean, problem_of_name
from dbwarden.types import LONGEST_NAME


@pytest.mark.parametrize("name", ["primary", "a", "db2", "tenant_01", "a_b_c", "x" * LONGEST_NAME])
def test_a_plain_name_is_valid(name: str) -> None:
    assert problem_of_name(name) is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Primary", "such as 'primary'"),
        ("my-db", "such as 'my_db'"),
        ("a__b", "such as 'a_b'"),
        ("_a_", "such as 'a'"),
        ("1st", "such as 'st'"),
        ("données", "a name has small letters"),
        ("123", "a name has small letters"),
        ("a b", "such as 'a_b'"),
        ("a/../b", "such as 'a_b'"),
        ("a\n", "such as 'a'"),
        ("x" * (LONGEST_NAME + 1), "longer than 63"),
        *((name, "is reserved") for name in sorted(RESERVED)),
    ],
)
def test_another_name_is_refused_with_a_proposal(name: str, words: str) -> None:
    problem = problem_of_name(name)
    assert problem is not None
    assert words in problem


def test_health_paths_and_commands_keep_their_words() -> None:
    assert {"liveness", "readiness", "ui", "metrics", "tenants", "all"} <= RESERVED


def test_a_near_word_is_proposed_and_a_far_one_is_not() -> None:
    assert did_you_mean("primry", ["primary", "logging"]) == "; did you mean 'primary'?"
    assert did_you_mean("xyz", ["primary", "logging"]) == ""


def test_the_closest_known_word_is_suggested_if_it_is_close() -> None:
    known = ("requires", "depends_on", "upgrade", "rollback")
    assert closest("Depend_on", known) == "depends_on"
    assert [closest(word, known) for word in ("upgarde", "ugprade", "rolback")] == [
        "upgrade", "upgrade", "rollback",
    ]  # fmt: skip
    assert [closest(word, known) for word in ("author", "updates", "depends", "x")] == [None] * 4
    assert closest("x", ()) is None
