"""Take the migration lock of an SQLite database: a lock of the operating system on a file.

The file ``<database>.dbwarden-lock`` exists while a migrator holds the lock, and names the holder.
A killed migrator leaves the file behind, but not the lock.

The holder unlinks the file before it releases the lock. So a migrator that gets the lock compares
its open file with the one that has the name now, and starts over if they differ.

On network file systems the lock is as reliable as their ``flock``: NFS and SMB mounts on Linux
pass it to the server, some others keep it on one host. SQLite's own locks have the same limits.
"""

import contextlib
import json
import os
import signal
import socket
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.sqlite.migrate.statement_errors import lock_failed
from dbwarden.dialects.sqlite.migrate.threads import run_uninterrupted
from dbwarden.dialects.waiting import backoff, wait_for_migrator
from dbwarden.files.disk import open_private
from dbwarden.files.locks import try_lock, unlock
from dbwarden.migration_history import LockHolder

SUFFIX = ".dbwarden-lock"

FIRST_PAUSE, LONGEST_PAUSE = 0.001, 0.05
"""Seconds before the second, and between later tries to take this lock or one of SQLite's own."""

_SHOWN = 300
"""The number of characters of a statement that the lock file shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderMark:
    """The content of the lock file, which describes the holder.

    ``born`` is the kernel's start time of that process, if available, because process numbers are
    reused and differ between containers.
    """

    pid: int
    born: str | None
    host: str
    application: str
    since: datetime
    statement: str | None = None

    def encode(self) -> bytes:
        """Encode the mark as one line of JSON."""
        return json.dumps({**asdict(self), "since": self.since.isoformat()}).encode() + b"\n"

    @staticmethod
    def decode(text: bytes) -> "HolderMark | None":
        """Decode the mark in *text*; ``None`` if it was read while it was written."""
        try:
            fields: dict[str, Any] = json.loads(text)
            return HolderMark(**{**fields, "since": datetime.fromisoformat(fields["since"])})
        except (ValueError, KeyError, TypeError):
            return None


class LockFile:
    """The lock of one database. Its methods block for microseconds."""

    def __init__(self, database: Path, application: str) -> None:
        self._database = database
        self._application = application
        self._descriptor: int | None = None
        self._mark: HolderMark | None = None

    @cached_property
    def path(self) -> Path:
        """The lock file, in the folder of the database after resolving links."""
        real = Path(os.path.realpath(self._database))
        return real.with_name(real.name + SUFFIX)

    @property
    def held(self) -> bool:
        """True if this object holds the lock."""
        return self._descriptor is not None

    def take(self) -> bool:
        """Try once to take the lock; return whether it is held now.

        Raises:
            OSError: The file cannot be created, or is a link to another.
        """
        descriptor = open_private(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if try_lock(descriptor) and has_name(descriptor, self.path):
                self._descriptor, descriptor = descriptor, -1
        finally:
            if descriptor >= 0:
                os.close(descriptor)
        if self._descriptor is None:
            return False
        pid = os.getpid()
        self._mark = HolderMark(
            pid=pid,
            born=born(pid),
            host=socket.gethostname(),
            application=self._application,
            since=datetime.now(UTC),
        )
        self._write(self._mark)
        return True

    def write_statement(self, statement: str | None) -> None:
        """Write the running statement into the lock file."""
        if self._mark is not None:
            shown = statement[:_SHOWN] if statement else None
            self._write(replace(self._mark, statement=shown))

    def _write(self, mark: HolderMark) -> None:
        """Write *mark*, ignoring a full disk because the lock holds without it."""
        assert self._descriptor is not None
        text = mark.encode()
        with contextlib.suppress(OSError):
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.write(self._descriptor, text)
            os.truncate(self._descriptor, len(text))

    def release(self) -> None:
        """Release the lock if it is held, and remove the file."""
        descriptor, self._descriptor, self._mark = self._descriptor, None, None
        if descriptor is None:
            return
        try:
            with contextlib.suppress(OSError):  # Windows does not unlink open files
                os.unlink(self.path)
            unlock(descriptor)
        finally:
            os.close(descriptor)

    def holder(self) -> LockHolder | None:
        """Return the current holder of the lock, or ``None``."""
        held, mark = self._read_state()
        if not held:
            return None
        if mark is None:
            return LockHolder(pid=None)
        return LockHolder(
            pid=mark.pid,
            application=mark.application,
            host=mark.host,
            since=mark.since,
            statement=mark.statement,
        )

    def terminate(self, holder: LockHolder, *, within: float) -> bool:
        """Terminate *holder* if it is on this host and holds the lock; return whether it ended.

        Args:
            holder: The holder as it was read.
            within: Seconds to wait until the lock is free.
        """
        held, mark = self._read_state()
        if not held or mark is None or (mark.pid, mark.since) != (holder.pid, holder.since):
            return False
        is_here = mark.host == socket.gethostname() and mark.born == born(mark.pid)
        if not is_here or mark.pid == os.getpid():
            return False
        try:
            os.kill(mark.pid, signal.SIGTERM)
        except OSError:
            return False
        end = time.monotonic() + within
        while time.monotonic() <= end:
            held, now = self._read_state()
            if not held or (now is not None and now.since != mark.since):
                return True
            time.sleep(0.01)
        return False

    def _read_state(self) -> tuple[bool, HolderMark | None]:
        """Return whether the lock is held, and its mark if it can be read."""
        try:
            descriptor = open_private(self.path, os.O_RDONLY)
        except OSError:
            return False, None
        try:
            if try_lock(descriptor, shared=True):
                unlock(descriptor)
                return False, None
            for _ in range(5):
                mark = HolderMark.decode(_read(descriptor))
                if mark is not None:
                    return True, mark
                time.sleep(0.002)
            return True, None
        finally:
            os.close(descriptor)


async def wait_for_lock(lock: LockFile, config: DatabaseConfig) -> None:
    """Take *lock*, the migration lock of the database of *config*.

    Raises:
        MigratorBusy: Another migrator held it for ``migration_lock_timeout``; names it.
        DBWardenError: The lock file cannot be created.
    """

    async def take() -> bool:
        try:
            return await run_uninterrupted(lock.take)
        except OSError as error:
            raise lock_failed(config.database_name, lock.path, error) from error

    await wait_for_migrator(
        config,
        take,
        partial(run_uninterrupted, lock.holder),
        partial(backoff, first=FIRST_PAUSE, longest=LONGEST_PAUSE),
    )


def _read(descriptor: int) -> bytes:
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.read(descriptor, 8192)


def has_name(descriptor: int, path: Path) -> bool:
    """Return whether *path* still names the open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def born(pid: int) -> str | None:
    """Return the kernel's start time of process *pid* in ticks; ``None`` if unavailable."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    return stat.rpartition(b")")[2].split()[19].decode()
