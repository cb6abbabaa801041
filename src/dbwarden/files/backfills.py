"""Check the header and the SQL of a backfill. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from dbwarden.config.names import did_you_mean
from dbwarden.files.checksum import checksum
from dbwarden.files.directives import BackfillOption, OptionName
from dbwarden.files.lexing import Lexis
from dbwarden.files.migration import DEFAULT_BATCH, Backfill, Migration
from dbwarden.files.placeholders import BATCH, placeholders
from dbwarden.types import Checksum

MOST_ROWS = 1_000_000
"""The maximum number of rows of one batch."""

MOST_SECONDS = 600.0
"""The maximum time of one batch."""

_PART = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_DECIMAL = re.compile(r"[0-9]*\.?[0-9]+")
_TABLE = re.compile(rf"{_PART}(?:\.{_PART})?")


class FileProblem(NamedTuple):
    """A problem at an offset of the file, and the correction."""

    offset: int
    message: str
    next_step: str


@dataclass(slots=True)
class BackfillHeader:
    """The backfill's lines of one header: each option with its offset, and that of the marker."""

    start: int | None = None
    options: list[tuple[int, BackfillOption]] = field(default_factory=list)

    def value(self, name: OptionName) -> tuple[int, str] | None:
        """Return the offset and the value of option *name*."""
        return next(((at, each.value) for at, each in self.options if each.name == name), None)


_VALUES: Mapping[OptionName, tuple[Callable[[str], object], str, str]] = {
    "table": (
        _TABLE.fullmatch,
        "{!r} is not the name of a table",
        'Write it as -- table: users, or -- table: shop."Users".',
    ),
    "batch": (
        lambda text: text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_ROWS,
        "{!r} is not a number of rows",
        f"Give a number from 1 to {MOST_ROWS}, as in -- batch: {DEFAULT_BATCH}.",
    ),
    "batch-seconds": (
        lambda text: _DECIMAL.fullmatch(text) and 0 < float(text) <= MOST_SECONDS,
        "{!r} is not a number of seconds",
        f"Give a number of at most {MOST_SECONDS:g}, as in -- batch-seconds: 0.1.",
    ),
    "until": (
        bool,
        "the condition of -- until is missing",
        "Give one that every row satisfies at the end, as in -- until: country IS NOT NULL.",
    ),
}
"""What each option may be, and the problem and the next step if it is something else."""


def problems_of_header(header: BackfillHeader) -> Iterator[FileProblem]:
    """Yield the problems of a header that declares a backfill."""
    seen: set[OptionName] = set()
    for at, option in header.options:
        if option.written != option.name:
            yield FileProblem(
                at,
                f"dbwarden does not know '-- {option.written}' in the header of a backfill",
                f"Did you mean -- {option.name}: {option.value} ?",
            )
        elif option.name in seen:
            yield FileProblem(at, f"a second -- {option.name}", "Remove one of them.")
        seen.add(option.name)
    assert header.start is not None
    if header.value("table") is None:
        yield FileProblem(
            header.start, "a backfill needs the name of its table", "Add -- table: NAME below it."
        )
    for name, (is_valid, message, next_step) in _VALUES.items():
        if (found := header.value(name)) is not None and not is_valid(found[1]):
            yield FileProblem(found[0], message.format(found[1]), next_step)


def build_backfill(header: BackfillHeader, line_of: Callable[[int], int]) -> Backfill:
    """Return the options of a header without problems; *line_of* returns the line of an offset."""
    table, batch, until = (header.value(name) for name in ("table", "batch", "until"))
    seconds = header.value("batch-seconds")
    assert table is not None
    return Backfill(
        table=table[1],
        line=line_of(table[0]),
        batch=int(batch[1]) if batch is not None else DEFAULT_BATCH,
        batch_seconds=float(seconds[1]) if seconds is not None else None,
        until=until[1] if until is not None else None,
        until_line=line_of(until[0]) if until is not None else None,
    )


def problems_of_sql(
    lexis: Lexis, text: str, offset: int, *, batched: bool
) -> Iterator[FileProblem]:
    """Yield the problems with the placeholders of a section, which begins at *offset*.

    Args:
        lexis: The quotes and comments of the database kind.
        text: The SQL of the section.
        offset: Its offset in the file.
        batched: Whether the section runs in batches.
    """
    if not batched and "{batch" not in text:
        return
    found = list(placeholders(lexis, text))
    for item in found:
        if item.name != BATCH and batched:
            yield FileProblem(
                offset + item.start,
                f"dbwarden does not know the placeholder {text[item.start : item.end]}"
                + did_you_mean(item.name, (BATCH,)),
                "Write {batch}, or {batch:u} for a table with the alias u.",
            )
        elif item.name == BATCH and not batched:
            yield FileProblem(
                offset + item.start,
                "{batch} is only for the upgrade of a backfill",
                "Add -- dbwarden: backfill and -- table: NAME above -- upgrade, or remove it.",
            )
    if batched and not any(item.name == BATCH for item in found):
        yield FileProblem(
            offset,
            "its SQL has no {batch}, so that each batch would be the whole table",
            "Add it to the condition, as in UPDATE users SET ... WHERE ... AND {batch}.",
        )


def advise_on_edited_backfill(key: str, database: str | None) -> str:
    """Return the next steps for the file of an unfinished backfill that was edited."""
    again = f"dbwarden backfill resume {key}{f' -d {database}' if database else ''}"
    return (
        f"Undo the edit; or start again with the first row: {again} --restart; or go on from the "
        f"cursor with the file as it is: {again} --accept"
    )


def backfill_checksum(migration: Migration) -> Checksum:
    """Return the checksum of all that decides which rows a backfill changes, and how."""
    backfill = migration.backfill
    assert backfill is not None
    return checksum("\n".join((backfill.table, backfill.until or "", migration.upgrade.checksum)))
