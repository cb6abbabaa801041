"""Print documents and tables to stdout, errors and notes to stderr."""

import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from dbwarden.cli import streams
from dbwarden.cli.documents import dumps
from dbwarden.cli.style import (
    BOLD,
    DIM,
    RED,
    YELLOW,
    Cell,
    drop_columns,
    paint,
    relative,
    table,
    wants_colour,
    wrap,
)
from dbwarden.errors import (
    ConfigurationError,
    DBWardenError,
    MigrationFileError,
    NotStarted,
    UsageError,
)
from dbwarden.printable import on_one_line, printable, shorten
from dbwarden.types import Location

MOST_PROBLEMS = 100
"""The number of configuration problems shown."""


def say(*lines: str) -> None:
    """Print *lines* to stdout, made safe for a terminal."""
    out = streams.results()
    streams.wipe_line()
    for line in lines:
        print(printable(line) if out.isatty() else line, file=out)


def note(*lines: str) -> None:
    """Print *lines* to stderr."""
    streams.wipe_line()
    for line in lines:
        print(printable(line), file=sys.stderr)


def say_json(document: Any) -> None:
    """Print one JSON document to stdout."""
    out = streams.results()
    streams.wipe_line()
    is_utf8 = (out.encoding or "").lower().replace("_", "-") in ("utf-8", "utf8")
    text = dumps(document, ascii_only=not is_utf8)
    print(_CONTROL_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", text), file=out)


_CONTROL_IN_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters that JSON does not escape itself."""


def check_place(path: Path) -> None:
    """Check early that a report can be written to *path*.

    Raises:
        UsageError: *path* is a folder, or its folder does not exist.
    """
    if path.is_dir() or not path.parent.is_dir():
        what = "that is a folder" if path.is_dir() else f"there is no folder {path.parent}"
        raise UsageError(f"the report cannot be written to {path}: {what}")


def write_json(path: Path, document: Any) -> None:
    """Write one JSON document to a file.

    Raises:
        UsageError: The file cannot be written.
    """
    try:
        path.write_text(dumps(document) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"the report cannot be written to {path}: {error.strerror}") from error


def write_file(path: Path, text: str, mode: Literal["w", "x"], next_step: str) -> None:
    """Write *text* to a file that the user named; *mode* ``"x"`` overwrites none.

    Raises:
        UsageError: The file cannot be written.
    """
    try:
        with path.open(mode, encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}", next_step=next_step
        ) from error


def say_table(
    headers: Sequence[str], rows: Sequence[Sequence[Cell]], *, spare: Sequence[str] = ()
) -> None:
    """Print a table to stdout; a narrow terminal omits *spare* columns, in this order."""
    out = streams.results()
    rows = [
        [on_one_line(c) if isinstance(c, str) else (on_one_line(c[0]), c[1]) for c in row]
        for row in rows
    ]
    if rows:
        width = shutil.get_terminal_size().columns if out.isatty() else None
        say(*table(headers, drop_columns(headers, rows, spare, width), colour=wants_colour(out)))


def note_errors(errors: Iterable[DBWardenError]) -> None:
    """Print each error to stderr; an error that several databases share is printed once."""
    colour = wants_colour(sys.stderr)
    width = shutil.get_terminal_size().columns if sys.stderr.isatty() else None
    folded: dict[str, list[DBWardenError]] = {}
    for error in errors:
        # Compare without the name, which may also occur in the next step.
        text = "\n".join(error_lines(error, colour=False, name="?"))
        if error.database:
            text = re.sub(rf"(?<![\w-]){re.escape(error.database)}(?![\w-])", "?", text)
        folded.setdefault(text, []).append(error)
    for same in folded.values():
        names = [error.database for error in same if error.database]
        lines = error_lines(same[0], colour=colour, name=shorten(names, 3))
        note("")
        for line in lines:
            text = _name_all(line, names)
            note(*([text] if width is None or _SQL.match(text) else wrap(text, width)))


_SQL = re.compile(r"    (?:\x1b\[\d+m)?\|")


def _name_all(line: str, names: Sequence[str]) -> str:
    """Replace the first of *names* in the commands of *line* with all of them."""
    if len(names) < 2:
        return line
    several = " ".join(f"-d {name}" for name in names[:3]) + (" ..." if len(names) > 3 else "")
    return re.sub(rf"-d {re.escape(names[0])}(?![\w-])", lambda _: several, line)


def error_lines(error: DBWardenError, *, colour: bool, name: str | None = None) -> list[str]:
    """Format an error: message, database, place, statement and next step.

    *name* replaces the database's name where several share the error.
    """
    code = YELLOW if isinstance(error, NotStarted) else RED
    where = [error.database or "" if name is None else name, _place(error.location)]
    place = ": ".join(part for part in where if part)
    head = paint("error", code, colour=colour)
    lines = [
        f"{head}: {paint(place, BOLD, colour=colour)}{': ' * bool(place)}{_indent(error.message)}"
    ]
    if isinstance(error, ConfigurationError):
        lines += [f"  - {_indent(problem)}" for problem in error.problems[:MOST_PROBLEMS]]
        if (more := len(error.problems) - MOST_PROBLEMS) > 0:
            lines.append(f"  and {more} more")
    if isinstance(error, MigrationFileError) and error.problems != (error,):
        for problem in error.problems:
            lines.append(f"  - {_place(problem.location)}: {_indent(problem.message)}")
            lines += [f"      {problem.next_step}"] if problem.next_step else []
    if error.statement:
        lines += [
            f"    {paint('|', DIM, colour=colour)} {line}" for line in _excerpt(error.statement)
        ]
    for name, text in (("detail", error.detail), ("hint", error.hint), ("next", error.next_step)):
        if text:
            lines.append(f"  {paint(name, DIM, colour=colour)}: {text}")
    return lines


def _place(location: Location | None) -> str:
    if location is None:
        return ""
    return on_one_line(str(replace(location, path=Path(relative(location.path)))))


def _indent(message: str) -> str:
    """Indent the further lines of *message* to set them apart from our own."""
    return message.replace("\n", "\n    ")


def _excerpt(statement: str, most: int = 8) -> list[str]:
    lines = statement.strip("\n").splitlines()
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], f"... ({len(lines) - most + 1} more lines)"]
