"""Identify the process that writes to a ledger."""

import os
import socket
import sys
from dataclasses import dataclass
from functools import lru_cache

from dbwarden import __version__


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """The program, its host and process, and the version of dbwarden."""

    application: str
    host: str
    pid: int
    dbwarden_version: str

    @staticmethod
    def this_process() -> "Writer":
        """Return the writer of the running process."""
        return _of_process(sys.argv[0] if sys.argv else "", os.getpid())


@lru_cache(maxsize=8)
def _of_process(program: str, pid: int) -> Writer:
    # Cached because a fleet asks for each database; the pid distinguishes a fork from its parent.
    name = os.path.basename(program)
    return Writer(
        application="dbwarden" if name in ("", "-c", "-m", "__main__.py") else name,
        host=socket.gethostname(),
        pid=pid,
        dbwarden_version=__version__,
    )
