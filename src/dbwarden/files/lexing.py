"""Where quotes and comments begin and end, in each kind of SQL. Pure and linear in the text."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from dbwarden.errors import MigrationFileError
from dbwarden.types import DatabaseName, DialectName, Location

# PostgreSQL's identifiers: ASCII letters, "_" and everything beyond ASCII, then digits and "$" too.
# Written as what they are not, because a class of a million characters takes long to compile.
IDENTIFIER_START = r"[^\x00-@\[-^`{-\x7f]"
IDENTIFIER = r"[^\x00-#%-/:-@\[-^`{-\x7f]"

_TAG = re.compile(rf"\$(?:{IDENTIFIER_START}[^\x00-/:-@\[-^`{{-\x7f]*+)?\$")
_ENDS_IDENTIFIER = re.compile(IDENTIFIER)
_LINE = re.compile(r"[^\n\r]*+")
_COMMENT_EDGE = re.compile(r"/\*|\*/")
# The rest of an E'' string. Two of them with a line end between are one string, so that the
# second may hold backslashes too. In a lookahead, so that it is never tried a second time: the
# possessive form of a group finds other things in Python 3.11.0 to 3.11.4, which Debian 12 has.
_ESCAPED_REST = re.compile(
    r"""(?=((?: [^'\\]++ | \\. | ''
        | '[ \t\f\v]*+(?:--[^\n\r]*+)?[\n\r](?:[ \t\n\r\f\v]++|--[^\n\r]*+[\n\r])*'
    )*))\1'""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Lexis:
    """The quotes and comments of one kind of SQL.

    ``openers`` finds the next place where something opens; ``close(text, start)`` answers where
    that ends (the offset behind it), or -1 when it never does. ``gap`` matches blanks and line
    comments. Every pattern begins with literals, so that the search runs at C's speed.
    """

    openers: re.Pattern[str]
    gap: re.Pattern[str]
    close: Callable[[str, int], int]


def _close_postgresql(text: str, start: int) -> int:
    match text[start]:
        case "'" if _is_escape_string(text, start):
            found = _ESCAPED_REST.match(text, start + 1)
            return found.end() if found else -1
        case "'" | '"' as quote:
            # A doubled quote reads as a string that ends and one that begins: the same length.
            return text.find(quote, start + 1) + 1 or -1
        case "$":
            return _close_dollars(text, start)
        case "-":
            return _LINE.match(text, start).end()  # type: ignore[union-attr]  # always matches
        case _:
            return _close_nested_comment(text, start)


def _is_escape_string(text: str, quote: int) -> bool:
    if quote == 0 or text[quote - 1] not in "eE":
        return False
    return quote == 1 or not _ENDS_IDENTIFIER.match(text, quote - 2)


def _close_dollars(text: str, start: int) -> int:
    tag = _TAG.match(text, start)
    if tag is None or (start > 0 and _ENDS_IDENTIFIER.match(text, start - 1)):
        return start + 1  # a parameter, or a dollar inside an identifier
    end = text.find(tag[0], tag.end())
    return end + len(tag[0]) if end >= 0 else -1


def _close_nested_comment(text: str, start: int) -> int:
    depth = 0
    for edge in _COMMENT_EDGE.finditer(text, start):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
    return -1


def _close_sqlite(text: str, start: int) -> int:
    match text[start]:
        case "'" | '"' | "`" as quote:
            return text.find(quote, start + 1) + 1 or -1
        case "[":
            return text.find("]", start + 1) + 1 or -1
        case "-":
            end = text.find("\n", start)
            return end if end >= 0 else len(text)
        case _:
            end = text.find("*/", start + 2)
            return end + 2 if end >= 0 else -1


POSTGRESQL = Lexis(
    openers=re.compile(r"'|\"|\$|--|/\*"),
    gap=re.compile(r"(?:[ \t\n\r\f\v]++|--[^\n\r]*+)*"),
    close=_close_postgresql,
)
SQLITE = Lexis(
    openers=re.compile(r"'|\"|`|\[|--|/\*"),
    gap=re.compile(r"(?:[ \t\n\r\f\v]++|--[^\n]*+)*"),
    close=_close_sqlite,
)


def lexis_of(dialect: DialectName) -> Lexis:
    """Return the quotes and comments of *dialect*."""
    match dialect:
        case "postgresql":
            return POSTGRESQL
        case "sqlite":
            return SQLITE
        case _:
            assert_never(dialect)


def skip_gap(lexis: Lexis, text: str, position: int = 0) -> int:
    """Where the next code begins at or after *position*; the text's length when there is none.

    A block comment that is never closed counts as code, so that its reader reports it.
    """
    while True:
        found = lexis.gap.match(text, position)
        position = found.end() if found else position
        if not text.startswith("/*", position):
            return position
        end = lexis.close(text, position)
        if end < 0:
            return position
        position = end


def comments(lexis: Lexis, text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each comment of *text*; stops silently at what is never closed."""
    search, close, position = lexis.openers.search, lexis.close, 0
    while found := search(text, position):
        start = found.start()
        position = close(text, start)
        if position < 0:
            return
        if text[start] == "-" or text[start] == "/":
            yield start, position


def has_code(text: str) -> bool:
    """Whether there is anything to run in *text*: more than blanks, comments and semicolons."""
    position = 0
    while True:
        position = skip_gap(POSTGRESQL, text, position)
        if text.startswith("/*", position):  # closed only if comments do not nest, as in SQLite
            position = skip_gap(SQLITE, text, position)
        if not text.startswith(";", position):
            return position < len(text)
        position += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """SQL as it stands in a file: *text* begins at column 1 of *line*."""

    text: str
    path: Path
    line: int = 1
    database: DatabaseName | None = None

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of *offset*, both from 1."""
        return (
            self.line + self.text.count("\n", 0, offset),
            offset - self.text.rfind("\n", 0, offset),
        )

    def error(self, offset: int, message: str, next_step: str) -> MigrationFileError:
        """An error about what stands at *offset*."""
        line, column = self.place(offset)
        return MigrationFileError(
            message,
            database=self.database,
            location=Location(path=self.path, line=line, column=column),
            next_step=next_step,
        )
