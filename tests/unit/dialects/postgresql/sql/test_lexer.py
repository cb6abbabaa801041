"""Tokens of PostgreSQL's SQL."""

import pytest

from dbwarden.dialects.postgresql.sql.lexer import Token, tokens
from tests.unit.dialects.postgresql.migrate.statements import HARD


@pytest.mark.parametrize("text", HARD)
def test_the_tokens_of_a_hard_statement_cover_its_text(text: str) -> None:
    found = tokens(text)
    assert found
    assert all(token.value in text for token in found if token.kind in ("number", "sign"))


@pytest.mark.parametrize("text", ["'a", 'x "a', "$$a", "E'a\\'", "a /* b"])
def test_an_unclosed_quote_ends_with_the_text(text: str) -> None:
    assert tokens(text)


def test_tokens_are_recognized() -> None:
    assert tokens(
        "SELECT a$1, $2, \"B\"\"c\", 'x''y', N'n', b'01', 1.5e3, t.* /* x */ <> $$z$$"
    ) == (
        Token("word", "select"),
        Token("word", "a$1"),
        Token("sign", ","),
        Token("sign", "$"),
        Token("number", "2"),
        Token("sign", ","),
        Token("name", 'B"c'),
        Token("sign", ","),
        Token("string", "x'y"),
        Token("sign", ","),
        Token("string", "n"),
        Token("sign", ","),
        Token("string", "01"),
        Token("sign", ","),
        Token("number", "1.5e3"),
        Token("sign", ","),
        Token("word", "t"),
        Token("sign", "."),
        Token("sign", "*"),
        Token("sign", "<"),
        Token("sign", ">"),
        Token("string", "z"),
    )
