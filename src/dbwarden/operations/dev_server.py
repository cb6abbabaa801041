"""Run a PostgreSQL server for development; its databases persist."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread

from dbwarden.config.embedded import ADDRESS, address_of, is_listening, url_in
from dbwarden.config.model import EMBEDDED, DatabaseConfig
from dbwarden.errors import ConnectError, UsageError
from dbwarden.files.disk import open_private, write_private

_SOCKET_PATH_LIMIT = 100
_OUTSIDE = ADDRESS.with_name("dev-server-folder")
"""The file in the project that names the folder of a server outside of it."""

if TYPE_CHECKING:
    from dbwarden.dialects.postgresql.scratch.binaries import Runner


@dataclass(frozen=True, slots=True, kw_only=True)
class DevServer:
    """The state of the development server, and the URLs of its databases."""

    running: bool
    data: Path
    urls: tuple[str, ...] = ()


async def dev_server_start(root: Path, databases: Sequence[DatabaseConfig]) -> DevServer:
    """Start the server of the project at *root* and create missing databases.

    Only the current user (and root) can connect, through a socket in a private folder.

    Args:
        root: The project's root.
        databases: Each with ``dev_database_url="embedded"`` gets a database of its name.

    Raises:
        UsageError: PostgreSQL is not installed.
        ConnectError: The server did not start; contains the end of its log.
    """
    names = _names(databases)
    place = await anyio.to_thread.run_sync(_start, root)
    await _make_databases(place, names)
    return await anyio.to_thread.run_sync(_status, root, names)


async def dev_server_stop(root: Path, *, remove: bool = False) -> DevServer:
    """Stop the server; *remove* deletes its databases too."""
    return await anyio.to_thread.run_sync(_stop, root, remove)


async def dev_server_status(root: Path, databases: Sequence[DatabaseConfig]) -> DevServer:
    """Return the state of the server."""
    return await anyio.to_thread.run_sync(_status, root, _names(databases))


def _names(databases: Sequence[DatabaseConfig]) -> tuple[str, ...]:
    chosen = [item for item in databases if item.dev_database_url == EMBEDDED]
    return tuple(item.database_name for item in chosen)


@dataclass(frozen=True, slots=True)
class _Place:
    """The folders of one project's server."""

    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "log"


def _place(root: Path) -> _Place:
    """Return the folders where the server was started, or where it can run."""
    folder = address_of(root)
    return _Place(Path(folder)) if folder else _new_place(root)


def _new_place(root: Path) -> _Place:
    inside = _inside(root)
    return _Place(inside if _can_run_in(inside) else _outside(root) or inside)


def _inside(root: Path) -> Path:
    return root / ".dbwarden" / "postgresql"


def _can_run_in(inside: Path) -> bool:
    """Return whether a server can run in *inside*: the path is accessible and short."""
    # Under root, the server runs as another user, who needs access to every parent folder.
    reachable = os.geteuid() != 0 or all(
        not path.exists() or path.stat().st_mode & 0o001 for path in inside.parents
    )
    return reachable and len(str(inside)) < _SOCKET_PATH_LIMIT - len("/.s.PGSQL.5432")


def _outside(root: Path) -> Path | None:
    """Return the folder outside the project; ``None`` before it exists."""
    try:
        return Path(os.fsdecode((root / _OUTSIDE).read_bytes().strip()))
    except OSError:
        return None


def _make_outside(root: Path) -> None:
    """Create a folder with an unpredictable name, and record it in the project."""
    if (known := _outside(root)) is not None and os.path.lexists(known):
        return
    folder = tempfile.mkdtemp(prefix="dbwarden-", dir="/var/tmp")
    write_private(root / _OUTSIDE, os.fsencode(f"{folder}\n"))


def _start(root: Path) -> _Place:
    from dbwarden.authoring.schema_cache import prepared
    from dbwarden.dialects.postgresql.scratch.binaries import runner

    user = runner()
    prepared(root)
    with _exclusive(root):
        if not _can_run_in(_inside(root)):
            _make_outside(root)
        place = _place(root)
        if not is_listening(place.folder):
            _start_in(place, user)
            write_private(root / ADDRESS, os.fsencode(f"{place.folder}\n"))
    return place


@contextmanager
def _exclusive(root: Path) -> Generator[None]:
    """Wait for other processes that start this server."""
    import fcntl

    lock = open_private((root / ADDRESS).with_suffix(".lock"), os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _start_in(place: _Place, user: "Runner") -> None:
    from dbwarden.dialects.postgresql.scratch.binaries import find_binaries, readable_copy

    installed = find_binaries()
    place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    user.refuse_foreign(place.folder)
    place.folder.chmod(0o700)
    _forget_stale(place)
    user.chown(place.folder)
    copied = place.folder / installed.bindir.parent.parent.name
    shutil.rmtree(copied, ignore_errors=True)
    shutil.rmtree(copied.with_name(f"{copied.name}.libs"), ignore_errors=True)
    binaries = readable_copy(installed, user, place.folder)
    if not (place.data / "PG_VERSION").exists():
        options = "-U postgres --auth-local=trust --auth-host=reject -E UTF8 --locale=C"
        _run([str(binaries.program("initdb")), "-D", str(place.data), *options.split()], user)
    _run(_pg_ctl(binaries.program("pg_ctl"), place), user, log=place.log)


def _pg_ctl(program: Path, place: _Place) -> list[str]:
    options = (
        f"-c listen_addresses='' -c unix_socket_directories='{place.folder}' "
        "-c unix_socket_permissions=0700 -c port=5432"
    )
    return [
        *(str(program), "start", "-w", "-s", "-D", str(place.data)),
        *("-l", str(place.log), "-o", options),
    ]


def _run(command: list[str], user: object, log: Path | None = None) -> None:
    arguments = getattr(user, "arguments", {})
    environment = {name: text for name, text in os.environ.items() if not name.startswith("PG")}
    done = subprocess.run(
        command,
        env={**environment, "LC_ALL": "C", "TZ": "UTC"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # a pipe would stay open as long as the server runs
        stderr=subprocess.DEVNULL if log else subprocess.PIPE,
        text=True,
        **arguments,
    )
    if done.returncode != 0:
        message = log.read_text(errors="replace") if log and log.exists() else done.stderr or ""
        raise ConnectError(
            "the development server did not start",
            detail="\n".join(message.strip().splitlines()[-10:]),
            next_step="See its log, or start over: dbwarden dev-server stop --remove",
        )


async def _make_databases(place: _Place, names: Sequence[str]) -> None:
    import asyncpg

    from dbwarden.dialects.postgresql.sql.quoting import identifier

    raw = await asyncpg.connect(
        host=str(place.folder), port=5432, user="postgres", database="postgres"
    )
    try:
        there = {row["datname"] for row in await raw.fetch("SELECT datname FROM pg_database")}
        for name in names:
            if name not in there:
                # Another process may create it at the same time.
                with suppress(asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
                    await raw.execute(f"CREATE DATABASE {identifier(name)}")
    finally:
        raw.terminate()


def _forget_stale(place: _Place) -> None:
    """Remove the pid file of a dead server whose pid now belongs to another process.

    The server would refuse to start.
    """
    file = place.data / "postmaster.pid"
    try:
        pid = int(file.read_text().splitlines()[0])
        if "postgres" not in Path("/proc", str(pid), "comm").read_text():
            file.unlink()
    except (OSError, ValueError, IndexError):  # no such file or process, or no Linux
        pass


def _stop(root: Path, remove: bool) -> DevServer:
    from dbwarden.dialects.postgresql.scratch.binaries import find_binaries, readable_copy, runner

    place = _place(root)
    if is_listening(place.folder):
        user = runner()
        binaries = find_binaries()
        copied = (
            place.folder / binaries.bindir.parent.parent.name / binaries.bindir.parent.name / "bin"
        )
        program = copied / "pg_ctl" if copied.is_dir() else binaries.program("pg_ctl")
        if not user.can_run(program):
            program = readable_copy(binaries, user, place.folder).program("pg_ctl")
        _run([str(program), "stop", "-w", "-m", "fast", "-D", str(place.data)], user)
    (root / ADDRESS).unlink(missing_ok=True)
    if remove:
        shutil.rmtree(place.folder, ignore_errors=True)
        (root / _OUTSIDE).unlink(missing_ok=True)
    return DevServer(running=False, data=place.data)


def _status(root: Path, names: Sequence[str]) -> DevServer:
    place = _place(root)
    folder = address_of(root)
    if folder is None or not is_listening(folder):
        return DevServer(running=False, data=place.data)
    return DevServer(
        running=True, data=place.data, urls=tuple(url_in(folder, name) for name in names)
    )


def require_embedded(databases: Sequence[DatabaseConfig]) -> None:
    """Require a database that uses the server.

    Raises:
        UsageError: No database has ``dev_database_url="embedded"``.
    """
    if not _names(databases):
        raise UsageError(
            "no database of this project uses the development server",
            next_step=f"Set dev_database_url={EMBEDDED!r} in a database_config.",
        )
