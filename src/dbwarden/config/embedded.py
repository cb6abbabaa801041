"""Where the project's own PostgreSQL server for development is, when it runs."""

import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from dbwarden.errors import ConnectError

ADDRESS = Path(".dbwarden", "dev-server")
"""Below the project's root: holds the folder of the running server's socket."""


def address_of(root: Path) -> str | None:
    """The folder of the running server's socket; ``None`` when none was started. Blocking."""
    try:
        return (root / ADDRESS).read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def embedded_url(root: Path, database: str) -> Callable[[], str]:
    """A function that gives the URL of *database* on the project's server, when it runs."""

    def dev_server() -> str:
        folder = address_of(root)
        if folder is None or not listens(folder):  # it was never stopped, and is gone: a reboot
            raise ConnectError(
                "the project's development server does not run",
                next_step="Start it: dbwarden dev-server start",
            )
        return url_in(folder, database)

    return dev_server


def listens(folder: str | Path) -> bool:
    """Whether a server listens on the socket in *folder*. Blocking."""
    with socket.socket(socket.AF_UNIX) as tried:
        try:
            tried.connect(f"{folder}/.s.PGSQL.5432")
        except PermissionError:  # somebody else's
            return True
        except OSError:
            return False
    return True


def url_in(folder: str, database: str) -> str:
    """The URL of *database* on the server whose socket is in *folder*."""
    name = quote(database, safe="")
    return f"postgresql://postgres@/{name}?host={quote(folder, safe='')}"
