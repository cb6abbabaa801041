"""Split PostgreSQL text into statements and steps. Pure; does not import the driver.

Assumes that ``standard_conforming_strings`` is on, which is the default.
"""

import re
from itertools import pairwise

from dbwarden.dialects import splitting as common
from dbwarden.dialects.postgresql.sql.lexer import leading_words, tokens, words_of
from dbwarden.dialects.postgresql.sql.transactions import refuses_transaction
from dbwarden.dialects.splitting import Ending, Span
from dbwarden.files.lexing import IDENTIFIER, IDENTIFIER_START, POSTGRESQL, SourceText

# The parts of a statement that need no closer inspection, matched in one go. A quote after an "e"
# may open an escape string, so it is inspected. The engine stores each repetition, hence the limit.
_PLAIN = re.compile(
    r"""(?: [^;'"$\\/-]++ | (?<![eE])'[^']*+' | "[^"]*+" | -(?!-) | /(?!\*) ){0,1000}""",
    re.VERBOSE,
)
_STOPS = re.compile(
    rf"""[;'"$\\()] | --|/\* | (?<!{IDENTIFIER})(?<!\.)
         (?: as[ \t\n\r]++{IDENTIFIER_START}{IDENTIFIER}*+
           | (?:begin|case|end)(?!{IDENTIFIER}) )""",
    re.VERBOSE | re.IGNORECASE,
)
# Most CREATE statements, which cannot contain a semicolon.
_PLAIN_CREATE = re.compile(
    r"create[ \t\n\r\f\v]++(?!or[^A-Za-z]|function|procedure|rule|-|/)", re.IGNORECASE
)
_FORBIDDEN = re.compile(
    "begin|commit|end|rollback|abort|savepoint|release|start|prepare|discard", re.IGNORECASE
)
_CONTROL = {"begin", "commit", "end", "rollback", "abort", "savepoint", "release"}
_ATOMIC = re.compile("atomic", re.IGNORECASE)
_SEMICOLONS_INSIDE = {"function", "procedure", "rule"}


def _end_of(source: SourceText, start: int) -> Ending:
    text = source.text
    if text[start] in "cC" and not _PLAIN_CREATE.match(text, start):
        head = leading_words(text, start, 4)
        if head[0] == "create" and not _SEMICOLONS_INSIDE.isdisjoint(head[1:2] + head[3:4]):
            return _create_end(source, start, is_rule="rule" in head)
        if head[0] == "copy":
            return _copy_end(source, start)
    return _plain_end(source, start)


def _plain_end(source: SourceText, start: int) -> Ending:
    text, plain = source.text, _PLAIN.match
    comments: list[tuple[int, int]] = []
    position = start
    while True:
        while (at := plain(text, position).end()) > position:  # type: ignore[union-attr]  # matches
            position = at
        if at == len(text) or text[at] == ";":
            return Ending(common.trim(text, start, at, comments), min(at + 1, len(text)))
        position = _skip(source, at, comments)


def _create_end(source: SourceText, start: int, *, is_rule: bool) -> Ending:
    """Return the end of CREATE FUNCTION, PROCEDURE or RULE, which may contain semicolons."""
    if not is_rule:
        ending = _plain_end(source, start)
        if not _ATOMIC.search(source.text, start, ending.code):
            return ending
    return _nested_end(source, start)


def _skip(source: SourceText, at: int, comments: list[tuple[int, int]]) -> int:
    if source.text[at] == "\\":
        raise _psql(source, at)
    return common.skip(source, POSTGRESQL, at, comments)


def _psql(source: SourceText, at: int) -> Exception:
    match = re.match(r"\\[A-Za-z!?.;]*", source.text[at : at + 40])
    command = match[0] if match else "\\"
    return source.error(
        at,
        f"{command} is a command of psql, not SQL",
        "Remove it: a migration goes to the server as it is, without psql.",
    )


def _nested_end(source: SourceText, start: int) -> Ending:
    """Return the end of a statement with semicolons in parentheses or BEGIN ATOMIC ... END."""
    text, search = source.text, _STOPS.search
    comments: list[tuple[int, int]] = []
    opened: list[int] = []  # the start of each open "(", BEGIN ATOMIC and CASE
    position = start
    while match := search(text, position):
        at, word = match.start(), match[0].lower()
        position = match.end()
        match word:
            case ";" if not opened:
                return Ending(common.trim(text, start, at, comments), at + 1)
            case "(":
                opened.append(at)
            case ")" | "end":
                if opened and (text[opened[-1]] == "(") == (word == ")"):
                    opened.pop()
            case "begin" if leading_words(text, at, 2)[1:] == ["atomic"]:
                opened.append(at)
            case "case" if any(text[place] in "bB" for place in opened):
                opened.append(at)
            case "'" | '"' | "$" | "\\" | "--" | "/*":
                position = _skip(source, at, comments)
    if opened:
        at = opened[-1]
        what, closing = ("this parenthesis", ")") if text[at] == "(" else ("this block", "END")
        raise source.error(at, f"{what} is never closed", f"Close it with {closing}.")
    return Ending(common.trim(text, start, len(text), comments), len(text))


def _copy_end(source: SourceText, start: int) -> Ending:
    """Return the end of a COPY, and refuse one that transfers rows through the client."""
    ending = _plain_end(source, start)
    words = words_of(tokens(source.text[start : ending.code]))
    pairs = set(pairwise(words))
    if ("from", "stdin") in pairs:
        raise source.error(
            start,
            "COPY ... FROM stdin needs rows that a migration cannot send",
            "Write INSERT statements (pg_dump --inserts does), or COPY from a file of the server.",
        )
    if ("to", "stdout") in pairs:
        raise source.error(
            start,
            "COPY ... TO stdout sends rows that dbwarden does not read",
            "Remove it, or COPY to a file of the server.",
        )
    return ending


def _check(source: SourceText, span: Span) -> None:
    if not _FORBIDDEN.match(source.text, span.start):
        return
    match leading_words(source.text, span.start, 2):
        case [word, *_] if word in _CONTROL:
            raise common.transaction_control(source, span, word)
        case [("start" | "prepare") as word, "transaction"]:
            raise common.transaction_control(source, span, f"{word} transaction")
        case ["discard", "all"]:
            raise source.error(
                span.start,
                "DISCARD ALL would release the lock that keeps other migrators out",
                "Remove it, or use RESET ALL.",
            )


SPLITTER = common.Splitter(
    lexis=POSTGRESQL, end_of=_end_of, check=_check, refuses_transaction=refuses_transaction
)
split, steps = SPLITTER.split, SPLITTER.steps
