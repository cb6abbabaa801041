"""The project: its configuration file found, run once, and checked."""

import os
import sys
import threading
from contextlib import ExitStack
from operator import is_not
from pathlib import Path
from types import ModuleType, TracebackType

from dbwarden.config.finding import find_config
from dbwarden.config.model import DatabaseConfig
from dbwarden.config.project import Project
from dbwarden.config.registry import PROCESS, Declaration, Registry, collecting
from dbwarden.config.validation import validate
from dbwarden.errors import ConfigurationError, ConfigurationNotFound, DBWardenError
from dbwarden.secrets import clean_cause, describe_error
from dbwarden.types import Location

__all__ = ["DatabaseRef", "Project", "configured", "find_config", "load_project"]


DatabaseRef = DatabaseConfig | str | None
"""A configured database, its name, or ``None`` for the default one."""


async def configured(database: DatabaseRef, *, unlisted: bool = False) -> DatabaseConfig:
    """Return the configuration that *database* means.

    A configuration is returned as it is; only a name, or ``None``, is looked up in the project that
    :func:`load_project` finds. *unlisted* accepts the name of a tenant that is not listed.

    Raises:
        ConfigurationError: The project's configuration cannot be found or has problems.
        UnknownDatabase: No database has that name.
    """
    if isinstance(database, DatabaseConfig):
        return database
    from dbwarden.config.threads import in_own_thread  # loads anyio

    project = await in_own_thread(load_project)
    if database is None:
        return project.default
    return project.database(database, unlisted=True) if unlisted else await project.find(database)


# -- loading ----------------------------------------------------------------------------------

_projects: dict[Path, Project] = {}
_lock = threading.RLock()
_running: set[Path] = set()


def load_project(path: str | os.PathLike[str] | None = None, *, reload: bool = False) -> Project:
    """The project of the configuration file at *path*, or of the one that is found.

    The file is run once per process, whichever thread asks first; the others wait and get the same
    project. A file that failed is run again next time. Its folder is put in front of ``sys.path``,
    as Python does with a script's, and stays there.

    A program without such a file that called ``database_config`` itself gets the project of those
    calls.

    Args:
        path: The file; when left out it is looked for (:func:`find_config`).
        reload: Run the file again. Modules it imports stay as they are.

    Raises:
        ConfigurationNotFound: There is no such file.
        ConfigurationError: The file raises, or configures nothing, or has problems: all are named.
    """
    try:
        found = find_config(explicit=path)
    except ConfigurationNotFound:
        if path is not None or not PROCESS.declarations:
            raise
        return _own_project()
    with _lock:
        if reload or found not in _projects:
            _projects[found] = _run(found)
        return _projects[found]


_own: list[tuple[tuple[Declaration, ...], Project]] = []


def _own_project() -> Project:
    """The same project again as long as nothing more is declared: it knows its tenants."""
    said = tuple(PROCESS.declarations)
    with _lock:
        if not _own or len(_own[0][0]) != len(said) or any(map(is_not, _own[0][0], said)):
            _own[:] = [(said, _checked(PROCESS, said[0].location.path))]
        return _own[0][1]


def _run(path: Path) -> Project:
    if path in _running:
        raise ConfigurationError(
            "the file is being loaded already: it, or a module it imports, asks for the project",
            location=Location(path=path),
            next_step="Ask for sessions and projects inside functions, not while importing.",
        )
    _running.add(path)
    try:
        registry = Registry()
        with collecting(registry):
            _execute(path)
        return _checked(registry, path)
    finally:
        _running.discard(path)


def _checked(registry: Registry, path: Path) -> Project:
    location = Location(path=path)
    if not registry.declarations:
        raise ConfigurationError(
            "the file configures no database",
            location=location,
            next_step="Add a database_config(database_name=..., database_url=...) to it.",
        )
    declared, problems = validate(registry.declarations, path.parent)
    if problems:
        many = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise ConfigurationError(
            f"the configuration has {many}", problems=problems, location=location
        )
    return Project(path=path, root=path.parent, declared=declared)


# -- running the file -------------------------------------------------------------------------


def _execute(path: Path) -> None:
    """Run the file as a module of its own name, so that it never is ``dbwarden``."""
    module = ModuleType(f"dbwarden configuration {path}")
    module.__file__ = str(path)
    with ExitStack() as undo:
        _make_importable(path.parent, undo)
        sys.modules[module.__name__] = module
        undo.callback(sys.modules.pop, module.__name__)
        _run_source(path, module)
        undo.pop_all()


def _run_source(path: Path, module: ModuleType) -> None:
    try:
        exec(compile(path.read_bytes(), str(path), "exec", dont_inherit=True), vars(module))
    except DBWardenError:
        raise
    except (Exception, SystemExit) as error:
        failure, cause = _failure(path, error), _without_secrets(error)
    else:
        return
    raise failure from cause


def _make_importable(root: Path, undo: ExitStack) -> None:
    """Put *root* first on ``sys.path`` unless it is there."""
    if str(root) not in {os.path.abspath(entry) for entry in sys.path}:
        sys.path.insert(0, str(root))
        undo.callback(_forget, str(root))


def _forget(entry: str) -> None:
    sys.path[:] = [each for each in sys.path if each != entry]


def _without_secrets(error: BaseException) -> BaseException | None:
    """*error* as a cause, unless it shows a password: pydantic prints its input."""
    cause = clean_cause(error)
    return None if isinstance(cause, SyntaxError) else cause


def _failure(path: Path, error: BaseException) -> ConfigurationError:
    if isinstance(error, SyntaxError) and error.filename in (str(path), None):
        return ConfigurationError(
            f"SyntaxError: {error.msg}",
            location=Location(path=path, line=error.lineno, column=error.offset),
            next_step="Correct the file; it is a Python file.",
        )
    if isinstance(error, OSError) and error.filename == str(path):
        return ConfigurationError(
            f"the file cannot be read: {error.strerror}", location=Location(path=path)
        )
    where = _frames(error.__traceback__)
    own = [line for file, line in where if file == str(path)]
    elsewhere = ""
    if own and where[-1][0] != str(path):
        elsewhere = ", raised in {}:{}".format(*where[-1])
    words = describe_error(error)
    return ConfigurationError(
        f"the configuration file fails: {words}{elsewhere}",
        location=Location(path=path, line=own[-1] if own else None),
        next_step=_advice(path, error),
    )


def _frames(traceback: TracebackType | None) -> list[tuple[str, int]]:
    """File and line of each frame, outermost first, without those of the import system."""
    frames = []
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if not file.startswith("<frozen"):
            frames.append((file, traceback.tb_lineno))
        traceback = traceback.tb_next
    return frames


def _advice(path: Path, error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError):
        return (
            f"Modules are looked for in {path.parent} and in the environment of {sys.executable}: "
            "install what is missing there, or correct the import."
        )
    if isinstance(error, KeyError):
        return "If it is an environment variable, set it."
    if isinstance(error, SystemExit):
        return "It ends the process there (sys.exit): let it raise an exception that says why."
    return "Correct what the file does there."
