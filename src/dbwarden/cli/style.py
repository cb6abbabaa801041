"""Colours, tables and durations as text. Pure but for one look at the terminal."""

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TextIO

RED, GREEN, YELLOW, DIM, BOLD = "31", "32", "33", "2", "1"


def wants_colour(stream: TextIO) -> bool:
    """Whether *stream* is a terminal that takes colours (see no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def paint(text: str, code: str, *, colour: bool) -> str:
    """*text* in a colour, or as it is."""
    return f"\x1b[{code}m{text}\x1b[0m" if colour and text else text


_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
# A command to copy stays in one piece, which the terminal may cut where it likes.
_COMMAND = re.compile(r"\bdbwarden [a-z][a-z-]*(?: --?[a-z][\w-]*(?:[= ](?!-)\S+)?)*")


def wrapped(text: str, width: int) -> list[str]:
    """*text* in lines that are cut between words; what follows the first line stands further in."""
    return [part for line in text.split("\n") for part in _wrapped(line, width)]


def _wrapped(line: str, width: int) -> list[str]:
    if _length(line) <= width:
        return [line]
    before = line[: len(line) - len(line.lstrip())]
    first, *words = _COMMAND.sub(lambda found: found[0].replace(" ", "\0"), line).split()
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
    """Aligned columns with a heading; empty columns are left out."""
    texts = [[cell if isinstance(cell, str) else cell[0] for cell in row] for row in rows]
    keep = [i for i in range(len(headers)) if any(row[i] for row in texts)]
    widths = {i: max(len(headers[i]), *(len(row[i]) for row in texts)) for i in keep}
    head = "  ".join(headers[i].ljust(widths[i]) for i in keep).rstrip()
    body = ["  ".join(_cell(row[i], widths[i], colour) for i in keep).rstrip() for row in rows]
    return [paint(head, DIM, colour=colour), *body]


def narrowed(
    headers: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    spare: Sequence[str],
    width: int | None,
) -> list[Sequence[Cell]]:
    """*rows* without as many of the *spare* columns as it takes to fit into *width*."""
    found = list(rows)
    for name in spare:
        if width is None or max(map(len, table(headers, found, colour=False))) <= width:
            break
        gone = headers.index(name)
        found = [[*row[:gone], "", *row[gone + 1 :]] for row in found]
    return found


def _cell(cell: Cell, width: int, colour: bool) -> str:
    if isinstance(cell, str):
        return cell.ljust(width)
    text, code = cell
    return paint(text, code, colour=colour) + " " * (width - len(text))


def duration(milliseconds: float | None) -> str:
    """A duration as a person says it."""
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


def counted(number: int, word: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def some(keys: Sequence[str], most: int = 3) -> str:
    """The first keys, and how many more there are."""
    if len(keys) <= most + 1:
        return ", ".join(keys)
    return f"{', '.join(keys[:most])} and {len(keys) - most} more"


_here: ContextVar[Path | None] = ContextVar("dbwarden_here", default=None)


def remember_folder() -> None:
    """Look once where we are: asking again could block the event loop."""
    with suppress(OSError):  # a folder that is gone
        _here.set(Path.cwd())


def short(path: Path) -> str:
    """*path* from the working folder on, where it lies below it."""
    try:
        return str(path.relative_to(_here.get() or path))
    except ValueError:
        return str(path)
