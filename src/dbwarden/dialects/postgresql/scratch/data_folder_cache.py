"""Cache the data folders of initdb as archives, which unpack in a tenth of the time.

This is for temporary servers only, because servers from one archive share their system identifier.
An archive that is missing, incomplete or writable by others is ignored, and initdb runs.
"""

import os
import shutil
import stat
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from platformdirs import user_cache_path

from dbwarden.dialects.postgresql.scratch.binaries import Binaries, Runner
from dbwarden.files.disk import keep_newest
from dbwarden.files.locks import try_lock, wait_for_lock

ARCHIVES = 3
"""Number of cached archives of 40 MB each; the oldest are deleted first."""

_PATTERN = "initdb-*.tar"
_WHOLE = ("PG_VERSION", "global/pg_control", "base/1/PG_VERSION")


def archive_of(binaries: Binaries, options: Sequence[str]) -> Path | None:
    """Return the path of the archive for *binaries* with these initdb *options*."""
    folder = user_cache_path("dbwarden", appauthor=False)
    if not folder.is_absolute() or shutil.which("tar") is None:
        return None
    made_by = binaries.program("initdb").stat()
    parts = (binaries.version, str(binaries.bindir), str(made_by.st_mtime_ns), *options)
    digest = sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return folder / f"initdb-{binaries.version}-{digest}.tar"


def unpack(archive: Path, data: Path, runner: Runner) -> bool:
    """Create the folder *data* from *archive*, and return whether this succeeded."""
    try:
        if not (_is_private(archive) and _is_private(archive.parent)):
            return False
        data.mkdir(mode=0o700)
        runner.chown(data)
        with archive.open("rb") as file:
            command = ["tar", "-x", "-f", "-", "-C", str(data)]
            unpacked = subprocess.run(command, stdin=file, capture_output=True, **runner.arguments)
        whole = unpacked.returncode == 0 and all((data / name).is_file() for name in _WHOLE)
        os.utime(archive)
    except OSError:
        whole = False
    if not whole:
        shutil.rmtree(data, ignore_errors=True)
    return whole


def keep(data: Path, archive: Path) -> None:
    """Save the folder *data*, on which no server has run yet, as *archive*."""
    draft = archive.with_name(f".{archive.name}.{os.getpid()}")
    try:
        there = next(folder for folder in archive.parents if folder.exists())
        if not _is_private(there):
            return  # root writes nothing into another user's home
        archive.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _forget_drafts(archive.parent)
        with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as written:
            wait_for_lock(written.fileno())
            command = ["tar", "-c", "-f", "-", "-C", str(data), "."]
            packed = subprocess.run(command, stdout=written, stderr=subprocess.DEVNULL, check=False)
        if packed.returncode == 0:
            draft.replace(archive)
            keep_newest(archive.parent, _PATTERN, ARCHIVES)
    except OSError:  # the home is not writable
        pass
    with suppress(OSError):
        draft.unlink(missing_ok=True)


def _is_private(path: Path) -> bool:
    """Return whether only we can write *path*. A server would trust its contents."""
    status = path.lstat()
    return (
        status.st_uid == os.geteuid()
        and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        and not stat.S_ISLNK(status.st_mode)
    )


def _forget_drafts(folder: Path) -> None:
    """Remove the drafts of killed processes, whose locks are free."""
    for draft in folder.glob(f".{_PATTERN}.*"):
        with suppress(OSError), draft.open("rb") as file:
            if try_lock(file.fileno()):
                draft.unlink()
