"""SQLite's SQL as tokens, blanks and comments left out. Pure and linear in the text."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dbwarden.files.lexing import IDENTIFIER, IDENTIFIER_START

TokenKind = Literal["word", "name", "string", "blob", "number", "sign"]

_TOKEN = re.compile(
    rf"""
      (?P<gap>[ \t\n\r\f]+ | --[^\n]*+ | /\*(?:[^*]|\*(?!/))*+(?:\*/|\Z))
    | (?P<blob>[xX]'[^']*+')
    | (?P<string>'(?:[^']|'')*+')
    | (?P<name>"(?:[^"]|"")*+" | `(?:[^`]|``)*+` | \[[^\]]*+\])
    | (?P<number>0[xX][0-9a-fA-F_]+ | (?:[0-9][0-9_]*(?:\.[0-9_]*)? | \.[0-9][0-9_]*)
                 (?:[eE][+-]?[0-9_]+)?)
    | (?P<word>{IDENTIFIER_START}{IDENTIFIER}*+)
    | (?P<sign>\|\| | ->> | -> | << | >> | <= | >= | == | != | <>
               | [?@:\#$][\w:$]* | [-+*/%&|~<>=(),.;!])
    """,
    re.VERBOSE,
)


class Unreadable(Exception):
    """A text of the catalog that is not understood; says what stands where."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token: ``text`` as it stands, from ``start`` to ``end`` of the whole."""

    kind: TokenKind
    text: str
    start: int
    end: int

    def is_(self, *words: str) -> bool:
        """Whether it is one of these keywords (in capitals) or signs."""
        if self.kind == "word":
            return self.text.upper() in words
        return self.kind == "sign" and self.text in words

    @property
    def name(self) -> str:
        """The name that it stands for, quotes taken off."""
        if self.kind in ("name", "string"):
            quote = self.text[-1]
            return self.text[1:-1].replace(quote * 2, quote)
        return self.text


def tokens(text: str) -> tuple[Token, ...]:
    """The tokens of *text*.

    Raises:
        Unreadable: A character that SQLite has no use for, or a quote that is never closed.
    """
    found: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise Unreadable(f"{text[position : position + 20]!r} is no token of SQLite")
        if match.lastgroup != "gap":
            kind: TokenKind = match.lastgroup  # type: ignore[assignment]  # the groups are these
            found.append(Token(kind, match[0], position, match.end()))
        position = match.end()
    return tuple(found)


def closing(found: Sequence[Token], opening: int) -> int:
    """Where the parenthesis at *opening* is closed.

    Raises:
        Unreadable: Nowhere.
    """
    depth = 0
    for place in range(opening, len(found)):
        if found[place].kind == "sign":
            depth += {"(": 1, ")": -1}.get(found[place].text, 0)
            if depth == 0:
                return place
    raise Unreadable("a parenthesis is never closed")
