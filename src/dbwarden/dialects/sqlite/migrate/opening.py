"""Open the file of a URL; reading it leaves no trace.

Only SQLite opens the file. Its POSIX locks belong to the process, so closing a second descriptor
of the file would release those of the application's connections.
"""

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from dbwarden.config.sqlite import sqlite_arguments
from dbwarden.config.urls import DatabaseURL

_PASSED_ON = ("immutable", "nolock", "psow", "vfs")
"""URI parameters that our connections use. A shared cache would also share its locks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The file of a database; ``path`` is ``None`` for a database in memory.

    ``parameters`` are those of SQLite's URI; ``database`` and ``uri`` are for one in memory.
    """

    path: Path | None
    database: str
    uri: bool
    parameters: tuple[tuple[str, str], ...] = ()

    @property
    def mode(self) -> str:
        """The mode of the URL in which to open the file: ``ro``, ``rw`` or ``rwc``."""
        return dict(self.parameters).get("mode", "rwc")

    @property
    def writable(self) -> bool:
        """True if this process may change the file and create the journal in its folder."""
        if self.path is None:
            return True
        if self.mode == "ro" or dict(self.parameters).get("immutable", "0") not in ("0", "false"):
            return False
        return os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK | os.X_OK)

    def file_uri(self, mode: str, **flags: bool) -> str:
        """Return SQLite's URI of the file with *mode* and *flags*."""
        passed_on = {name: value for name, value in self.parameters if name in _PASSED_ON}
        parameters = {
            **passed_on,
            "mode": mode,
            **{name: str(int(on)) for name, on in flags.items()},
        }
        query = "&".join(f"{name}={quote(value)}" for name, value in parameters.items())
        path = quote(os.fsencode(Path(self.path or "").as_posix()))
        return f"file:{path if path.startswith('/') else '/' + path}?{query}"


def target_of(url: DatabaseURL) -> Target:
    """Return the file that *url* names."""
    arguments = sqlite_arguments(url)
    return Target(
        path=url.file,
        database=arguments["database"],
        uri=arguments["uri"],
        parameters=url.query,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FileState:
    """The state of the file and its journals, for detecting changes."""

    file: tuple[int, int, int] | None
    journals: bool

    @staticmethod
    def of(path: Path) -> "FileState":
        """Read the state without opening the file."""
        try:
            stat = os.stat(path)
        except OSError:
            return FileState(file=None, journals=False)
        return FileState(
            file=(stat.st_ino, stat.st_size, stat.st_mtime_ns),
            journals=any(os.path.exists(f"{path}{end}") for end in ("-wal", "-journal")),
        )


def open_writing(target: Target) -> sqlite3.Connection:
    """Open a connection that may write; create the file unless the URL forbids it."""
    if target.path is None:
        return _connect(target.database, uri=target.uri)
    return _connect(target.file_uri(target.mode), uri=True)


def open_reading(target: Target) -> tuple[sqlite3.Connection, FileState | None]:
    """Open a connection that cannot write and creates no file.

    No process has a WAL database without a ``-wal`` file open. SQLite would create that file (and
    keep it) even for a reader, so the database is opened as immutable.

    Returns:
        The connection, and the earlier state of the file if it must not change.
    """
    if target.path is None:
        database = _connect(target.database, uri=target.uri)
        database.execute("PRAGMA query_only = ON")
        return database, None
    before = FileState.of(target.path)
    if before.file is None and target.mode == "rwc":
        # The first migration creates the file; until then the database is empty.
        database = _connect(":memory:", uri=False)
        database.execute("PRAGMA query_only = ON")
        return database, before
    if before.file and not before.journals and _is_wal(target):
        return _connect(target.file_uri("ro", immutable=True), uri=True), before
    return _connect(target.file_uri("ro"), uri=True), None


def _is_wal(target: Target) -> bool:
    """Return whether the file is in WAL mode, which SQLite cannot open without locks."""
    database = _connect(target.file_uri("ro", nolock=True), uri=True)
    try:
        database.execute("PRAGMA schema_version").fetchall()
    except sqlite3.Error as error:
        return error.sqlite_errorcode == sqlite3.SQLITE_CANTOPEN
    finally:
        database.close()
    return False


def _connect(database: str, *, uri: bool) -> sqlite3.Connection:
    """Connect in autocommit mode, for explicit BEGIN, and without waiting inside SQLite."""
    return sqlite3.connect(
        database, uri=uri, timeout=0, isolation_level=None, check_same_thread=False
    )


def find_table(database: sqlite3.Connection, name: str) -> str | None:
    """Return the name of a table of the main database as it was created; ``None`` without it."""
    rows = database.execute(
        "SELECT name FROM main.sqlite_master WHERE type = 'table' AND lower(name) = lower(?)",
        (name,),
    ).fetchall()
    return rows[0][0] if rows else None
