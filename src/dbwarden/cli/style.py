"""Format colours, tables and durations. Pure except for terminal detection."""

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TextIO

from dbwarden import printable

RED, GREEN, YELLOW, DIM, BOLD = "31", "32", "33", "2", "1"


def wants_colour(stream: TextIO) -> bool:
    """Return whether *stream* is a terminal that supports colours (see no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def paint(text: str, code: str, *, colour: bool) -> str:
    """Return *text*, in a colour if *colour* is set."""
    return f"\x1b[{code}m{text}\x1b[0m" if colour and text else text


_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
# A command to copy is not broken across lines.
_COMMAND = re.compile(r"\bdbwarden [a-z][a-z-]*(?: --?[a-z][\w-]*(?:[= ](?!-)\S+)?)*")


def wrap(text: str, width: int) -> list[str]:
    """Wrap *text* between words, with a hanging indent."""
    return [part for line in text.split("\n") for part in _wrap_line(line, width)]


def _wrap_line(line: str, width: int) -> list[str]:
    if _length(line) <= width:
        return [line]
    before = line[: len(line) - len(line.lstrip())]
    first, *words = _COMMAND.sub(lambda match: match[0].replace(" ", "\0"), line).split()
    lines = [before + first]
    for word in words:
        if _length(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(f"{before}    {word}")
    return [line.replace("\0", " ") for line in lines]


def _length(text: str) -> int:
    return len(_ESCAPE.sub("", text))


Cell = str | tuple[str, str]
"""A text, or a text and its colour."""


def table(headers: Sequence[str], rows: Sequence[Sequence[Cell]], *, colour: bool) -> list[str]:
    """Return aligned columns with a heading, without empty columns."""
    texts = [[cell if isinstance(cell, str) else cell[0] for cell in row] for row in rows]
    keep = [i for i in range(len(headers)) if any(row[i] for row in texts)]
    widths = {i: max(len(headers[i]), *(len(row[i]) for row in texts)) for i in keep}
    head = "  ".join(headers[i].ljust(widths[i]) for i in keep).rstrip()
    body = ["  ".join(_cell(row[i], widths[i], colour) for i in keep).rstrip() for row in rows]
    return [paint(head, DIM, colour=colour), *body]


def drop_columns(
    headers: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    spare: Sequence[str],
    width: int | None,
) -> list[Sequence[Cell]]:
    """Blank as many of the *spare* columns of *rows* as needed to fit into *width*."""
    fitted = list(rows)
    for name in spare:
        if width is None or max(map(len, table(headers, fitted, colour=False))) <= width:
            break
        index = headers.index(name)
        fitted = [[*row[:index], "", *row[index + 1 :]] for row in fitted]
    return fitted


def _cell(cell: Cell, width: int, colour: bool) -> str:
    if isinstance(cell, str):
        return cell.ljust(width)
    text, code = cell
    return paint(text, code, colour=colour) + " " * (width - len(text))


def duration(milliseconds: float | None) -> str:
    """Format a duration for people."""
    if milliseconds is None:
        return ""
    if milliseconds < 10:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.1f} s"
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    return f"{minutes} min {seconds} s"


def pluralize(number: int, word: str) -> str:
    """Return *number* and *word*, as in ``1 row`` or ``2 rows``."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def shorten(keys: Sequence[str], most: int = 3) -> str:
    """Join the first keys, and count the rest."""
    return printable.shorten(keys, most if len(keys) > most + 1 else most + 1)


_here: ContextVar[Path | None] = ContextVar("dbwarden_here", default=None)


def remember_folder() -> None:
    """Read the working folder once, because reading it again could block the event loop."""
    with suppress(OSError):  # the folder was deleted
        _here.set(Path.cwd())


def relative(path: Path) -> str:
    """Return *path* relative to the working folder, if it is below it."""
    try:
        return str(path.relative_to(_here.get() or path))
    except ValueError:
        return str(path)
