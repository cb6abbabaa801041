"""Write the text of an imported migration file. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from textwrap import dedent

from dbwarden.files.declarations import Fact
from dbwarden.files.directives import declare, declare_origin, declare_review, directive_of
from dbwarden.files.lexing import Lexis, comments, has_lines_in_quotes
from dbwarden.files.migration import Origin
from dbwarden.imports.statements import Text

NOTHING = "SELECT 1;"
"""The SQL of a revision without any, such as a merge: a migration needs a statement."""
_AUTOCOMMIT = "-- @dbwarden:autocommit"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedFile:
    """The parts of a migration file.

    ``rollback`` is ``None`` if there is no way back, for the reason ``irreversible``.
    """

    purpose: str
    origin: Origin
    upgrade: Sequence[Text]
    rollback: Sequence[Text] | None
    reviews: Sequence[str] = ()
    notes: Sequence[str] = ()
    facts: dict[Fact, tuple[str, ...]] = field(default_factory=dict)


def file_text(file: ImportedFile, lexis: Lexis) -> str:
    """Return the text of *file*."""
    lines = [f"-- Purpose: {' '.join(file.purpose.split())}", declare_origin(file.origin)]
    lines += [declare_review(why) for why in file.reviews]
    lines += [f"-- {' '.join(note.split())}" for note in file.notes]
    for fact, names in file.facts.items():
        lines += declare(fact, names)
    if file.rollback is None:
        lines += declare("irreversible")
    lines += ["", "-- upgrade", "", *_section(file.upgrade, lexis)]
    if file.rollback is not None:
        lines += ["", "-- rollback", "", *_section(file.rollback, lexis)]
    return "\n".join(lines).rstrip("\n") + "\n"


def _section(texts: Sequence[Text], lexis: Lexis) -> Iterable[str]:
    if not texts:
        yield NOTHING
    for number, text in enumerate(texts):
        if number and "\n" in text.sql.strip():
            yield ""
        if text.autocommit:
            yield _AUTOCOMMIT
        yield _statement(text.sql, lexis)


def _statement(sql: str, lexis: Lexis) -> str:
    """Return *sql* with its semicolon, and without comments that would be directives."""
    plain = sql if has_lines_in_quotes(lexis, sql) else dedent(sql)
    tidy = _tidy(_without_directives(plain.strip(), lexis), lexis).strip()
    while tidy.endswith(";"):
        tidy = tidy[:-1].rstrip()
    ends = [end for _, end in comments(lexis, tidy)]
    return tidy + ("\n;" if ends and ends[-1] == len(tidy) else ";")


def _without_directives(sql: str, lexis: Lexis) -> str:
    """Return *sql* without comments that dbwarden would read as a directive."""
    parts, position = list[str](), 0
    for start, end in comments(lexis, sql):
        alone = not sql[sql.rfind("\n", 0, start) + 1 : start].strip()
        if directive_of(sql[start:end], in_header=False, on_separate_line=alone) is not None:
            parts.append(sql[position:start])
            position = end
    return "".join([*parts, sql[position:]])


def _tidy(sql: str, lexis: Lexis) -> str:
    """Return *sql* without tabs and blanks at line ends, except in quotes and comments."""
    return "".join(
        text if quoted else re.sub(r"[ \t]+\n", "\n", text).replace("\t", "    ")
        for quoted, text in _parts(sql, lexis)
    )


def _parts(sql: str, lexis: Lexis) -> Iterator[tuple[bool, str]]:
    position = 0
    while match := lexis.openers.search(sql, position):
        yield False, sql[position : match.start()]
        end = lexis.close(sql, match.start())
        if end < 0:
            position = match.start()
            break
        yield True, sql[match.start() : end]
        position = end
    yield False, sql[position:]
