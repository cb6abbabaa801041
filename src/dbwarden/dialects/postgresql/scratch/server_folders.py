"""Create and clean up the temporary folders of embedded servers.

The owner of a folder holds a lock on a file in it. The system releases the lock when the owner
ends for any reason, so that other processes can tell an abandoned folder from one in use. A process
number could not do this across containers that share the folder.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dbwarden.dialects.postgresql.scratch.binaries import ServerUser
from dbwarden.errors import DBWardenError
from dbwarden.files.disk import open_private
from dbwarden.files.locks import try_lock, wait_for_lock

PREFIX = "dbwarden-postgresql-"
_OWNER = "owner"

MEMORY = Path("/dev/shm")
"""The folder for files in memory on Linux."""

ROOM = 4 * 1024**3
"""Bytes that must be free in memory; a scratch server of 1,000 tables takes a quarter of that."""


def open_folder() -> Path:
    """Return a folder for temporary files; if we are root, one that other users can enter."""
    for candidate in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        path = Path(candidate).resolve()
        if os.geteuid() != 0 or all(p.stat().st_mode & 0o001 for p in (path, *path.parents)):
            return path
    raise DBWardenError("there is no folder for temporary files that other users can enter")


def memory_folder() -> Path | None:
    """Return a folder in memory for a server's files; ``None`` if missing, closed or too small.

    A schema is thousands of small files, which memory creates and copies several times faster. A
    folder for temporary files in the environment takes precedence.
    """
    if any(os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP")):
        return None
    try:
        status = os.statvfs(MEMORY)
        free = min(status.f_bavail * status.f_frsize, *_free_memory())
        enterable = MEMORY.stat().st_mode & 0o003 == 0o003
    except (OSError, ValueError, KeyError, AttributeError):  # no such folder, or not Linux
        return None
    # Root may have to copy the server's programs there and start them.
    startable = not status.f_flag & os.ST_NOEXEC
    return MEMORY if free >= ROOM and enterable and startable else None


def _free_memory() -> Iterator[int]:
    """Yield the free bytes of memory of this machine, and of this container."""
    known = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    yield int(known["MemAvailable"].split()[0]) * 1024
    group = Path("/sys/fs/cgroup")
    limit = group / "memory.max"
    if limit.exists() and (most := limit.read_text().strip()) != "max":
        yield int(most) - int((group / "memory.current").read_text())


def claim(folder: Path) -> int:
    """Mark *folder* as ours until the returned file descriptor is closed."""
    descriptor = open_private(folder / _OWNER, os.O_CREAT | os.O_RDWR)
    wait_for_lock(descriptor)
    return descriptor


def make_private(folder: Path, runner: ServerUser) -> None:
    """Create *folder* for *runner*, who alone can enter it; one of another user is refused."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    runner.refuse_foreign(folder)
    folder.chmod(0o700)
    runner.chown(folder)


def owned_folder(parent: Path) -> tuple[Path, int]:
    """Create a folder in *parent*, and return it with the file descriptor of its lock."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        try:
            owner = claim(folder)
        except FileNotFoundError:  # another process removed it before we locked it
            continue
        if os.fstat(owner).st_nlink:
            return folder, owner
        os.close(owner)


def sweep(parent: Path) -> None:
    """Remove the folders in *parent* whose owners have ended. Never raises.

    They hold data only, because a server ends with its owner. A folder without an owner's file is
    being created, or its removal was interrupted. The first process that locks the file owns the
    folder; see ``owned_folder``.
    """
    for folder in parent.glob(f"{PREFIX}*"):
        try:
            descriptor = _owner_of(folder)
        except OSError:  # owned by another user, or removed
            continue
        try:
            if try_lock(descriptor) and os.fstat(descriptor).st_nlink:
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue
        finally:
            os.close(descriptor)


def _owner_of(folder: Path) -> int:
    """Open the owner's file of *folder*, or create it; follow no link."""
    inside = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        return os.open(_OWNER, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600, dir_fd=inside)
    finally:
        os.close(inside)
