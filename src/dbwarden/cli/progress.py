"""Show progress on stderr: live on a terminal, plain lines elsewhere, a summary for many."""

import os
import shutil
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from dbwarden import telemetry
from dbwarden.cli import output
from dbwarden.cli.streams import show_line, wipe_line
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.printable import on_one_line
from dbwarden.telemetry import Event

MOST = 50
"""With more databases than this, successes are summarized."""

MOST_EVENTS = 20
"""The number of unusual events shown; the log has all of them."""


@contextmanager
def show_progress(
    databases: Sequence[DatabaseConfig], *, enabled: bool, asks: bool = False
) -> Generator[None]:
    """Show the progress of *databases* on stderr while the block runs.

    If the block *asks* the user, only its current activity is shown, on the last line of the
    terminal, which prompts clear.
    """
    if not enabled:
        yield
    elif not _has_last_lines():
        line_of = Summary(total=len(databases)).line if len(databases) > MOST else plain_line

        def print_event(event: Event) -> None:
            if (line := line_of(event)) is not None:
                output.note(line)

        with telemetry.listening(print_event):
            yield
    elif asks:
        try:
            with telemetry.listening(_show_activity):
                yield
        finally:
            wipe_line()
    else:
        from dbwarden.cli.live_display import LiveDisplay  # only for terminals

        live = LiveDisplay([config.database_name for config in databases])
        with live, telemetry.listening(live.on_event):
            yield


def _has_last_lines() -> bool:
    """Return whether stderr is a terminal whose last lines only progress uses."""
    dumb = not sys.stderr.isatty() or os.environ.get("TERM") == "dumb"
    return not dumb and not telemetry.writes()


def _show_activity(event: Event) -> None:
    if event.name == "doing":
        line = f"{event.fields.get('database', '')}: {event.fields['what']} ..."
        show_line(on_one_line(line)[: shutil.get_terminal_size().columns - 1])


@dataclass(slots=True, kw_only=True)
class Summary:
    """The plain progress of many databases: a line for each tenth of them, and unusual events.

    An event that several databases share is shown once.
    """

    total: int
    done: int = 0
    failed: int = 0
    seen: set[str] = field(default_factory=set)

    def line(self, event: Event) -> str | None:
        """Count *event* and return the line to print, if any."""
        match event.name:
            case "outcome":
                return self._count_outcome(event)
            case "migration_applied" | "migration_rolled_back":
                return None
            case _:
                return self._report_once(event)

    def _count_outcome(self, event: Event) -> str | None:
        state = event.fields["state"]
        if not event.fields["last"] or state not in ("succeeded", "failed", "timed_out"):
            return None
        tenths = self.done * 10 // self.total
        self.failed += state != "succeeded"
        self.done += 1
        if self.done * 10 // self.total == tenths:
            return None
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.done}/{self.total} databases done{failed}"

    def _report_once(self, event: Event) -> str | None:
        if len(self.seen) > MOST_EVENTS or (line := plain_line(event)) is None:
            return None
        text = line.removeprefix(str(event.fields.get("database", "")))
        if text in self.seen:
            return None
        self.seen.add(text)
        if len(self.seen) > MOST_EVENTS:
            return "Further events are not shown. Pass --log-level info to log them."
        return line


def plain_line(event: Event) -> str | None:
    """Return *event* as a line for a log file, or ``None`` to skip it."""
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
            return f"{database}: {what} is blocked by a lock, retrying ({tries})"
        case "notice":
            return f"{database}: server notice: {event.fields['message']}"
        case _:
            return None
