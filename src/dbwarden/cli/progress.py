"""Progress: live on a terminal, plain lines elsewhere, few for many; always on stderr."""

import os
import shutil
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from dbwarden import telemetry
from dbwarden.cli import output
from dbwarden.config.model import DatabaseConfig
from dbwarden.printable import on_one_line
from dbwarden.telemetry import Event

MOST = 50
"""More databases than this do not get lines of their own where they do as they should."""

MOST_TOLD = 20
"""So many lines tell what is out of the ordinary; the log has all of it."""


@contextmanager
def watching(databases: Sequence[DatabaseConfig], *, enabled: bool) -> Generator[None]:
    """Show on stderr what the databases are doing while the block runs."""
    if not enabled:
        yield
    elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        from dbwarden.cli.live_display import Live

        live = Live([config.database_name for config in databases])
        with live, telemetry.listening(live.on_event):
            yield
    else:
        many = Many(total=len(databases)) if len(databases) > MOST else None
        with telemetry.listening(_say if many is None else many.on_event):
            yield


@contextmanager
def doing(*, enabled: bool) -> Generator[None]:
    """Show on the terminal's last line what a command is at that works on one database at a time.

    Questions and results take that line away with :func:`wipe` before they are shown.
    """
    dumb = not sys.stderr.isatty() or os.environ.get("TERM") == "dumb"
    if not enabled or dumb or telemetry.writes():
        yield
        return
    try:
        with telemetry.listening(_show):
            yield
    finally:
        wipe()


_WIPE = "\r\x1b[K"
_shown: set[str] = set()


def _show(event: Event) -> None:
    if event.name == "doing":
        line = f"{event.fields.get('database', '')}: {event.fields['what']} ..."
        _shown.add(line)
        sys.stderr.write(_WIPE + on_one_line(line)[: shutil.get_terminal_size().columns - 1])
        sys.stderr.flush()


def wipe() -> None:
    """Take the line of :func:`doing` away, if there is one."""
    if _shown:
        _shown.clear()
        sys.stderr.write(_WIPE)
        sys.stderr.flush()


def _say(event: Event) -> None:
    if (line := plain_line(event)) is not None:
        output.note(line)


@dataclass(slots=True, kw_only=True)
class Many:
    """What a log file is told of many databases: a line for each tenth of them, and what is odd.

    What several databases say in the same words is told once.
    """

    total: int
    done: int = 0
    failed: int = 0
    told: set[str] = field(default_factory=set)

    def on_event(self, event: Event) -> None:
        """Tell of *event* if nothing like it was told."""
        if (line := self.line(event)) is not None:
            output.note(line)

    def line(self, event: Event) -> str | None:
        """What to tell of *event*, which is then told; ``None`` for nothing."""
        match event.name:
            case "outcome":
                return self._counted(event)
            case "migration_applied" | "migration_rolled_back":
                return None
            case _:
                return self._odd(event)

    def _counted(self, event: Event) -> str | None:
        state = event.fields["state"]
        if not event.fields["last"] or state not in ("succeeded", "failed", "timed_out"):
            return None
        tenths = self.done * 10 // self.total
        self.failed += state != "succeeded"
        self.done += 1
        if self.done * 10 // self.total == tenths:
            return None
        failed = f", {self.failed} of them badly" if self.failed else ""
        return f"{self.done} of {self.total} databases have ended{failed}"

    def _odd(self, event: Event) -> str | None:
        if len(self.told) > MOST_TOLD or (line := plain_line(event)) is None:
            return None
        said = line.removeprefix(str(event.fields.get("database", "")))
        if said in self.told:
            return None
        self.told.add(said)
        if len(self.told) > MOST_TOLD:
            return "More of this is not shown; --log-level info logs it."
        return line


def plain_line(event: Event) -> str | None:
    """What a log file is told of *event*; ``None`` for what goes without saying."""
    database = event.fields.get("database", "")
    match event.name:
        case "migration_applied":
            return f"{database}: applied {event.fields['version']}"
        case "migration_rolled_back":
            return f"{database}: rolled back {event.fields['version']}"
        case "waiting_for_lock":
            return f"{database}: waiting for another migrator ({event.fields['holder']})"
        case "waiting_for_connection":
            return f"{database}: waiting for a free connection ({event.fields['error']})"
        case "lock_retry":
            tries = f"{event.fields['attempt']} of {event.fields['of']}"
            what = event.fields.get("version", "its ledger")
            return f"{database}: {what} met a lock, trying again ({tries})"
        case "notice":
            return f"{database}: the server says: {event.fields['message']}"
        case _:
            return None
