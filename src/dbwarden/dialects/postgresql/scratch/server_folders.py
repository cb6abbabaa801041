"""The temporary folders of embedded servers: where they can be, and whose they are.

Their owner holds a lock on a file in each. The system lets go of it when the owner ends, however
that happens, so that whoever comes next can tell a forgotten folder from one in use; a process
number could not tell that across containers that share the folder.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dbwarden.errors import DBWardenError
from dbwarden.files.disk import open_private

PREFIX = "dbwarden-postgresql-"
_OWNER = "owner"

MEMORY = Path("/dev/shm")
"""Where Linux keeps files in memory."""

ROOM = 4 * 1024**3
"""Bytes that must be free in memory; a scratch server of 1,000 tables takes a quarter of that."""


def open_folder() -> Path:
    """A folder for temporary files that other users can enter, when we are root."""
    for candidate in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        path = Path(candidate).resolve()
        if os.geteuid() != 0 or all(p.stat().st_mode & 0o001 for p in (path, *path.parents)):
            return path
    raise DBWardenError("there is no folder for temporary files that other users can enter")


def memory_folder() -> Path | None:
    """A folder in memory for a server's files; ``None`` where it is missing, closed or too small.

    A schema is thousands of small files: there they are made and copied several times faster. Who
    names a folder for temporary files in the environment gets that one.
    """
    if any(os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP")):
        return None
    try:
        found = os.statvfs(MEMORY)
        free = min(found.f_bavail * found.f_frsize, *_free_memory())
        enterable = MEMORY.stat().st_mode & 0o003 == 0o003
    except (OSError, ValueError, KeyError, AttributeError):  # no such folder, or no such system
        return None
    # Root may have to copy the server's programs there, and start them.
    startable = not found.f_flag & os.ST_NOEXEC
    return MEMORY if free >= ROOM and enterable and startable else None


def _free_memory() -> Iterator[int]:
    """Bytes of memory that this machine, and this container, has left."""
    known = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    yield int(known["MemAvailable"].split()[0]) * 1024
    group = Path("/sys/fs/cgroup")
    limit = group / "memory.max"
    if limit.exists() and (most := limit.read_text().strip()) != "max":
        yield int(most) - int((group / "memory.current").read_text())


def claim(folder: Path) -> int:
    """Mark *folder* as ours until the returned file descriptor is closed."""
    import fcntl  # here and below: Windows has none, and must come as far as to be told so

    descriptor = open_private(folder / _OWNER, os.O_CREAT | os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def owned_folder(parent: Path) -> tuple[Path, int]:
    """A new folder in *parent*, and the file descriptor that says that it is ours."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        try:
            owner = claim(folder)
        except FileNotFoundError:  # another process swept it up before we had locked it
            continue
        if os.fstat(owner).st_nlink:
            return folder, owner
        os.close(owner)


def sweep(parent: Path) -> None:
    """Remove the folders in *parent* whose owners are gone. Never raises.

    What is left there is data only: a server ends with its owner by itself. A folder without an
    owner's file is being created at this moment, or its removal was interrupted. Whoever locks the
    file first has the folder: see ``owned_folder``.
    """
    import fcntl

    for folder in parent.glob(f"{PREFIX}*"):
        try:
            descriptor = _owner_of(folder)
        except OSError:  # another user's, or gone
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_nlink:
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue
        finally:
            os.close(descriptor)


def _owner_of(folder: Path) -> int:
    """Open the owner's file of *folder*, made if it is missing; no link is followed."""
    inside = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        return os.open(_OWNER, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600, dir_fd=inside)
    finally:
        os.close(inside)
