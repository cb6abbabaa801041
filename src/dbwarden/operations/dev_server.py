"""Run a PostgreSQL server for development; its databases persist."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.config.embedded import ADDRESS, address_of, is_listening, url_in
from dbwarden.config.option import EMBEDDED
from dbwarden.errors import UsageError
from dbwarden.files.disk import open_private, write_private
from dbwarden.files.locks import wait_for_lock

_SOCKET_PATH_LIMIT = 100
_OUTSIDE = ADDRESS.with_name("dev-server-folder")
"""The file in the project that names the folder of a server outside of it."""


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
        databases: Each whose ``database_url`` or ``dev_database_url`` is ``"embedded"`` gets a
            database of its name.

    Raises:
        UsageError: PostgreSQL is not installed.
        ConnectError: The server did not start; contains the end of its log.
    """
    names = _names(databases)
    folder = await anyio.to_thread.run_sync(_start, root)
    await _make_databases(folder, names)
    return await anyio.to_thread.run_sync(_status, root, names)


async def dev_server_stop(root: Path, *, remove: bool = False) -> DevServer:
    """Stop the server; *remove* deletes its databases too."""
    return await anyio.to_thread.run_sync(_stop, root, remove)


async def dev_server_status(root: Path, databases: Sequence[DatabaseConfig]) -> DevServer:
    """Return the state of the server."""
    return await anyio.to_thread.run_sync(_status, root, _names(databases))


def _names(databases: Sequence[DatabaseConfig]) -> tuple[str, ...]:
    return tuple(item.database_name for item in databases if item.is_embedded)


def _folder_of(root: Path) -> Path:
    """Return the folder where the server was started, or where it can run."""
    if (started := address_of(root)) is not None:
        return Path(started)
    inside = _inside(root)
    return inside if _can_run_in(inside) else _outside(root) or inside


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


def _start(root: Path) -> Path:
    from dbwarden.authoring.schema_cache import prepared
    from dbwarden.dialects.postgresql.scratch.binaries import runner
    from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer

    runner()  # refuses Windows and a root without an unprivileged user
    prepared(root)
    lock = open_private((root / ADDRESS).with_suffix(".lock"), os.O_CREAT | os.O_RDWR)
    try:
        wait_for_lock(lock)  # of another process that starts this server
        if not _can_run_in(_inside(root)):
            _make_outside(root)
        folder = _folder_of(root)
        if not is_listening(folder):
            EmbeddedServer(folder=folder).start()
            write_private(root / ADDRESS, os.fsencode(f"{folder}\n"))
    finally:
        os.close(lock)
    return folder


async def _make_databases(folder: Path, names: Sequence[str]) -> None:
    import asyncpg

    from dbwarden.quoting import quoted

    raw = await asyncpg.connect(host=str(folder), port=5432, user="postgres", database="postgres")
    try:
        there = {row["datname"] for row in await raw.fetch("SELECT datname FROM pg_database")}
        for name in names:
            if name not in there:
                # Another process may create it at the same time.
                with suppress(asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
                    await raw.execute(f"CREATE DATABASE {quoted(name)}")
    finally:
        raw.terminate()


def _stop(root: Path, remove: bool) -> DevServer:
    from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer

    folder = _folder_of(root)
    server = EmbeddedServer(folder=folder)
    server.stop()
    (root / ADDRESS).unlink(missing_ok=True)
    if remove:
        shutil.rmtree(folder, ignore_errors=True)
        (root / _OUTSIDE).unlink(missing_ok=True)
    return DevServer(running=False, data=server.data)


def _status(root: Path, names: Sequence[str]) -> DevServer:
    folder = _folder_of(root)
    running = address_of(root) is not None and is_listening(folder)
    urls = tuple(url_in(str(folder), name) for name in names) if running else ()
    return DevServer(running=running, data=folder / "data", urls=urls)


def require_embedded(databases: Sequence[DatabaseConfig]) -> None:
    """Require a database that uses the server.

    Raises:
        UsageError: No database is ``"embedded"``.
    """
    if not _names(databases):
        raise UsageError(
            "no database of this project uses the development server",
            next_step=f"Set dev_database_url={EMBEDDED!r} in a database_config, or "
            f"database_url={EMBEDDED!r}.",
        )
