"""Split SQLite's SQL into tokens without blanks and comments. Pure, in linear time."""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from dbwarden.files.lexing import IDENTIFIER, IDENTIFIER_START
from dbwarden.quoting import quoted

TokenKind = Literal["word", "name", "string", "blob", "number", "sign"]

_COMMENT = r"/\*[^*]*+(?:\*(?!/)[^*]*+)*(?:\*/|\Z)"
# A lookahead, so that no token is searched for inside a comment on backtracking.
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
    """A catalog text that cannot be parsed; names the position."""


class Ambiguous(Unreadable):
    """Two indistinguishable parts of a table; names them."""


class Token(NamedTuple):
    """One token: the original ``text``, from ``start`` to ``end``.

    ``key`` is a word in capitals or a sign; empty for all others. (A tuple, because a large schema
    has hundreds of thousands.)
    """

    kind: TokenKind
    text: str
    start: int
    end: int
    key: str

    def is_(self, *words: str) -> bool:
        """Return whether it is one of these keywords (in capitals) or signs."""
        return self.key in words

    @property
    def name(self) -> str:
        """The name without its quotes."""
        if self.kind in ("name", "string"):
            quote = self.text[-1]
            return self.text[1:-1].replace(quote * 2, quote)
        return self.text


def tokens(text: str) -> tuple[Token, ...]:
    """Return the tokens of *text*.

    Raises:
        Unreadable: An invalid character or an unclosed quote.
    """
    text_tokens: list[Token] = []
    match, position = _TOKEN.match, 0
    while part := match(text, position):
        kind: TokenKind | Literal["end"] = part.lastgroup  # type: ignore[assignment]  # one of these
        if kind == "end":
            return tuple(text_tokens)
        start, end = part.span(kind)
        position = end
        token = text[start:end]
        key = token.upper() if kind == "word" else token if kind == "sign" else ""
        text_tokens.append(Token(kind, token, start, end, key))
    raise Unreadable(f"{text[position : position + 20]!r} is no token of SQLite")


def name_token(name: str) -> Token:
    """Return a token for *name* without a position."""
    return Token("name", quoted(name), 0, 0, "")


def find_closing(text_tokens: Sequence[Token], opening: int) -> int:
    """Return the index of the parenthesis that closes the one at *opening*.

    Raises:
        Unreadable: It is not closed.
    """
    depth = 0
    for place in range(opening, len(text_tokens)):
        key = text_tokens[place].key
        if key in ("(", ")"):
            depth += 1 if key == "(" else -1
            if depth == 0:
                return place
    raise Unreadable("a parenthesis is never closed")
