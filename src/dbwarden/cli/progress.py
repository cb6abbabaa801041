"""Progress: live on a terminal, plain lines elsewhere; always on stderr."""

import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from dbwarden import telemetry
from dbwarden.cli import output
from dbwarden.config.model import DatabaseConfig
from dbwarden.telemetry import Event


@contextmanager
def watching(databases: Sequence[DatabaseConfig], *, enabled: bool) -> Generator[None]:
    """Show on stderr what the databases are doing while the block runs."""
    if not enabled:
        yield
    elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        from dbwarden.cli.live import Live

        live = Live([config.database_name for config in databases])
        with live, telemetry.listening(live.on_event):
            yield
    else:
        with telemetry.listening(_say):
            yield


def _say(event: Event) -> None:
    if (line := plain_line(event)) is not None:
        output.note(line)


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
        case "lock_retry":
            tries = f"{event.fields['attempt']} of {event.fields['of']}"
            return f"{database}: {event.fields['version']} met a lock, trying again ({tries})"
        case "notice":
            return f"{database}: the server says: {event.fields['message']}"
        case _:
            return None
