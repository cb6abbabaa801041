"""SQLite's SQL as tokens, blanks and comments left out. Pure and linear in the text."""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from dbwarden.files.lexing import IDENTIFIER, IDENTIFIER_START

TokenKind = Literal["word", "name", "string", "blob", "number", "sign"]

_COMMENT = r"/\*[^*]*+(?:\*(?!/)[^*]*+)*(?:\*/|\Z)"
# In a lookahead, so that no token is looked for inside a comment afterwards.
_GAP = rf"(?=(?P<gap>(?:[ \t\n\r\f]++ | --[^\n]*+ | {_COMMENT})*))(?P=gap)"
_TOKEN = re.compile(
    rf"""{_GAP} (?:
      (?P<blob>[xX]'[^']*+')
    | (?P<word>{IDENTIFIER_START}{IDENTIFIER}*+)
    | (?P<name>"[^"]*+(?:""[^"]*+)*"(?!") | `[^`]*+(?:``[^`]*+)*`(?!`) | \[[^\]]*+\])
    | (?P<string>'[^']*+(?:''[^']*+)*'(?!'))
    | (?P<number>0[xX][0-9a-fA-F_]+ | (?:[0-9][0-9_]*(?:\.[0-9_]*)? | \.[0-9][0-9_]*)
                 (?:[eE][+-]?[0-9_]+)?)
    | (?P<sign>\|\| | ->> | -> | << | >> | <= | >= | == | != | <>
               | [?@:\#$][\w:$]* | [-+*/%&|~<>=(),.;!])
    | (?P<end>\Z))
    """,
    re.VERBOSE,
)


class Unreadable(Exception):
    """A text of the catalog that is not understood; says what stands where."""


class Ambiguous(Unreadable):
    """Two parts of a table that nothing tells apart; says which."""


class Token(NamedTuple):
    """One token: ``text`` as it stands, from ``start`` to ``end`` of the whole.

    ``key`` is a word in capitals or a sign as it is; empty for all others. (A tuple, because a
    large schema has hundreds of thousands.)
    """

    kind: TokenKind
    text: str
    start: int
    end: int
    key: str

    def is_(self, *words: str) -> bool:
        """Whether it is one of these keywords (in capitals) or signs."""
        return self.key in words

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
    match, position = _TOKEN.match, 0
    while part := match(text, position):
        kind: TokenKind | Literal["end"] = part.lastgroup  # type: ignore[assignment]  # one of these
        if kind == "end":
            return tuple(found)
        start, end = part.span(kind)
        position = end
        token = text[start:end]
        key = token.upper() if kind == "word" else token if kind == "sign" else ""
        found.append(Token(kind, token, start, end, key))
    raise Unreadable(f"{text[position : position + 20]!r} is no token of SQLite")


def named(name: str) -> Token:
    """A token that stands for *name* and is nowhere."""
    return Token("name", '"' + name.replace('"', '""') + '"', 0, 0, "")


def closing(found: Sequence[Token], opening: int) -> int:
    """Where the parenthesis at *opening* is closed.

    Raises:
        Unreadable: Nowhere.
    """
    depth = 0
    for place in range(opening, len(found)):
        key = found[place].key
        if key in ("(", ")"):
            depth += 1 if key == "(" else -1
            if depth == 0:
                return place
    raise Unreadable("a parenthesis is never closed")
