"""Create a server's data folder, and find and stop the server that runs on it. Blocking."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from dbwarden.dialects.postgresql.scratch import data_folder_cache as template
from dbwarden.dialects.postgresql.scratch.binaries import Binaries, Runner
from dbwarden.errors import ConnectError, UsageError

STOPPED_WITHIN = 10.0
"""Seconds to wait for a graceful shutdown before the server is killed."""

_OPTIONS = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-instructions")


def make_data(data: Path, binaries: Binaries, runner: Runner, *, cache_of: Binaries | None) -> None:
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
    archive = template.archive_of(cache_of, options)
    if archive is not None and template.unpack(archive, data, runner):
        return
    _initdb(data, binaries, runner, options)
    if archive is not None:
        template.keep(data, archive)


def _initdb(data: Path, binaries: Binaries, runner: Runner, options: Sequence[str]) -> None:
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
