"""Errors at a terminal wrap between words."""

import pytest

from dbwarden.cli.style import wrap


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("short", ["short"]),
        ("error: one two three four", ["error: one two", "    three four"]),
        ("  next: one two three", ["  next: one two", "      three"]),
        ("a/very/long/path/that/fits/nowhere", ["a/very/long/path/that/fits/nowhere"]),
        ("one\ntwo", ["one", "two"]),
        ("\x1b[31merror\x1b[0m: 8 901 34 6", ["\x1b[31merror\x1b[0m: 8 901 34", "    6"]),
        (
            "  next: Do dbwarden repair -d a --at 1=2 now",
            ["  next: Do", "      dbwarden repair -d a --at 1=2", "      now"],
        ),
    ],
)
def test_lines_wrap_between_words_and_commands_do_not_wrap(text: str, lines: list[str]) -> None:
    assert wrap(text, 16) == lines
