"""Data folders as initdb makes them, kept as archives: to unpack one takes a tenth of the time.

Only for throw-away servers: those that are made from one archive have the same system identifier.
What is not there, not ours alone or not whole counts for nothing: initdb makes a folder as ever.
"""

import os
import shutil
import stat
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from dbwarden.dialects.postgresql.scratch.binaries import Binaries, Runner

KEPT = 3
"""How many archives are kept, of 40 MB each; the oldest go first."""

_PATTERN = "initdb-*.tar"
_WHOLE = ("PG_VERSION", "global/pg_control", "base/1/PG_VERSION")


def cache_folder() -> Path | None:
    """This user's folder for what can be made anew, as of the XDG Base Directory Specification."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    home = os.path.expanduser("~")
    folder = named if os.path.isabs(named) else os.path.join(home, ".cache")
    return Path(folder) / "dbwarden" if os.path.isabs(folder) else None


def archive_of(binaries: Binaries, options: Sequence[str]) -> Path | None:
    """Where the folder that *binaries* make with these *options* is kept, or would be."""
    folder = cache_folder()
    if folder is None or shutil.which("tar") is None:
        return None
    made_by = binaries.program("initdb").stat()
    parts = (binaries.version, str(binaries.bindir), str(made_by.st_mtime_ns), *options)
    digest = sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return folder / f"initdb-{binaries.version}-{digest}.tar"


def unpack(archive: Path, data: Path, runner: Runner) -> bool:
    """Make the folder *data* from *archive*; whether that could be done."""
    try:
        if not (_ours_alone(archive) and _ours_alone(archive.parent)):
            return False
        data.mkdir(mode=0o700)
        runner.chown(data)
        with archive.open("rb") as kept:
            command = ["tar", "-x", "-f", "-", "-C", str(data)]
            unpacked = subprocess.run(command, stdin=kept, capture_output=True, **runner.arguments)
        whole = unpacked.returncode == 0 and all((data / name).is_file() for name in _WHOLE)
        os.utime(archive)
    except OSError:
        whole = False
    if not whole:
        shutil.rmtree(data, ignore_errors=True)
    return whole


def keep(data: Path, archive: Path) -> None:
    """Keep the folder *data*, on which no server has run yet, as *archive*."""
    import fcntl  # Windows has none, and must get as far as an error that says so

    draft = archive.with_name(f".{archive.name}.{os.getpid()}")
    try:
        there = next(folder for folder in archive.parents if folder.exists())
        if not _ours_alone(there):
            return  # root in the home of somebody else leaves nothing there
        archive.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _forget_drafts(archive.parent)
        with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as written:
            fcntl.flock(written, fcntl.LOCK_EX)
            command = ["tar", "-c", "-f", "-", "-C", str(data), "."]
            packed = subprocess.run(command, stdout=written, stderr=subprocess.DEVNULL, check=False)
        if packed.returncode == 0:
            draft.replace(archive)
            _forget_oldest(archive.parent)
    except OSError:  # a home that cannot be written keeps nothing
        pass
    with suppress(OSError):
        draft.unlink(missing_ok=True)


def _ours_alone(path: Path) -> bool:
    """Whether nobody else can have written *path*: a server would run what its folder says."""
    found = path.lstat()
    return (
        found.st_uid == os.geteuid()
        and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        and not stat.S_ISLNK(found.st_mode)
    )


def _forget_drafts(folder: Path) -> None:
    """Remove the drafts of processes that were killed: no process holds their lock."""
    import fcntl

    for draft in folder.glob(f".{_PATTERN}.*"):
        with suppress(OSError), draft.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            draft.unlink()


def _forget_oldest(folder: Path) -> None:
    kept = sorted(folder.glob(_PATTERN), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in kept[KEPT:]:
        path.unlink(missing_ok=True)
