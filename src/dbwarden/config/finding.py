"""Where a project's configuration file is."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dbwarden.errors import ConfigurationError, ConfigurationNotFound
from dbwarden.types import Location

FILE = "dbwarden.py"
VARIABLE = "DBWARDEN_CONFIG"


def find_config(
    start: str | os.PathLike[str] | None = None,
    explicit: str | os.PathLike[str] | None = None,
) -> Path:
    """The configuration file, as an absolute path.

    *explicit*, else the environment variable ``DBWARDEN_CONFIG``. Else each folder from *start* up
    to the repository's root is asked, nearest first: for ``[tool.dbwarden] config`` in its
    pyproject.toml, then for a ``dbwarden.py``. The root is the folder with ``.git``; without one,
    the nearest with a pyproject.toml; without that, *start* alone is searched, so that no file
    of somebody else is run.

    Args:
        start: A folder; the working folder when left out.
        explicit: What ``--config`` said; relative to the working folder.

    Raises:
        ConfigurationNotFound: No file; says where it was looked for.
        ConfigurationError: A pyproject.toml that cannot be read as one.
    """
    if explicit is not None:
        return _existing(Path(explicit), "--config")
    if named := os.environ.get(VARIABLE):
        return _existing(Path(named), VARIABLE)
    first = Path(os.path.abspath(start if start is not None else _here()))
    folders = tuple(_folders(first))
    for folder in folders:
        if (configured := _from_pyproject(folder / "pyproject.toml")) is not None:
            return configured
        if (folder / FILE).is_file():
            return folder / FILE
    up_to = f" or above it, up to {folders[-1]}" if len(folders) > 1 else ""
    raise ConfigurationNotFound(
        f"there is no {FILE} in {first}{up_to}",
        next_step=f"Run 'dbwarden init' to make one, or name it with --config or {VARIABLE}.",
    )


def _here() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        raise ConfigurationNotFound(
            f"the working folder cannot be told: {error.strerror}",
            next_step="It is gone, perhaps: change to the project's folder (cd), and run it again.",
        ) from error


def _existing(path: Path, said_by: str) -> Path:
    absolute = path if path.is_absolute() else Path(os.path.abspath(_here() / path))
    if absolute.is_file():
        return absolute
    what = "is a folder, not a file" if absolute.is_dir() else "does not exist"
    raise ConfigurationNotFound(
        f"{absolute}, which {said_by} names, {what}",
        next_step=f"Correct {said_by}; it names the Python file that calls database_config.",
    )


def _folders(first: Path) -> Iterator[Path]:
    """*first* and its parents up to the repository's root."""
    above = (first, *first.parents)
    for mark in (".git", "pyproject.toml"):
        root = next((folder for folder in above if (folder / mark).exists()), None)
        if root is not None:
            break
    else:
        root = first
    yield from above[: above.index(root) + 1]


def _from_pyproject(path: Path) -> Path | None:
    try:
        raw = path.read_bytes()
    except OSError:
        return None
    if b"dbwarden" not in raw:  # tomllib costs more to import than everything else here
        return None
    named = _named(path, raw)
    if named is None:
        return None
    if not isinstance(named, str):
        raise ConfigurationError("[tool.dbwarden] config is not text", location=Location(path=path))
    return _existing(path.parent / named, f"[tool.dbwarden] config in {path}")


def _named(path: Path, raw: bytes) -> Any:
    import tomllib

    try:
        document = tomllib.loads(raw.decode())
    except ValueError as error:
        problem = str(error)
    else:
        tool = document.get("tool", {}).get("dbwarden", {})
        return tool.get("config") if isinstance(tool, dict) else None
    raise ConfigurationError(f"the file is not valid TOML: {problem}", location=Location(path=path))
