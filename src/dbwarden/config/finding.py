"""Find a project's configuration file."""

import os
from collections.abc import Iterator
from pathlib import Path

from dbwarden.errors import ConfigurationError, ConfigurationNotFound
from dbwarden.types import Location

FILE = "dbwarden.py"
VARIABLE = "DBWARDEN_CONFIG"


def find_config(
    start: str | os.PathLike[str] | None = None,
    explicit: str | os.PathLike[str] | None = None,
) -> Path:
    """Return the absolute path of the configuration file.

    *explicit* comes first, then the environment variable ``DBWARDEN_CONFIG``. Otherwise each
    folder from *start* up to the repository's root is searched, nearest first, for
    ``[tool.dbwarden] config`` in its pyproject.toml, then for a ``dbwarden.py``. The root is the
    folder with ``.git``, or else the nearest folder with a pyproject.toml. Without a root only
    *start* is searched, so that no other project's file is run.

    Args:
        start: A folder; the working folder by default.
        explicit: The value of ``--config``; relative to the working folder.

    Raises:
        ConfigurationNotFound: There is no file; the error names the searched folders.
        ConfigurationError: A pyproject.toml is invalid.
    """
    if explicit is not None:
        return _require_file(Path(explicit), "--config")
    if variable := os.environ.get(VARIABLE):
        return _require_file(Path(variable), VARIABLE)
    first = Path(os.path.abspath(start if start is not None else _working_folder()))
    folders = tuple(_searched_folders(first))
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


def _working_folder() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        raise ConfigurationNotFound(
            f"the working folder cannot be told: {error.strerror}",
            next_step="It is gone, perhaps: change to the project's folder (cd), and run it again.",
        ) from error


def _require_file(path: Path, setting: str) -> Path:
    absolute = path if path.is_absolute() else Path(os.path.abspath(_working_folder() / path))
    if absolute.is_file():
        return absolute
    problem = "is a folder, not a file" if absolute.is_dir() else "does not exist"
    raise ConfigurationNotFound(
        f"{absolute}, which {setting} names, {problem}",
        next_step=f"Correct {setting}; it names the Python file that calls database_config.",
    )


def _searched_folders(first: Path) -> Iterator[Path]:
    """Yield *first* and its parents up to the repository's root."""
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
    import tomllib

    try:
        document = tomllib.loads(raw.decode())
    except ValueError as error:
        raise ConfigurationError(
            f"the file is not valid TOML: {error}", location=Location(path=path)
        ) from error
    tool = document.get("tool", {}).get("dbwarden", {})
    config = tool.get("config") if isinstance(tool, dict) else None
    if config is None:
        return None
    if not isinstance(config, str):
        raise ConfigurationError("[tool.dbwarden] config is not text", location=Location(path=path))
    return _require_file(path.parent / config, f"[tool.dbwarden] config in {path}")
