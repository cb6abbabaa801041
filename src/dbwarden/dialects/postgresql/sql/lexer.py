"""Split one PostgreSQL statement into tokens: enough to identify it and its names. Pure."""

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from dbwarden.files.lexing import IDENTIFIER, IDENTIFIER_START, POSTGRESQL, skip_gap
from dbwarden.types import LONGEST_NAME

_WORD = re.compile(rf"{IDENTIFIER_START}{IDENTIFIER}*+")
_NUMBER = re.compile(r"\.?[0-9][0-9A-Za-z_.]*+")
_ESCAPE = re.compile(r"\\(?:\\|\+([0-9A-Fa-f]{6})|([0-9A-Fa-f]{4}))")
_C_ESCAPE = re.compile(
    r"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL
)
_C_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_PREFIXES = {"e", "b", "x", "n", "u&"}


class Token(NamedTuple):
    """One token of a statement.

    ``word`` is an unquoted identifier or keyword, folded to lower case; ``name`` a quoted
    identifier without its quotes; ``string`` the value of a literal; ``sign`` anything else.
    """

    kind: Literal["word", "name", "string", "number", "sign"]
    value: str


def leading_words(text: str, start: int, count: int) -> list[str]:
    """Return up to *count* unquoted words at the beginning of a statement, in lower case."""
    words: list[str] = []
    while len(words) < count and (match := _WORD.match(text, start)):
        words.append(fold(match[0]))
        start = skip_gap(POSTGRESQL, text, match.end())
    return words


def fold(identifier: str) -> str:
    """Fold an unquoted identifier as the server does: ASCII letters to lower case."""
    if identifier.isascii():
        return identifier.lower()
    return "".join(char.lower() if char.isascii() else char for char in identifier)


def cut(name: str) -> str:
    """Truncate *name* as the server does."""
    if len(name) * 4 <= LONGEST_NAME:
        return name
    return name.encode()[:LONGEST_NAME].decode(errors="ignore")


def tokens(text: str) -> tuple[Token, ...]:
    """Return the tokens of one statement, without blanks and comments.

    *text* comes from ``split``, so an unclosed quote ends with it.
    """
    return tuple(token for token, _, _ in located_tokens(text))


def located_tokens(text: str) -> Iterator[tuple[Token, int, int]]:
    """Yield the tokens of one statement, each with its start and end."""
    position = skip_gap(POSTGRESQL, text)
    while position < len(text):
        token, end = _token(text, position)
        yield token, position, end
        position = skip_gap(POSTGRESQL, text, end)


def _token(text: str, start: int) -> tuple[Token, int]:
    char = text[start]
    if char in "'\"" or (char == "$" and POSTGRESQL.close(text, start) > start + 1):
        return _quoted(text, start, start)
    if match := _WORD.match(text, start):
        quote = match.end()
        if fold(match[0]) in _PREFIXES and text.startswith("'", quote):
            return _quoted(text, start, quote)
        if char in "uU" and text.startswith(("&'", '&"'), quote) and quote == start + 1:
            return _quoted(text, start, quote + 1)
        return Token("word", cut(fold(match[0]))), quote
    if match := _NUMBER.match(text, start):
        return Token("number", match[0]), match.end()
    return Token("sign", char), start + 1


def _quoted(text: str, start: int, quote: int) -> tuple[Token, int]:
    end = _close(text, quote)
    if text[quote] == "$":
        tag = text.index("$", quote + 1) + 1 - quote
        return Token("string", text[quote + tag : end - tag]), end
    mark = text[quote]
    while text.startswith(mark, end):  # a doubled quote continues the literal
        end = _close(text, end)
    value = text[quote + 1 : end - 1].replace(mark * 2, mark)
    prefix = text[start:quote].lower()
    if prefix == "u&":
        value = _ESCAPE.sub(lambda m: chr(int(m[1] or m[2], 16)) if m[1] or m[2] else "\\", value)
    elif prefix == "e":
        value = _C_ESCAPE.sub(_c_escape, value)
    return Token("name", cut(value)) if mark == '"' else Token("string", value), end


def _close(text: str, quote: int) -> int:
    end = POSTGRESQL.close(text, quote)
    return end if end > quote else len(text)


def _c_escape(match: re.Match[str]) -> str:
    octal, short, four, eight, letter = match.groups()
    if letter is not None:
        return _C_LETTERS.get(letter, letter)
    return chr(int(octal, 8) if octal else int(short or four or eight, 16))


def words_of(some_tokens: Sequence[Token]) -> tuple[str, ...]:
    """Return keywords and signs as text for matching; names and literals become ``""``."""
    return tuple(token.value if token.kind in ("word", "sign") else "" for token in some_tokens)
