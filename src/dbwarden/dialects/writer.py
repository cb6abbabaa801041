"""Who writes into a ledger."""

import os
import socket
import sys
from dataclasses import dataclass
from typing import Self

from dbwarden import __version__


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """The program, its machine and process, and dbwarden's version."""

    application: str
    host: str
    pid: int
    dbwarden_version: str

    @classmethod
    def this_process(cls) -> Self:
        """The program that runs now."""
        name = os.path.basename(sys.argv[0]) if sys.argv else ""
        return cls(
            application="dbwarden" if name in ("", "-c", "-m", "__main__.py") else name,
            host=socket.gethostname(),
            pid=os.getpid(),
            dbwarden_version=__version__,
        )
