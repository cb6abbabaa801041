"""What cutting SQL into statements and steps has in common for every kind of database. Pure."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from dbwarden.dialects.base import Statement, Step
from dbwarden.files.lexing import Lexis, Source

_BLANKS = " \t\n\r\f\v"
_MARKER = re.compile(r"--[ \t]*@dbwarden[ \t]*:[ \t]*autocommit[ \t]*\r?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Span:
    """A statement, where it begins and ends in the text, and where the next one may begin."""

    statement: Statement
    start: int
    end: int
    next: int


@dataclass(frozen=True, slots=True)
class Ending:
    """Where a statement ends: ``code`` behind its last character, ``next`` behind its semicolon."""

    code: int
    next: int


class Cursor:
    """Lines and columns of ascending offsets; linear in the text over all calls together."""

    __slots__ = ("_at", "_line", "_line_start", "_text")

    def __init__(self, source: Source) -> None:
        self._text, self._line, self._line_start, self._at = source.text, source.line, 0, 0

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of *offset*, both from 1; not before the last one asked for."""
        newline = self._text.rfind("\n", self._at, offset)
        if newline >= 0:
            self._line += self._text.count("\n", self._at, offset)
            self._line_start = newline + 1
        self._at = offset
        return self._line, offset - self._line_start + 1


EndOf = Callable[[Source, int], Ending]
"""Finds the end of the statement that begins at an offset."""


def spans(source: Source, lexis: Lexis, end_of: EndOf) -> Iterator[Span]:
    """Every statement of *source* in order; empty ones are left out."""
    text, position = source.text, 0
    cursor = Cursor(source)
    marker: int | None = None
    while True:
        start, marker = _next_code(source, lexis, position, marker)
        if start == len(text):
            break
        if text[start] == ";":
            position = start + 1
            continue
        ending = end_of(source, start)
        line, column = cursor.place(start)
        statement = Statement(
            text=text[start : ending.code], line=line, column=column, marked=marker is not None
        )
        yield Span(statement, start, ending.code, ending.next)
        position, marker = ending.next, None
    if marker is not None:
        raise source.error(
            marker,
            "no statement follows this @dbwarden:autocommit",
            "Put the marker on the line before the statement that it is for, or remove it.",
        )


def _next_code(
    source: Source, lexis: Lexis, position: int, marker: int | None
) -> tuple[int, int | None]:
    """Where code begins at or after *position*, and the marker on the way there."""
    text = source.text
    while True:
        found = lexis.gap.match(text, position)
        end = found.end() if found else position
        if end > position and "@" in text[position:end]:
            found_marker = _marker_between(source, position, end)
            marker = marker if found_marker is None else found_marker
        if not text.startswith("/*", end):
            return end, marker
        position = close(source, lexis, end)


def _marker_between(source: Source, start: int, end: int) -> int | None:
    marker = None
    position = start
    for line in source.text[start:end].split("\n"):
        at = position + line.find("--")
        if at >= position and is_marker(line[at - position :]):
            if source.text[source.text.rfind("\n", 0, at) + 1 : at].strip(" \t"):
                raise misplaced_marker(source, at)
            marker = at
        position += len(line) + 1
    return marker


def is_marker(comment: str) -> bool:
    """Whether *comment* is ``-- @dbwarden:autocommit``."""
    return _MARKER.match(comment) is not None


def misplaced_marker(source: Source, offset: int) -> Exception:
    """The error for a marker that stands inside or behind a statement."""
    return source.error(
        offset,
        "@dbwarden:autocommit must stand on a line of its own, before the statement",
        "Move it to the line before the statement that it is for.",
    )


_OPENING_NAMES = {
    "'": "this string",
    '"': "this quoted name",
    "`": "this quoted name",
    "[": "this quoted name",
    "$": "this dollar quote",
    "/": "this comment",
}


def close(source: Source, lexis: Lexis, start: int) -> int:
    """Where the quote or comment that opens at *start* ends.

    Raises:
        MigrationFileError: It never does; points to where it opens.
    """
    end = lexis.close(source.text, start)
    if end < 0:
        what = _OPENING_NAMES[source.text[start]]
        raise source.error(start, f"{what} is never closed", f"Close {what} where it should end.")
    return end


def trim(text: str, start: int, end: int, comments: Sequence[tuple[int, int]]) -> int:
    """The end of the code of ``text[start:end]``, without trailing blanks and *comments*.

    What is sent to the server must not end in a line comment: that would hide what follows it.
    """
    for comment_start, comment_end in reversed(comments):
        if text[comment_end:end].strip(_BLANKS):
            break
        end = comment_start
    while text[end - 1] in _BLANKS:
        end -= 1
    return end


def group(
    source: Source, found: Iterable[Span], refuses: Callable[[Statement], bool]
) -> tuple[Step, ...]:
    """Put consecutive transactional statements into one step, each other one into its own.

    A step's text goes from the end of the step before it (blanks left out) to the end of its last
    statement; comments between and before statements belong to it, the closing semicolon does not.
    """
    runs: list[tuple[bool, list[Span]]] = []
    for span in found:
        transactional = not (span.statement.marked or refuses(span.statement))
        if transactional and runs and runs[-1][0]:
            runs[-1][1].append(span)
        else:
            runs.append((transactional, [span]))
    return tuple(_steps(source, runs))


_BLANK = re.compile(r"[ \t\n\r\f\v;]*+")


def _steps(source: Source, runs: Sequence[tuple[bool, Sequence[Span]]]) -> Iterator[Step]:
    cursor, position = Cursor(source), 0
    for number, (transactional, run) in enumerate(runs, start=1):
        blank = _BLANK.match(source.text, position)
        start = blank.end() if blank else position
        line, column = cursor.place(start)
        yield Step(
            number=number,
            transactional=transactional,
            text=source.text[start : run[-1].end],
            line=line,
            column=column,
            statements=tuple(span.statement for span in run),
        )
        position = run[-1].next
