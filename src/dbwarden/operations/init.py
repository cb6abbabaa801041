"""Start a project: write its configuration, and models and an application to begin with."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread

from dbwarden.config.names import problem_of_name
from dbwarden.config.option import EMBEDDED
from dbwarden.config.urls import EMBEDDED_KIND, parse_url, url_class
from dbwarden.errors import UsageError
from dbwarden.operations import init_texts as texts
from dbwarden.types import DialectName

LOCAL_FILE = "sqlite:///app.db"
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class InitResult:
    """What ``init`` wrote.

    ``path`` is the configuration and ``migrations`` the folder of migrations. ``models`` and
    ``application`` are the modules asked for. ``written`` are all files that are new or have a new
    line, and ``existing`` those that were left as they are. ``embedded`` is true if the database is
    on the development server.
    """

    path: Path
    migrations: Path
    models: str | None = None
    application: Path | None = None
    written: tuple[Path, ...] = ()
    existing: tuple[Path, ...] = ()
    embedded: bool = False


async def init(
    folder: Path | str = ".",
    *,
    name: str = "primary",
    url: str | None = None,
    kind: DialectName | None = None,
    models: str | None = None,
    fastapi: bool = False,
) -> InitResult:
    """Write ``dbwarden.py`` and ``migrations/<name>/`` into *folder*; never overwrites.

    Args:
        folder: The project's root.
        name: The name of the first database.
        url: Its URL, without a password. Default: the SQLite file ``app.db``, or for
            ``kind="postgresql"`` the project's development server.
        kind: Its kind; default: that of the URL.
        models: The module with the SQLAlchemy models, such as ``app.models``. Written with one
            table to begin with if it does not exist.
        fastapi: Also write a FastAPI application, next to the models.

    Raises:
        UsageError: A configuration exists already, an argument is invalid, the URL contains a
            password, or a file cannot be written.
    """
    place = url or (EMBEDDED if kind == EMBEDDED_KIND else LOCAL_FILE)
    plan = _Plan(
        folder=Path(folder),
        name=name,
        url=place,
        models=models or None,
        fastapi=fastapi,
        kind=_checked_kind(name, place, kind, Path(folder)),
    )
    return await anyio.to_thread.run_sync(_write, plan)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """The checked arguments of ``init``."""

    folder: Path
    name: str
    url: str
    kind: DialectName
    models: str | None
    fastapi: bool

    @property
    def models_file(self) -> Path | None:
        """The file to write models to; ``None`` if no module was named."""
        if self.models is None:
            return None
        return self.folder.joinpath(*self.models.split(".")).with_suffix(".py")

    @property
    def application_file(self) -> Path | None:
        """The file to write the application to, in the package of the models."""
        if not self.fastapi:
            return None
        return (self.models_file.parent if self.models_file else self.folder) / "main.py"

    def files(self) -> Iterator[tuple[Path, str]]:
        """Yield the files to begin with and their text, but for the configuration."""
        if self.models_file is not None:
            for parent in reversed(self.models_file.parents):
                if parent != self.folder and parent.is_relative_to(self.folder):
                    yield parent / "__init__.py", ""
            yield self.models_file, texts.MODELS
        if self.application_file is not None:
            table = None if self.models_file and _is_there(self.models_file) else self.models
            title = self.folder.resolve().name or self.name
            yield self.application_file, texts.application(title, self.name, self.module, table)

    @property
    def module(self) -> str:
        """The module of the application, as a server names it."""
        package = self.models.rpartition(".")[0] if self.models else ""
        return f"{package}.main" if package else "main"


def _checked_kind(name: str, url: str, kind: DialectName | None, folder: Path) -> DialectName:
    """Return the kind of the database, after the checks of the arguments."""
    if (problem := problem_of_name(name)) is not None:
        raise UsageError(problem)
    if url == EMBEDDED:
        return EMBEDDED_KIND
    parsed = parse_url(url, root=folder)
    if parsed.password:
        raise UsageError(
            "a password does not belong in a file",
            next_step="Give the URL without it, and set DATABASE_URL in the environment.",
        )
    if kind not in (None, parsed.dialect):
        raise UsageError(
            f"the URL is of kind {parsed.dialect}, not {kind}",
            next_step=f"Leave --kind out, or give a URL such as {kind}:///app.",
        )
    return parsed.dialect


def _write(plan: _Plan) -> InitResult:
    if plan.models is not None and not _MODULE.fullmatch(plan.models):
        raise UsageError(
            f"{plan.models!r} is not the name of a module",
            next_step="Give it as Python imports it: --models app.models.",
        )
    path = plan.folder / "dbwarden.py"
    migrations = plan.folder / "migrations" / plan.name
    try:
        plan.folder.mkdir(parents=True, exist_ok=True)
        files = list(plan.files())
        _write_new(path, texts.configuration(plan.name, plan.url, plan.kind, plan.models))
        migrations.mkdir(parents=True, exist_ok=True)
        written = [path, *(file for file, text in files if _write_missing(file, text))]
        written += [ignored] if (ignored := _ignore_database(plan)) is not None else []
    except OSError as error:
        if isinstance(error, FileExistsError) and error.filename == str(path):
            raise UsageError(
                f"{path} exists already; it was left as it is",
                next_step="Add a database_config(...) to it by hand.",
            ) from None
        raise UsageError(f"{error.filename} cannot be written: {error.strerror}") from error
    return InitResult(
        path=path,
        migrations=migrations,
        models=plan.models,
        application=plan.application_file,
        written=tuple(written),
        existing=tuple(file for file, text in files if file not in written and text),
        embedded=plan.url == EMBEDDED,
    )


def _write_new(path: Path, text: str) -> None:
    with path.open("x", encoding="utf-8") as file:
        file.write(text)


def _is_there(path: Path) -> bool:
    """Return whether the file *path*, or a package of its name, exists."""
    return path.exists() or path.with_suffix("").is_dir()


def _write_missing(path: Path, text: str) -> bool:
    """Write *path* unless it is there; return whether it did."""
    if _is_there(path):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_new(path, text)
    return True


def _ignore_database(plan: _Plan) -> Path | None:
    """Exclude the local database from git; return the file if it has a new line."""
    if plan.url == EMBEDDED or url_class(plan.kind).has_server:
        return None  # the development server's folder excludes itself
    file = parse_url(plan.url, root=plan.folder.resolve()).file
    if file is None or not file.is_relative_to(plan.folder.resolve()):
        return None
    line = f"/{file.relative_to(plan.folder.resolve()).as_posix()}*"
    path = plan.folder / ".gitignore"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if line in text.splitlines():
        return None
    with path.open("a", encoding="utf-8") as ignored:
        ignored.write(("\n" if text and not text.endswith("\n") else "") + f"{line}\n")
    return path
