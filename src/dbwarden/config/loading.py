"""Load a project: find its configuration file, run it once and validate it."""

import os
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from weakref import WeakKeyDictionary

from dbwarden.config.finding import find_config
from dbwarden.config.project import Project
from dbwarden.config.registry import Registry, collecting, current_registry
from dbwarden.config.validation import validate
from dbwarden.errors import ConfigurationError, ConfigurationNotFound, DBWardenError
from dbwarden.secrets import clean_cause, describe_error
from dbwarden.types import Location

__all__ = ["Project", "find_config", "load_project"]

# -- loading ----------------------------------------------------------------------------------

_projects: dict[Path, Project] = {}
_lock = threading.RLock()
_running: set[Path] = set()


def load_project(path: str | os.PathLike[str] | None = None, *, reload: bool = False) -> Project:
    """Return the project of the configuration file at *path*, or of the one that is found.

    The file is run once per process; concurrent callers wait and get the same project. A file that
    failed is run again by the next call. Its folder is inserted at the start of ``sys.path``, as
    Python does with a script's, and remains there.

    Without a file, the project consists of the program's own calls of ``database_config``, if there
    are any.

    Args:
        path: The file; by default :func:`find_config` finds it.
        reload: Run the file again. Modules it imports are not reloaded.

    Raises:
        ConfigurationNotFound: There is no such file.
        ConfigurationError: The file raises, configures no database or has problems; the error lists
            all of them.
    """
    try:
        file = find_config(explicit=path)
    except ConfigurationNotFound:
        if path is not None or not current_registry().declarations:
            raise
        return _project_of(current_registry())
    with _lock:
        if reload:
            _projects.pop(file, None)  # a file that fails is run again by the next call
        if file not in _projects:
            _projects[file] = _run(file)
        return _projects[file]


_cached: WeakKeyDictionary[Registry, tuple[int, Project]] = WeakKeyDictionary()


def _project_of(registry: Registry) -> Project:
    """Return the program's project, cached with its tenants until a declaration is added."""
    with _lock:
        count, project = _cached.get(registry, (0, None))
        if project is None or count != len(registry.declarations):
            project = _build_project(registry, registry.declarations[0].location.path)
            _cached[registry] = (len(registry.declarations), project)
        return project


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
        return _build_project(registry, path)
    finally:
        _running.discard(path)


def _build_project(registry: Registry, path: Path) -> Project:
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
    """Run the file as a module whose name is never ``dbwarden``."""
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
        # Without its frames; without the error itself if it shows a password, as pydantic's do.
        failure, cause = _describe_failure(path, error), clean_cause(error)
    else:
        return
    raise failure from (None if isinstance(cause, SyntaxError) else cause)


def _make_importable(root: Path, undo: ExitStack) -> None:
    """Insert *root* at the start of ``sys.path`` unless it is on it."""
    if str(root) not in {os.path.abspath(entry) for entry in sys.path}:
        sys.path.insert(0, str(root))
        undo.callback(lambda: sys.path.remove(str(root)) if str(root) in sys.path else None)


def _describe_failure(path: Path, error: BaseException) -> ConfigurationError:
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
    from traceback import walk_tb

    places = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    frames = [place for place in places if not place[0].startswith("<frozen")]  # of the imports
    lines = [line for file, line in frames if file == str(path)]
    elsewhere = ""
    if lines and frames[-1][0] != str(path):
        elsewhere = ", raised in {}:{}".format(*frames[-1])
    return ConfigurationError(
        f"the configuration file fails: {describe_error(error)}{elsewhere}",
        location=Location(path=path, line=lines[-1] if lines else None),
        next_step=_advice(path, error),
    )


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
