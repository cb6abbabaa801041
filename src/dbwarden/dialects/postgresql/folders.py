"""The temporary folders of embedded servers: where they can be, and whose they are.

Their owner holds a lock on a file in each. The system lets go of it when the owner ends, however
that happens, so that whoever comes next can tell a forgotten folder from one in use; a process
number could not tell that across containers that share the folder.
"""

import os
import shutil
import tempfile
from pathlib import Path

from dbwarden.errors import DBWardenError

PREFIX = "dbwarden-postgresql-"
_OWNER = "owner"


def open_folder() -> Path:
    """A folder for temporary files that other users can enter, when we are root."""
    for candidate in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        path = Path(candidate).resolve()
        if os.geteuid() != 0 or all(p.stat().st_mode & 0o001 for p in (path, *path.parents)):
            return path
    raise DBWardenError("there is no folder for temporary files that other users can enter")


def own(folder: Path) -> int:
    """Mark *folder* as ours until the returned file descriptor is closed."""
    import fcntl  # here and below: Windows has none, and must come as far as to be told so

    descriptor = os.open(folder / _OWNER, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def sweep(parent: Path) -> None:
    """Remove the folders in *parent* whose owners are gone. Never raises.

    What is left there is data only: a server ends with its owner by itself.
    """
    import fcntl

    for folder in parent.glob(f"{PREFIX}*"):
        try:
            descriptor = os.open(folder / _OWNER, os.O_RDWR)
        except OSError:  # just being made, or another user's
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue
        finally:
            os.close(descriptor)
