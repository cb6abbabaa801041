"""What a server greets with and what a COPY sends, as values."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbwarden.dialects.postgresql.migrate.parse_status import Greeting, copied_lines

TOLD = {
    "server_version": "18.6",
    "in_hot_standby": "off",
    "default_transaction_read_only": "on",
    "DateStyle": "ISO, MDY",
}
ESCAPES = {"\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
ESCAPES["\v"] = "\\v"


def test_a_greeting_says_what_need_not_be_asked() -> None:
    assert Greeting.of(7, SimpleNamespace(**TOLD)) == Greeting(
        backend_pid=7, server_version="18.6", recovering=False, read_only=True
    )


@pytest.mark.parametrize("name", TOLD)
def test_a_server_that_leaves_something_out_is_asked_for_all(name: str) -> None:
    less = {key: value for key, value in TOLD.items() if key != name}
    assert Greeting.of(7, SimpleNamespace(**less)) is None


def test_times_of_another_style_are_asked_for_in_json() -> None:
    assert Greeting.of(7, SimpleNamespace(**{**TOLD, "DateStyle": "German, DMY"})) is None


def copied(value: str | None) -> str:
    """*value* as COPY writes it."""
    if value is None:
        return "\\N"
    return "".join(ESCAPES.get(char, char) for char in value)


VALUES = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(st.lists(st.lists(VALUES, min_size=2, max_size=2)))
def test_whatever_was_copied_comes_back(rows: list[list[str | None]]) -> None:
    sent = "".join("\t".join(map(copied, row)) + "\n" for row in rows)
    assert copied_lines(sent.encode()) == rows


def test_a_backslash_before_an_n_is_not_taken_for_null() -> None:
    assert copied_lines(b"\\\\N\t\\N\n") == [["\\N", None]]
