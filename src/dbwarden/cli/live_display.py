"""Show a line per database at the bottom of the terminal, or one line for many."""

import asyncio
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from dbwarden.cli.streams import wipe_line
from dbwarden.printable import on_one_line
from dbwarden.telemetry import Event

MOST_LINES = 12
"""More databases than this share one line."""

_REFRESH = 0.1
"""Seconds between two refreshes. Events do not refresh, because a fleet emits thousands."""

_BAR = 24


@dataclass(slots=True, kw_only=True)
class Line:
    """The progress of one database or of all; ``total`` is ``None`` while it is unknown.

    ``planned`` is true if migrations are counted, and not the rows of a backfill.
    """

    label: str
    planned: bool = False
    total: int | None = None
    done: int = 0
    doing: str = ""

    def text(self, seconds: float, label_width: int) -> str:
        """Return the line to show after *seconds*."""
        filled = _BAR * self.done // self.total if self.total else 0
        total = "?" if self.total is None else str(self.total)
        minutes, rest = divmod(int(seconds), 60)
        bar = f"[{'#' * filled:<{_BAR}}] {self.done}/{total}"
        return f"{self.label:<{label_width}}  {bar}  {minutes}:{rest:02}  {self.doing}"


class LiveDisplay:
    """The progress of each database, on the last lines of the terminal, inside a block."""

    def __init__(self, databases: Sequence[str]) -> None:
        room = min(MOST_LINES, shutil.get_terminal_size().lines - 2)
        self._own: dict[str, Line] = {}
        self._all: Line | None = None
        if len(databases) <= room:
            self._own = {name: Line(label=on_one_line(name)) for name in databases}
        else:
            self._all = Line(label="databases", total=len(databases))
        self._began = time.monotonic()
        self._shown = 0
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> "LiveDisplay":
        wipe_line()
        self._tick()
        return self

    def __exit__(self, *raised: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._write("\x1b[J")

    def on_event(self, event: Event) -> None:
        """Note *event* for the line of its database."""
        database = str(event.fields.get("database", ""))
        if event.name == "outcome" and event.fields["last"] and self._all is not None:
            self._all.done += 1
            self._all.doing = database
        if (line := self._own.get(database)) is not None:
            _update(line, event)

    def _tick(self) -> None:
        self._draw()
        self._timer = asyncio.get_running_loop().call_later(_REFRESH, self._tick)

    def _draw(self) -> None:
        lines = [self._all] if self._all is not None else list(self._own.values())
        width = shutil.get_terminal_size().columns - 1
        longest = max((len(line.label) for line in lines), default=0)
        seconds = time.monotonic() - self._began
        texts = [on_one_line(line.text(seconds, longest))[:width] for line in lines]
        self._write("".join(f"\x1b[K{text}\n" for text in texts))
        self._shown = len(texts)

    def _write(self, text: str) -> None:
        """Write *text* over the lines that are shown."""
        back = f"\x1b[{self._shown}F" if self._shown else ""
        with suppress(OSError):  # the terminal was closed
            sys.stderr.write(back + text)
            sys.stderr.flush()


def _update(line: Line, event: Event) -> None:
    match event.name:
        case "planned":
            line.planned, line.total = True, event.fields["migrations"]
        case "backfill_batch" if not line.planned:
            line.done, line.total = event.fields["done"], event.fields["total"]
        case "migration_applied" | "migration_rolled_back":
            line.done += 1
            line.doing = str(event.fields["version"])
        case "doing":
            line.doing = event.fields["what"]
        case "waiting_for_lock":
            line.doing = "waiting for another migrator"
        case "outcome":
            line.total, line.done, line.doing = 1, 1, event.fields["state"]
        case _:
            pass
