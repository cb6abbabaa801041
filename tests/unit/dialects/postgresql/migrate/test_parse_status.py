"""The greeting of a server and the rows of a COPY become values."""

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


def test_a_greeting_answers_some_questions_in_advance() -> None:
    assert Greeting.of(7, SimpleNamespace(**TOLD)) == Greeting(
        backend_pid=7, server_version="18.6", recovering=False, read_only=True
    )


@pytest.mark.parametrize("name", TOLD)
def test_an_incomplete_greeting_leads_to_a_full_query(name: str) -> None:
    less = {key: value for key, value in TOLD.items() if key != name}
    assert Greeting.of(7, SimpleNamespace(**less)) is None


def test_times_in_another_style_are_queried_as_json() -> None:
    assert Greeting.of(7, SimpleNamespace(**{**TOLD, "DateStyle": "German, DMY"})) is None


def copied(value: str | None) -> str:
    """*value* as COPY writes it."""
    if value is None:
        return "\\N"
    return "".join(ESCAPES.get(char, char) for char in value)


VALUES = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(st.lists(st.lists(VALUES, min_size=2, max_size=2)))
def test_copied_rows_are_parsed_unchanged(rows: list[list[str | None]]) -> None:
    sent = "".join("\t".join(map(copied, row)) + "\n" for row in rows)
    assert copied_lines(sent.encode()) == rows


def test_a_backslash_before_n_is_not_null() -> None:
    assert copied_lines(b"\\\\N\t\\N\n") == [["\\N", None]]
