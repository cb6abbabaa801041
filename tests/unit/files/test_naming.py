"""Names of migration files, and the names made from messages."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbwarden.errors import UsageError
from dbwarden.files.naming import parse_name, parse_version, slug
from tests.unit.files.migrations import PRIMARY


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Create users", "create_users"),
        ("  add   e-mail: unique!  ", "add_e_mail_unique"),
        ("Größe ändern", "große_andern"),
        ("__x__", "x"),
        ("добавить пользователей", "добавить_пользователеи"),
        ("word " * 30, "word_word_word_word_word_word_word_word_word_word_word_word"),
        ("w" * 100, "w" * 60),
    ],
)
def test_a_message_becomes_a_name(message: str, expected: str) -> None:
    assert slug(message) == expected


@pytest.mark.parametrize("message", ["", " ", "!?", "__"])
def test_a_message_without_a_word_is_refused(message: str) -> None:
    with pytest.raises(UsageError) as caught:
        slug(message)
    assert caught.value.next_step


@given(st.text(max_size=200))
def test_a_name_made_from_a_message_parses(message: str) -> None:
    try:
        name = slug(message)
    except UsageError:
        return
    path = Path(f"primary__0001_{name}.sql")
    assert parse_name(path, PRIMARY).name == name
    assert slug(name) == name


@pytest.mark.parametrize(("text", "version"), [("7", 7), ("0007", 7), ("0", 0)])
def test_a_version_is_read_as_people_write_it(text: str, version: int) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize("text", ["", "x", "-1", "1.0", "٣", "0007_users"])
def test_an_invalid_version_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--to '"):
        parse_version(text, "--to")
