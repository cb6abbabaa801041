"""Answers of the user on the command line."""

import pytest

from dbwarden.authoring.compare.user_choices import pairs_of
from dbwarden.errors import UsageError


def test_answers_are_a_column_and_an_expression() -> None:
    assert pairs_of(["users.age=age::int", "a.b = 'x=y'"], "--using") == {
        "users.age": "age::int",
        "a.b": "'x=y'",
    }
    with pytest.raises(UsageError, match="does not name a column"):
        pairs_of(["users.age"], "--using")
