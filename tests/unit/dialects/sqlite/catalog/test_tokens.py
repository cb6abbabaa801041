"""Tokens of CREATE TABLE in SQLite."""

from hypothesis import given
from hypothesis import strategies as st

from dbwarden.dialects.sqlite.catalog.tokens import Unreadable, tokens


@given(st.text(max_size=30))
def test_no_text_breaks_the_lexer(text: str) -> None:
    try:
        found = tokens(text)
    except Unreadable:
        return
    assert all(text[token.start : token.end] == token.text for token in found)
