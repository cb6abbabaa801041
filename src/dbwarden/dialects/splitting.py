"""Split SQL into statements and steps, for every database kind. Pure."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from dbwarden.dialects.base import Statement, Step
from dbwarden.files.lexing import Lexis, SourceText
from dbwarden.files.migration import Migration, Section
from dbwarden.files.placeholders import BATCH, placeholders
from dbwarden.types import DatabaseName

_BLANKS = " \t\n\r\f\v"
_MARKER = re.compile(r"--[ \t]*@dbwarden[ \t]*:[ \t]*autocommit[ \t]*\r?$", re.IGNORECASE)


class Span(NamedTuple):
    """A statement, its start and end in the text, and the position from which to read on."""

    statement: Statement
    start: int
    end: int
    next: int


class Ending(NamedTuple):
    """The end of a statement: ``code`` after its last character, ``next`` after its semicolon."""

    code: int
    next: int


class LineCounter:
    """Translates ascending offsets into lines and columns, in time linear in the text."""

    __slots__ = ("_at", "_line", "_line_start", "_text")

    def __init__(self, source: SourceText) -> None:
        self._text, self._line, self._line_start, self._at = source.text, source.line, 0, 0

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and column of *offset*, both from 1. Offsets must not decrease."""
        newline = self._text.rfind("\n", self._at, offset)
        if newline >= 0:
            self._line += self._text.count("\n", self._at, offset)
            self._line_start = newline + 1
        self._at = offset
        return self._line, offset - self._line_start + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Splitter:
    """The rules of one database kind.

    ``end_of`` returns the end of the statement that begins at an offset, ``check`` raises if
    dbwarden does not allow a statement, and ``refuses_transaction`` returns whether it must run
    alone.
    """

    lexis: Lexis
    end_of: Callable[[SourceText, int], Ending]
    check: Callable[[SourceText, Span], None]
    refuses_transaction: Callable[[Statement], bool]

    def split(
        self, text: str, *, path: Path, line: int = 1, database: DatabaseName | None = None
    ) -> tuple[Statement, ...]:
        """Split *text*, which begins on *line* of the file at *path*, into its statements.

        Raises:
            MigrationFileError: A quote or comment is never closed, or the text has something that
                the server does not accept; has file, line and column.
        """
        source = SourceText(text=text, path=path, line=line, database=database)
        return tuple(span.statement for span in spans(source, self))

    def steps(self, migration: Migration, section: Section) -> tuple[Step, ...]:
        """Split *section* of *migration* into steps.

        Consecutive transactional statements are one step. Each statement that cannot run in a
        transaction, or is marked ``-- @dbwarden:autocommit``, is its own step.

        Raises:
            MigrationFileError: As for ``split``, and for transaction control.
        """
        batched = migration.backfill is not None and section is migration.upgrade
        if batched and migration.is_python:
            return ()
        source = SourceText(
            text=section.text, path=migration.path, line=section.line, database=migration.database
        )
        found_spans: list[Span] = []
        for span in spans(source, self):
            self.check(source, span)
            if batched:
                self._check_batched(source, span)
            found_spans.append(span)
        return group(source, found_spans, self.refuses_transaction)

    def _check_batched(self, source: SourceText, span: Span) -> None:
        """Check that a statement of a backfill runs in batches, each in a transaction."""
        statement = span.statement
        if statement.marked or self.refuses_transaction(statement):
            raise source.error(
                span.start,
                "this statement cannot run in the transaction of a batch",
                "Move it to a migration of its own.",
            )
        if not any(p.name == BATCH for p in placeholders(self.lexis, statement.text)):
            raise source.error(
                span.start,
                "this statement has no {batch}, so that each batch would repeat all of it",
                "Add {batch} to its condition, or move it to a migration of its own.",
            )


def position_in(statement: Statement, offset: int) -> tuple[int, int]:
    """Return line and column in the file of *offset* in the text of *statement*."""
    before = statement.text[:offset]
    line = before.count("\n")
    column = len(before) - before.rfind("\n") if line else statement.column + len(before)
    return statement.line + line, column


def spans(source: SourceText, splitter: Splitter) -> Iterator[Span]:
    """Yield the statements of *source* in order, without empty ones."""
    text, position = source.text, 0
    cursor = LineCounter(source)
    marker: int | None = None
    while True:
        start, marker = _next_code(source, splitter.lexis, position, marker)
        if start == len(text):
            break
        if text[start] == ";":
            position = start + 1
            continue
        ending = splitter.end_of(source, start)
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
    source: SourceText, lexis: Lexis, position: int, marker: int | None
) -> tuple[int, int | None]:
    """Return the start of the code at or after *position*, and the marker before it."""
    text = source.text
    while True:
        match = lexis.gap.match(text, position)
        end = match.end() if match else position
        if end > position and "@" in text[position:end]:
            found_marker = _marker_between(source, position, end)
            marker = marker if found_marker is None else found_marker
        if not text.startswith("/*", end):
            return end, marker
        position = close(source, lexis, end)


def _marker_between(source: SourceText, start: int, end: int) -> int | None:
    marker = None
    position = start
    for line in source.text[start:end].split("\n"):
        at = position + line.find("--")
        if at >= position and _is_marker(line[at - position :]):
            if source.text[source.text.rfind("\n", 0, at) + 1 : at].strip(" \t"):
                raise _misplaced_marker(source, at)
            marker = at
        position += len(line) + 1
    return marker


def _is_marker(comment: str) -> bool:
    return _MARKER.match(comment) is not None


def _misplaced_marker(source: SourceText, offset: int) -> Exception:
    return source.error(
        offset,
        "@dbwarden:autocommit must be on a line of its own, before the statement",
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


def close(source: SourceText, lexis: Lexis, start: int) -> int:
    """Return the end of the quote or comment that opens at *start*.

    Raises:
        MigrationFileError: It is never closed; the error points to its start.
    """
    end = lexis.close(source.text, start)
    if end < 0:
        what = _OPENING_NAMES[source.text[start]]
        raise source.error(start, f"{what} is never closed", f"Close {what} where it should end.")
    return end


def skip(source: SourceText, lexis: Lexis, at: int, comments: list[tuple[int, int]]) -> int:
    """Return the end of the quote or comment that opens at *at*; add a comment to *comments*.

    Raises:
        MigrationFileError: It is never closed, or it is a marker inside a statement.
    """
    end = close(source, lexis, at)
    if source.text[at] in "-/":
        if _is_marker(source.text[at:end]):
            raise _misplaced_marker(source, at)
        comments.append((at, end))
    return end


def transaction_control(source: SourceText, span: Span, words: str) -> Exception:
    """Return the error for a statement that begins or ends a transaction."""
    return source.error(
        span.start,
        f"{words.upper()} controls the transaction, which dbwarden manages",
        "Remove it: a migration and its ledger row are one transaction. Statements that refuse "
        "one are marked with -- @dbwarden:autocommit.",
    )


def trim(text: str, start: int, end: int, comments: Sequence[tuple[int, int]]) -> int:
    """Return the end of the code of ``text[start:end]``, without trailing blanks and *comments*.

    Text sent to the server must not end in a line comment, which would hide what follows.
    """
    for comment_start, comment_end in reversed(comments):
        if text[comment_end:end].strip(_BLANKS):
            break
        end = comment_start
    while text[end - 1] in _BLANKS:
        end -= 1
    return end


def group(
    source: SourceText, spans: Sequence[Span], refuses: Callable[[Statement], bool]
) -> tuple[Step, ...]:
    """Group consecutive transactional statements into one step; each other one is its own step.

    A step's text begins after the previous step (without blanks) and ends with its last statement.
    It includes the comments before and between statements, but not the closing semicolon.
    """
    runs: list[tuple[bool, list[Span]]] = []
    for span in spans:
        transactional = not (span.statement.marked or refuses(span.statement))
        if transactional and runs and runs[-1][0]:
            runs[-1][1].append(span)
        else:
            runs.append((transactional, [span]))
    return tuple(_steps(source, runs))


_BLANK = re.compile(r"[ \t\n\r\f\v;]*+")


def _steps(source: SourceText, runs: Sequence[tuple[bool, Sequence[Span]]]) -> Iterator[Step]:
    cursor, position = LineCounter(source), 0
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
