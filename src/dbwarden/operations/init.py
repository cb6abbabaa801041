"""Start a project: write a dbwarden.py and a folder for its migrations."""

import json
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread

from dbwarden.errors import UsageError

TEMPLATE = '''\
"""The databases of this project. dbwarden finds this file by its name."""

import os

from dbwarden.config import database_config

database_config(
    database_name="{name}",
    default=True,
    database_url=os.environ.get("DATABASE_URL", {url}),
    # The modules with your SQLAlchemy models, as in ["app.models"]:
    model_paths=[],
)

# One more database is one more call:
#
# database_config(
#     database_name="analytics",
#     database_type="postgresql",
#     database_url=os.environ["ANALYTICS_URL"],
#     model_paths=["app.models.analytics"],
# )
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class InitResult:
    """The configuration file and the folder that were created."""

    path: Path
    migrations: Path


async def init(
    folder: Path | str = ".", *, name: str = "primary", url: str | None = None
) -> InitResult:
    """Write ``dbwarden.py`` and ``migrations/<name>/`` into *folder*; never overwrites.

    Args:
        folder: The project's root.
        name: The name of the first database.
        url: Its URL, without a password; default: the SQLite file ``app.db``.

    Raises:
        UsageError: A configuration exists already, the name or the URL is invalid, the URL
            contains a password, or the file cannot be written.
    """
    return await anyio.to_thread.run_sync(_write, Path(folder), name, url or "sqlite:///app.db")


def _write(folder: Path, name: str, url: str) -> InitResult:
    _check(name, url, folder)
    path = folder / "dbwarden.py"
    migrations = folder / "migrations" / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE.format(name=name, url=json.dumps(url)))
        migrations.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UsageError(
            f"{path} exists already; it was left as it is",
            next_step="Add a database_config(...) to it by hand.",
        ) from None
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be written: {error.strerror}") from error
    return InitResult(path=path, migrations=migrations)


def _check(name: str, url: str, folder: Path) -> None:
    """Check that *name* and *url* can be written to the file."""
    from dbwarden.config.names import problem_of_name
    from dbwarden.config.urls import parse_url

    if (problem := problem_of_name(name)) is not None:
        raise UsageError(problem)
    parsed = parse_url(url, root=folder)
    if parsed.password:
        raise UsageError(
            "a password does not belong in a file",
            next_step="Give the URL without it, and set DATABASE_URL in the environment.",
        )
