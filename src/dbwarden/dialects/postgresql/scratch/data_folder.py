"""Create a server's data folder, and find and stop the server that runs on it. Blocking.

The data folders of initdb for temporary servers are cached as archives, which unpack in a tenth of
the time. This is for temporary servers only, because servers from one archive share their system
identifier. An archive that is missing, incomplete or writable by others is ignored.
"""

import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from platformdirs import user_cache_path

from dbwarden.dialects.postgresql.scratch.binaries import Binaries, ServerUser
from dbwarden.errors import ConnectError, UsageError
from dbwarden.files.disk import keep_newest
from dbwarden.files.locks import try_lock, wait_for_lock

STOPPED_WITHIN = 10.0
"""Seconds to wait for a graceful shutdown before the server is killed."""

_OPTIONS = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-instructions")


ARCHIVES = 3
"""Number of cached archives of 40 MB each; the oldest are deleted first."""

_PATTERN = "initdb-*.tar"
_WHOLE = ("PG_VERSION", "global/pg_control", "base/1/PG_VERSION")


def make_data(
    data: Path, binaries: Binaries, runner: ServerUser, *, cache_of: Binaries | None
) -> None:
    """Create the data folder of a new server; it does not exist or is empty.

    *cache_of* is the installation whose data folders are cached, if the data need not survive a
    crash.

    Raises:
        ConnectError: initdb failed.
    """
    if cache_of is None:
        data.mkdir(parents=True, exist_ok=True)
        runner.chown(data)
        _initdb(data, binaries, runner, _OPTIONS)
        return
    options = (*_OPTIONS, "--no-sync")
    archive = _archive_of(cache_of, options)
    if archive is not None and _unpack(archive, data, runner):
        return
    _initdb(data, binaries, runner, options)
    if archive is not None:
        _keep(data, archive)


def _initdb(data: Path, binaries: Binaries, runner: ServerUser, options: Sequence[str]) -> None:
    process = subprocess.run(
        [str(binaries.program("initdb")), "-D", str(data), *options],
        env=server_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        **runner.arguments,
    )
    if process.returncode != 0:
        raise ConnectError(
            f"initdb could not make a PostgreSQL data folder in {data}",
            detail=process.stderr.strip(),
        )


def _archive_of(binaries: Binaries, options: Sequence[str]) -> Path | None:
    """Return the path of the archive for *binaries* with these initdb *options*."""
    folder = user_cache_path("dbwarden", appauthor=False)
    if not folder.is_absolute() or shutil.which("tar") is None:
        return None
    made_by = binaries.program("initdb").stat()
    parts = (binaries.version, str(binaries.bindir), str(made_by.st_mtime_ns), *options)
    digest = sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return folder / f"initdb-{binaries.version}-{digest}.tar"


def _unpack(archive: Path, data: Path, runner: ServerUser) -> bool:
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


def _keep(data: Path, archive: Path) -> None:
    """Save the folder *data*, on which no server has run yet, as *archive*."""
    draft = archive.with_name(f".{archive.name}.{os.getpid()}")
    try:
        nearest_folder = next(folder for folder in archive.parents if folder.exists())
        if not _is_private(nearest_folder):
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


def server_environment() -> Mapping[str, str]:
    """Return our environment with a fixed locale and time zone, and without PG variables."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))
    }
    return {**inherited, "LC_ALL": "C", "TZ": "UTC"}


def check_data(data: Path, binaries: Binaries) -> None:
    """Require that *binaries* can run on an existing data folder.

    Raises:
        UsageError: The folder has another version, or a server runs on it.
    """
    made_by = (data / "PG_VERSION").read_text().strip()
    if made_by != str(binaries.major):
        raise UsageError(
            f"{data} was made by PostgreSQL {made_by}, but the server here is {binaries.version}",
            next_step="Remove the folder, or set DBWARDEN_POSTGRES_BIN to that version.",
        )
    if (running := server_pid(data)) is not None:
        raise UsageError(f"a server already runs on {data} (pid {running})")


def is_ready(data: Path) -> bool:
    """Return whether the server on *data* accepts connections."""
    lines = _lines(data / "postmaster.pid")
    return len(lines) >= 8 and lines[7].strip() == "ready"


def server_pid(data: Path) -> int | None:
    """Return the process number of the server that runs on *data*, if any.

    After a crash the file may name another process, because process numbers are reused.
    """
    lines = _lines(data / "postmaster.pid")
    pid = int(lines[0]) if lines and lines[0].isdigit() else None
    if pid is None or not signal_process(pid, 0):
        return None
    known = _lines(Path("/proc", str(pid), "comm"))  # nothing on macOS
    return pid if not known or "postgres" in known[0] else None


def stop_server(data: Path) -> None:
    """Stop the server that runs on *data*, first gracefully and then immediately.

    Raises:
        ConnectError: It does not end, for example because it belongs to another user.
    """
    pid = server_pid(data)
    for number in (signal.SIGINT, signal.SIGQUIT):
        deadline = time.monotonic() + STOPPED_WITHIN
        if pid is not None:
            signal_process(pid, number)
        while time.monotonic() < deadline:
            if server_pid(data) is None:
                return
            time.sleep(0.01)
    raise ConnectError(
        f"the server on {data} does not stop (pid {pid})",
        next_step=f"End it as the user that started it: kill -QUIT {pid}",
    )


def signal_process(pid: int, number: int) -> bool:
    """Send signal *number* to process *pid*; return whether the process exists."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # it exists and belongs to another user
        return True
    return True


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
