"""Find quotes and comments in the SQL of each database kind. Pure; linear in the text."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from dbwarden.errors import MigrationFileError
from dbwarden.types import DatabaseName, DialectName, Location

# PostgreSQL's identifiers begin with an ASCII letter, "_" or any non-ASCII character; then digits
# and "$" may follow. The classes are negated, because one of a million characters compiles slowly.
IDENTIFIER_START = r"[^\x00-@\[-^`{-\x7f]"
IDENTIFIER = r"[^\x00-#%-/:-@\[-^`{-\x7f]"

_TAG = re.compile(rf"\$(?:{IDENTIFIER_START}[^\x00-/:-@\[-^`{{-\x7f]*+)?\$")
_ENDS_IDENTIFIER = re.compile(IDENTIFIER)
_LINE = re.compile(r"[^\n\r]*+")
_COMMENT_EDGE = re.compile(r"/\*|\*/")
# The rest of an E'' string. Two strings with a line end between them are one string, so that the
# second may contain backslashes too. The lookahead prevents backtracking; possessive groups match
# incorrectly in Python 3.11.0 to 3.11.4, which Debian 12 has.
_ESCAPED_REST = re.compile(
    r"""(?=((?: [^'\\]++ | \\. | ''
        | '[ \t\f\v]*+(?:--[^\n\r]*+)?[\n\r](?:[ \t\n\r\f\v]++|--[^\n\r]*+[\n\r])*'
    )*))\1'""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Lexis:
    """The quotes and comments of one database kind.

    ``openers`` finds the start of a quote or comment; ``close(text, start)`` returns the offset
    after its end, or -1 if it is not closed. ``gap`` matches whitespace and line comments. Every
    pattern begins with literals, so that the search runs at the speed of C.
    """

    openers: re.Pattern[str]
    gap: re.Pattern[str]
    close: Callable[[str, int], int]


def _close_postgresql(text: str, start: int) -> int:
    match text[start]:
        case "'" if _is_escape_string(text, start):
            rest = _ESCAPED_REST.match(text, start + 1)
            return rest.end() if rest else -1
        case "'" | '"' as quote:
            # A doubled quote is read as the end of one string and the start of the next.
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
    """Return the offset of the next code at or after *position*; the text's length if none.

    An unclosed block comment counts as code, so that the caller reports it.
    """
    while True:
        gap = lexis.gap.match(text, position)
        position = gap.end() if gap else position
        if not text.startswith("/*", position):
            return position
        end = lexis.close(text, position)
        if end < 0:
            return position
        position = end


def comments(lexis: Lexis, text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each comment of *text* up to an unclosed quote or comment."""
    search, close, position = lexis.openers.search, lexis.close, 0
    while opener := search(text, position):
        start = opener.start()
        position = close(text, start)
        if position < 0:
            return
        if text[start] == "-" or text[start] == "/":
            yield start, position


def has_lines_in_quotes(lexis: Lexis, text: str) -> bool:
    """Return whether a quote or comment of *text* spans lines, so that indentation is content."""
    position = 0
    while opener := lexis.openers.search(text, position):
        position = lexis.close(text, opener.start())
        if position < 0 or "\n" in text[opener.start() : position]:
            return True
    return False


def has_code(text: str) -> bool:
    """Return whether *text* has more than whitespace, comments and semicolons."""
    position = 0
    while True:
        position = skip_gap(POSTGRESQL, text, position)
        if text.startswith("/*", position):  # may be closed if comments do not nest, as in SQLite
            position = skip_gap(SQLITE, text, position)
        if not text.startswith(";", position):
            return position < len(text)
        position += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceText:
    """SQL of a file; *text* begins at column 1 of *line*."""

    text: str
    path: Path
    line: int = 1
    database: DatabaseName | None = None

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and column of *offset*, both from 1."""
        return (
            self.line + self.text.count("\n", 0, offset),
            offset - self.text.rfind("\n", 0, offset),
        )

    def error(self, offset: int, message: str, next_step: str) -> MigrationFileError:
        """Return an error located at *offset*."""
        line, column = self.place(offset)
        return MigrationFileError(
            message,
            database=self.database,
            location=Location(path=self.path, line=line, column=column),
            next_step=next_step,
        )
