"""Resolve ``model_paths`` (dotted names, files and folders) and import the modules."""

import ast
import importlib
import importlib.util
import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import sha256
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.config.names import did_you_mean
from dbwarden.errors import ConfigurationError
from dbwarden.secrets import clean_cause, describe_error
from dbwarden.types import Location

NOT = "!"
"""Prefix of an entry of ``model_paths`` that excludes a module."""

ALONE = ".__init__"
"""Suffix of an entry for a package's own module, without its submodules."""

SHOWN = 10

_MODEL = re.compile(rb"__tablename__|\bTable\(|\btable=True\b|\bDeclarativeBase\b")
"""A pattern in the text of modules that define models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleSource:
    """One module of models: the name under which it is imported, and its file."""

    name: str
    path: Path | None


def find_modules(config: DatabaseConfig) -> tuple[ModuleSource, ...]:
    """Return the modules in the ``model_paths`` of *config*, with those in packages, each once.

    This imports packages only as far as needed to find them.

    Raises:
        ConfigurationError: A path leads to no module.
    """
    _make_importable(config.root)
    sources: dict[str, ModuleSource] = {}
    excluded = [path.removeprefix(NOT) for path in config.model_paths if path.startswith(NOT)]
    for path in config.model_paths:
        for source in () if path.startswith(NOT) else _of_path(config, path):
            sources.setdefault(source.name, source)
    for path in excluded:
        _leave_out(config.root, path, sources)
    return tuple(sources.values())


def _leave_out(root: Path, path: str, sources: dict[str, ModuleSource]) -> None:
    """Remove the module, file or folder at *path* and its contents from *sources*.

    Raises:
        ConfigurationError: *sources* has no such module.
    """
    excluded = [
        name
        for name, source in sources.items()
        if f"{name}.".startswith(f"{path}.")
        or (source.path is not None and source.path.is_relative_to(Path(root, path)))
    ]
    if not excluded:
        raise ConfigurationError(
            f"model_paths excludes {path}, which is not among its modules"
            f"{did_you_mean(path, sources)}",
            next_step="Correct or remove the entry that begins with '!'.",
        )
    for name in excluded:
        del sources[name]


def unknown_paths(config: DatabaseConfig) -> tuple[str, ...]:
    """Return a sentence for each of the ``model_paths`` that leads to no module. Blocking.

    This imports nothing, and only asks the finders of ``import`` for files.
    """
    _make_importable(config.root)
    problems = []
    for path in (entry.removeprefix(NOT) for entry in config.model_paths):
        if _is_path(path):
            exists = Path(config.root, path).exists()
        else:
            exists = _is_module(path.removesuffix(ALONE))
        if not exists:
            problems.append(_describe_missing(config.root, path))
    return tuple(problems)


def _describe_missing(root: Path, path: str) -> str:
    """Return a sentence about an entry of ``model_paths`` that leads to no module."""
    what = "file or folder" if _is_path(path) else "module"
    module = None if _is_path(path) else nearest(root, path)
    hint = f"; did you mean {module!r}?" if module else ""
    return f"model_paths names {path}, but there is no such {what}{hint}"


def _is_path(path: str) -> bool:
    return path.endswith(".py") or "/" in path or "\\" in path


def _is_module(name: str) -> bool:
    """Return whether the module *name* exists; assume so in packages that compute their path."""
    try:
        return _spec(name) is not None
    except Exception:  # raised by a finder of another package
        return True


def _spec(name: str) -> ModuleSpec | None:
    """Find the module *name* like ``import``, but without importing its parent packages."""
    spec: ModuleSpec | None = None
    folders: Sequence[str] | None = None
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        whole = ".".join(parts[:end])
        specs = (finder.find_spec(whole, folders) for finder in sys.meta_path)
        next_spec = next((item for item in specs if item is not None), None)
        if next_spec is None:
            # A package that computes its path may have any module.
            origin = spec.origin if spec is not None and spec.has_location else None
            file = Path(origin) if origin else None
            computes = file is not None and file.exists() and b"__path__" in file.read_bytes()
            return spec if computes else None
        spec, folders = next_spec, next_spec.submodule_search_locations
        if folders is None and end < len(parts):
            return None
    return spec


def _make_importable(root: Path) -> None:
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))


def _of_path(config: DatabaseConfig, path: str) -> Iterator[ModuleSource]:
    if _is_path(path):
        yield from _of_file(config.root, Path(config.root, path))
        return
    alone, path = path.endswith(ALONE), path.removesuffix(ALONE)
    spec, failure = None, None
    try:
        spec = importlib.util.find_spec(path)
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is None or not f"{path}.".startswith(f"{missing}."):
            failure = _failure(config, path, error)
    if failure is not None:
        raise failure
    if spec is None:
        raise ConfigurationError(
            _describe_missing(config.root, path),
            next_step=f"Modules are looked for in {config.root} and in the environment of "
            f"{sys.executable}: correct the path, or install what is missing.",
        )
    origin = Path(spec.origin) if spec.origin and spec.has_location else None
    if spec.origin is not None:
        yield ModuleSource(name=path, path=origin)
    for folder in (not alone and spec.submodule_search_locations) or ():
        yield from _inside(Path(folder), path)


def nearest(root: Path, path: str) -> str | None:
    """Return a module below *root* with a name similar to *path*, or one that contains it."""
    folder, names = root, list[str]()
    for part in path.split("."):
        entries = [item for item in folder.iterdir() if item.suffix == ".py" or item.is_dir()]
        near = get_close_matches(part, [item.stem for item in entries], n=1)
        if not near:
            return None
        names += near
        folder = folder / near[0]
        if not folder.is_dir():
            break
    prefix = ".".join(names)
    return prefix if prefix != path else None


def _of_file(root: Path, path: Path) -> Iterator[ModuleSource]:
    if not path.exists():
        raise ConfigurationError(
            f"model_paths names {path}, which does not exist",
            next_step="Relative paths count from the folder of the configuration file.",
        )
    name = _dotted(root, path)
    if path.is_dir():
        if (path / "__init__.py").exists() and name is not None:
            yield ModuleSource(name=name, path=path / "__init__.py")
        for file in sorted(path.rglob("*.py")):
            foreign = any(_is_foreign(path / inner) for inner in file.relative_to(path).parents)
            if file.name not in ("__init__.py", "__main__.py") and not foreign:
                yield ModuleSource(name=_dotted(root, file) or _generated_name(file), path=file)
        return
    yield ModuleSource(name=name or _generated_name(path), path=path)


def _dotted(root: Path, path: Path) -> str | None:
    """Return the name under which ``import`` finds *path*, so that no module loads twice."""
    file = path.resolve()
    homes = {folder.resolve() for folder in (root, *map(Path, sys.path))}
    inside = [folder for folder in homes if file.is_relative_to(folder) and file != folder]
    # Prefer folders that are not packages: modules of packages have longer names.
    tops = [folder for folder in inside if not (folder / "__init__.py").exists()] or inside
    if not tops:
        return None
    home = max(tops, key=lambda folder: len(folder.parts))
    parts = list(file.relative_to(home).with_suffix("").parts)
    if parts and parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts) if parts and all(part.isidentifier() for part in parts) else None


def _generated_name(path: Path) -> str:
    return f"dbwarden_models_{sha256(str(path).encode()).hexdigest()[:8]}_{path.stem}"


def _inside(folder: Path, package: str) -> Iterator[ModuleSource]:
    """Yield every module below *folder*, the folder of *package*, without importing it."""
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        if entry.suffix == ".py" and entry.stem.isidentifier():
            if entry.stem not in ("__init__", "__main__"):
                yield ModuleSource(name=f"{package}.{entry.stem}", path=entry)
        elif entry.is_dir() and entry.name.isidentifier() and not _is_foreign(entry):
            if (entry / "__init__.py").exists():
                yield ModuleSource(name=f"{package}.{entry.name}", path=entry / "__init__.py")
            yield from _inside(entry, f"{package}.{entry.name}")


def _is_foreign(folder: Path) -> bool:
    """Return whether *folder* is an Alembic environment, or has only Python's own files."""
    alembic = (folder / "env.py").exists() and (
        (folder / "script.py.mako").exists() or (folder / "versions").is_dir()
    )
    return alembic or folder.name == "__pycache__"


def import_source(config: DatabaseConfig, source: ModuleSource) -> ModuleType:
    """Import the module of *source*.

    Raises:
        ConfigurationError: The module raised an error; with its file and line.
    """
    try:
        if source.name.startswith("dbwarden_models_") and source.path is not None:
            return _load(source.name, source.path)
        return importlib.import_module(source.name)
    except (Exception, SystemExit) as error:
        failure = _failure(config, source.name, error)
    raise failure


def _load(name: str, path: Path) -> ModuleType:
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _failure(config: DatabaseConfig, name: str, error: BaseException) -> ConfigurationError:
    """Return the error of importing *name*, located at the deepest frame in the project.

    Raise it outside the ``except`` block, because *error* may contain a secret and would be its
    context.
    """
    place: Location | None
    if isinstance(error, SyntaxError) and error.filename:
        place = Location(path=Path(error.filename), line=error.lineno, column=error.offset)
    else:
        place = place_of(config.root, error)
    failure = ConfigurationError(
        f"the models in {name} cannot be imported: {describe_error(error)}",
        location=place,
        next_step=" ".join(_advice(config, name)),
    )
    failure.__cause__ = clean_cause(error)
    return failure


def place_of(root: Path, error: BaseException, *, own: bool = False) -> Location | None:
    """Return the deepest frame of *error* in the project's files.

    Args:
        root: The project's folder.
        error: The caught exception.
        own: Whether to ignore frames outside the project.
    """
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<")
        and "importlib" not in frame.filename
        and frame.filename != __file__
    ]
    mine = [frame for frame in frames if in_project(root, frame.filename)]
    last = (mine if own else [*frames, *mine])[-1:]
    return Location(path=Path(last[0].filename), line=last[0].lineno) if last else None


def _advice(config: DatabaseConfig, name: str) -> Iterator[str]:
    if name.startswith("dbwarden_models_"):
        yield "Correct the module."
        return
    yield f"Correct the module; python -c 'import {name}' shows the whole traceback."
    whole = next((path for path in config.model_paths if name.startswith(f"{path}.")), None)
    if whole is not None:
        yield f"If it has no models, leave it out: add '{NOT}{name}' to model_paths."
        if holders := _with_models(whole):
            yield f"Or name only those that have models instead of all of {whole}: {holders}."


def _with_models(package: str) -> str:
    """Return the modules of *package* whose text defines models, without importing them."""
    spec = _spec(package)
    folders = (spec.submodule_search_locations if spec is not None else None) or ()
    sources = [source for folder in folders for source in _inside(Path(folder), package)]
    names = [s.name for s in sources if s.path is not None and _MODEL.search(s.path.read_bytes())]
    return ", ".join(names[:SHOWN]) + (" ..." if len(names) > SHOWN else "")


def in_project(root: Path, filename: str) -> bool:
    """Return whether *filename* is a file of the project itself, not of a library."""
    path = Path(filename)
    return path.is_relative_to(root) and "site-packages" not in path.parts


def names_assigned(module: ModuleType) -> frozenset[str] | None:
    """Return the top-level names of *module* that it does not import; ``None`` without a source."""
    path = getattr(module, "__file__", None)
    if path is None or not str(path).endswith(".py"):
        return None
    try:
        tree = ast.parse(Path(path).read_bytes())
    except (OSError, SyntaxError):
        return None
    imported = set(_imported(tree.body))
    return frozenset(name for name in vars(module) if name not in imported)


def _imported(body: Sequence[ast.stmt]) -> Iterator[str]:
    """Yield the names that imports bind, at the top level or inside ``if`` and ``try``."""
    for node in body:
        match node:
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                for alias in names:
                    yield alias.asname or alias.name.split(".")[0]
            case ast.If(body=then, orelse=otherwise):
                yield from _imported([*then, *otherwise])
            case ast.Try(body=tried, orelse=otherwise, finalbody=last, handlers=handlers):
                yield from _imported([*tried, *otherwise, *last])
                for handler in handlers:
                    yield from _imported(handler.body)
            case _:
                pass
