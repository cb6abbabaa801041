"""Locate the project's embedded PostgreSQL server for development."""

import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from dbwarden.errors import ConnectError

ADDRESS = Path(".dbwarden", "dev-server")
"""The file, relative to the project's root, that names the folder of the server's socket."""


def address_of(root: Path) -> str | None:
    """Return the folder of the server's socket; ``None`` if none was started. Blocking."""
    try:
        return (root / ADDRESS).read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def embedded_url(root: Path, database: str) -> Callable[[], str]:
    """Return a function that returns the URL of *database* on the project's running server."""

    def dev_server() -> str:
        folder = address_of(root)
        if folder is None or not is_listening(folder):  # after a reboot the file still exists
            raise ConnectError(
                "the project's development server does not run",
                next_step="Start it: dbwarden dev-server start",
            )
        return url_in(folder, database)

    return dev_server


def is_listening(folder: str | Path) -> bool:
    """Return whether a server listens on the socket in *folder*. Blocking."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(f"{folder}/.s.PGSQL.5432")
        except PermissionError:  # another user's server
            return True
        except OSError:
            return False
    return True


def url_in(folder: str, database: str) -> str:
    """Return the URL of *database* on the server whose socket is in *folder*."""
    name = quote(database, safe="")
    return f"postgresql://postgres@/{name}?host={quote(folder, safe='')}"
