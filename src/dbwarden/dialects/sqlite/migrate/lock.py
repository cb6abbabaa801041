"""The migration lock of an SQLite database: an operating system's lock on a file beside it.

The file ``<database>.dbwarden-lock`` exists while a migrator holds the lock (and after one was
killed, which is harmless: the lock itself died with its process). It says who holds it. The lock
is taken with ``flock``, so two connections exclude each other within one process too, and the
kernel frees it when the process dies in any way.

Who lets go unlinks the file first. So whoever gets the lock compares the file it opened with the
one that has the name now, and begins again when they differ.

On network file systems it is as good as their ``flock``: NFS and SMB mounts on Linux pass it to
the server, some others keep it to one machine. SQLite's own locks have the same limits there.
"""

import contextlib
import json
import os
import signal
import socket
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from dbwarden.files.disk import open_private
from dbwarden.history import LockHolder

SUFFIX = ".dbwarden-lock"

_SHOWN = 300
"""Characters of a statement that the lock file tells; enough to recognise it."""

if sys.platform == "win32":  # pragma: no cover - our machines run Linux
    import msvcrt

    _FAR = 1 << 30
    """Windows locks bytes and refuses to read locked ones, so the locked byte is far behind."""

    def _try_lock(descriptor: int, *, shared: bool) -> bool:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(descriptor: int, *, shared: bool) -> bool:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What the lock file says of its holder.

    ``born`` is the kernel's start time of that process where there is one to read: process
    numbers are used again, and mean something else in another container.
    """

    pid: int
    born: str | None
    host: str
    application: str
    since: datetime
    statement: str | None = None

    def encode(self) -> bytes:
        """One line of JSON."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps({**fields, "since": self.since.isoformat()}).encode() + b"\n"

    @staticmethod
    def decode(text: bytes) -> "Mark | None":
        """The mark in *text*, or ``None`` where it was read while it was written."""
        try:
            fields: dict[str, Any] = json.loads(text)
            return Mark(**{**fields, "since": datetime.fromisoformat(fields["since"])})
        except (ValueError, KeyError, TypeError):
            return None

    @property
    def holder(self) -> LockHolder:
        """As the rest of dbwarden shows it."""
        return LockHolder(
            pid=self.pid,
            application=self.application,
            host=self.host,
            since=self.since,
            statement=self.statement,
        )


class LockFile:
    """The lock of one database, held or not. Blocking, each call for microseconds."""

    def __init__(self, database: Path, application: str) -> None:
        self._database = database
        self._application = application
        self._descriptor: int | None = None
        self._mark: Mark | None = None

    @cached_property
    def path(self) -> Path:
        """The lock file: beside the database itself, whatever link leads to it."""
        real = Path(os.path.realpath(self._database))
        return real.with_name(real.name + SUFFIX)

    @property
    def held(self) -> bool:
        """Whether it is held through this object."""
        return self._descriptor is not None

    def take(self) -> bool:
        """Try once to get the lock; whether it is held now.

        Raises:
            OSError: The file cannot be made, or is a link to another.
        """
        descriptor = open_private(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if _try_lock(descriptor, shared=False) and has_name(descriptor, self.path):
                self._descriptor, descriptor = descriptor, -1
        finally:
            if descriptor >= 0:
                os.close(descriptor)
        if self._descriptor is None:
            return False
        self._mark = _new_mark(self._application)
        self._write(self._mark)
        return True

    def write_statement(self, statement: str | None) -> None:
        """Tell whoever asks what runs now."""
        if self._mark is not None:
            shown = statement[:_SHOWN] if statement else None
            fields = {name: getattr(self._mark, name) for name in Mark.__slots__}
            self._write(Mark(**{**fields, "statement": shown}))

    def _write(self, mark: Mark) -> None:
        """The lock holds without its words, so a full disk is no reason to fail here."""
        assert self._descriptor is not None
        text = mark.encode()
        with contextlib.suppress(OSError):
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.write(self._descriptor, text)
            os.truncate(self._descriptor, len(text))

    def release(self) -> None:
        """Let go, if it is held, and leave nothing behind."""
        descriptor, self._descriptor, self._mark = self._descriptor, None, None
        if descriptor is None:
            return
        try:
            with contextlib.suppress(OSError):  # Windows does not unlink open files
                os.unlink(self.path)
            _unlock(descriptor)
        finally:
            os.close(descriptor)

    def holder(self) -> LockHolder | None:
        """Who holds the lock now, or ``None``; takes it from nobody."""
        held, mark = self._read_state()
        if not held:
            return None
        return mark.holder if mark is not None else LockHolder(pid=None)

    def terminate(self, holder: LockHolder, *, within: float) -> bool:
        """End the process of *holder*, if it is on this machine and holds the lock; say whether.

        Args:
            holder: Who was seen to hold it.
            within: Seconds to wait for the lock to be free afterwards.
        """
        held, mark = self._read_state()
        if not held or mark is None or not _may_terminate(mark, holder):
            return False
        try:
            os.kill(mark.pid, signal.SIGTERM)
        except OSError:
            return False
        end = time.monotonic() + within
        while self._still_held(mark):
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    def _still_held(self, mark: Mark) -> bool:
        held, now = self._read_state()
        return held and (now is None or now.since == mark.since)

    def _read_state(self) -> tuple[bool, Mark | None]:
        """Whether it is held, and by whom if that can be read."""
        try:
            descriptor = open_private(self.path, os.O_RDONLY)
        except OSError:
            return False, None
        try:
            if _try_lock(descriptor, shared=True):
                _unlock(descriptor)
                return False, None
            for _ in range(5):
                mark = Mark.decode(_read(descriptor))
                if mark is not None:
                    return True, mark
                time.sleep(0.002)
            return True, None
        finally:
            os.close(descriptor)


def _read(descriptor: int) -> bytes:
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.read(descriptor, 8192)


def has_name(descriptor: int, path: Path) -> bool:
    """Whether *path* still names the open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def _may_terminate(mark: Mark, holder: LockHolder) -> bool:
    """Whether *mark* is the holder that was meant, on this machine, and another process."""
    return (
        (mark.pid, mark.since) == (holder.pid, holder.since)
        and mark.host == socket.gethostname()
        and mark.pid != os.getpid()
        and mark.born == born(mark.pid)
    )


def born(pid: int) -> str | None:
    """When the kernel says that process *pid* began, in its own ticks; ``None`` if it can't."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    return stat.rpartition(b")")[2].split()[19].decode()


def _new_mark(application: str) -> Mark:
    pid = os.getpid()
    return Mark(
        pid=pid,
        born=born(pid),
        host=socket.gethostname(),
        application=application,
        since=datetime.now(UTC),
    )
