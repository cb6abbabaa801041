"""Live progress on a terminal; nothing elsewhere."""

import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from dbwarden import telemetry
from dbwarden.config.model import DatabaseConfig


@contextmanager
def watching(databases: Sequence[DatabaseConfig], *, enabled: bool) -> Generator[None]:
    """Show on stderr what the databases are doing while the block runs, if that is a terminal."""
    if not enabled or os.environ.get("TERM") == "dumb" or not sys.stderr.isatty():
        yield
        return
    from dbwarden.cli.live import Live

    live = Live([config.database_name for config in databases])
    with live, telemetry.listening(live.on_event):
        yield
