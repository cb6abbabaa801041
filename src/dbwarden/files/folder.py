"""Read and write the folder of a database's migrations. Only this module accesses it on disk.

Blocking; call it in a worker thread.
"""

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from dbwarden.errors import MigrationFileError
from dbwarden.files.disk import read_regular
from dbwarden.files.migration import Migration
from dbwarden.files.naming import FileName, parse_name
from dbwarden.files.order import cycle_of, format_cycle, format_versions, sort_migrations
from dbwarden.files.parsing import combine_problems, decode, parse
from dbwarden.files.python_files import parse_python
from dbwarden.types import DatabaseName, DialectName, Location, Version, format_version


def read_folder(path: Path, database: DatabaseName, dialect: DialectName) -> tuple[Migration, ...]:
    """Return the migrations in the folder *path*, in the order in which they run.

    Folders, hidden files and files that do not end in ``.sql`` are ignored, except for Python files
    named after the database. A folder that does not exist has no migrations.

    Args:
        path: The folder.
        database: The database to which the migrations belong, the prefix of their names.
        dialect: The database kind that defines quotes and comments.

    Raises:
        MigrationFileError: Every problem of the folder, each with file and line.
    """
    problems: list[MigrationFileError] = []
    names: list[tuple[Path, FileName]] = []
    migrations: list[Migration] = []
    for file in migration_paths(path, database):
        try:
            names.append((file, parse_name(file, database)))
            text = _read_text(file, database)
            parse_file = parse_python if file.suffix == ".py" else parse
            migrations.append(parse_file(text, path=file, database=database, dialect=dialect))
        except MigrationFileError as error:
            problems.extend(error.problems)
    problems.extend(_check_duplicates(names, database))
    problems.extend(_check_dependencies(migrations, names))
    if not problems and (cycle := cycle_of(migrations)):
        versions = format_versions([item.version for item in cycle if item.version is not None])
        raise MigrationFileError(
            f"migrations form a dependency cycle: {format_cycle(cycle)}",
            database=database,
            location=_find_header(cycle[0]),
            next_step=f"Remove one of these from its file's -- depends_on: {versions}.",
        )
    if problems:
        raise combine_problems(problems, f"the folder {path} has problems", database)
    return sort_migrations(migrations)


def read_names(path: Path, database: DatabaseName) -> tuple[FileName, ...]:
    """Return the names of the files in the folder *path* without reading the files.

    Raises:
        MigrationFileError: A name is not that of a migration.
    """
    return tuple(parse_name(file, database) for file in migration_paths(path, database))


def migration_paths(folder: Path, database: DatabaseName) -> list[Path]:
    """Return the paths of the files in *folder* that are migrations by their names, sorted.

    Raises:
        MigrationFileError: The folder cannot be read.
    """
    next_step = "Check its permissions, and migrations_dir= in the configuration."
    with (
        _explain("the migrations folder cannot be read", folder, next_step, database),
        suppress(FileNotFoundError),
        os.scandir(folder) as entries,
    ):
        names = [
            entry.name
            for entry in entries
            if (
                entry.name.lower().endswith(".sql")
                or (entry.name.endswith(".py") and entry.name.startswith(f"{database}__"))
            )
            and not entry.name.startswith(".")
            and not entry.is_dir()
        ]
        return [Path(f"{folder}{os.sep}{name}") for name in sorted(names)]
    return []


def _read_text(file: Path, database: DatabaseName) -> str:
    next_step = "Check that it is there, a regular file, and its permissions."
    with _explain("the file cannot be read", file, next_step, database):
        data = read_regular(file)
    return decode(data, path=file, database=database)


@contextmanager
def _explain(
    problem: str, path: Path, next_step: str, database: DatabaseName | None = None
) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MigrationFileError(
            f"{problem}: {error.strerror}",
            database=database,
            location=Location(path=path),
            next_step=next_step,
        ) from error


def _check_duplicates(
    names: Iterable[tuple[Path, FileName]], database: DatabaseName
) -> Iterator[MigrationFileError]:
    first: dict[Version | str, Path] = {}
    for file, name in names:
        key = name.name if name.version is None else name.version
        before = first.setdefault(key, file)
        if before is file:
            continue
        if name.version is None:
            message = f"the repeatable {name.name} exists twice: also as {before.name}"
            next_step = "Give one of the two another name."
        else:
            message = f"version {format_version(name.version)} exists twice: also {before.name}"
            next_step = (
                "Give the one that is not applied anywhere the next free number, this one with: "
                f"dbwarden renumber -d {database} --move {file.stem.removeprefix(f'{database}__')}"
            )
        yield MigrationFileError(
            message, database=database, location=Location(path=file), next_step=next_step
        )


def _check_dependencies(
    migrations: Sequence[Migration], names: Iterable[tuple[Path, FileName]]
) -> Iterator[MigrationFileError]:
    known = {name.version for _, name in names}
    backfills = {item.version for item in migrations if item.backfill is not None}
    for migration in migrations:
        yield from _check_required_backfills(migration, known, backfills)
        for version in migration.depends_on:
            if version == migration.version:
                problem = "it depends on itself"
                next_step = "Remove that version from -- depends_on."
            elif version not in known:
                problem = f"it depends on {format_version(version)}, which does not exist"
                next_step = "Correct -- depends_on, or add the file."
            else:
                continue
            yield MigrationFileError(
                problem,
                database=migration.database,
                location=_find_header(migration),
                next_step=next_step,
            )


def _check_required_backfills(
    migration: Migration, known: Collection[Version | None], backfills: Collection[Version | None]
) -> Iterator[MigrationFileError]:
    for version in migration.requires_backfill:
        name = format_version(version)
        if version == migration.version:
            problem = "it requires itself as a backfill"
        elif version not in known:
            problem = f"it requires the backfill {name}, which does not exist"
        elif version not in backfills:
            problem = f"it requires the backfill {name}, which is no backfill"
        elif migration.version is not None and version > migration.version:
            problem = f"it requires the backfill {name}, which comes after it"
        else:
            continue
        yield MigrationFileError(
            problem,
            database=migration.database,
            location=_find_header(migration, "requires-backfill"),
            next_step="Correct -- requires-backfill, or remove it.",
        )


def _find_header(migration: Migration, name: str = "depends_on") -> Location:
    """Return the location of the first header *name* in the file of *migration*."""
    lines = enumerate(migration.header.split("\n"), start=1)
    headers = (
        at
        for at, line in lines
        if line.lstrip("-# \t").lower().replace("_", "-").startswith(name.replace("_", "-"))
    )
    return migration.at(next(headers, None))


def next_version(migrations: Sequence[Migration | FileName]) -> Version:
    """Return the version of the next migration."""
    return Version(max((item.version or 0 for item in migrations), default=0) + 1)


def write_migration(folder: Path, name: str, text: str) -> Path:
    """Write a migration file *name* atomically, and create the folder if necessary.

    An existing file is never overwritten.

    Raises:
        MigrationFileError: The file exists or cannot be written.
    """
    target = folder / name
    next_step = "Check the folder's permissions and the space on its disk."
    with _explain("the file cannot be written", target, next_step):
        folder.mkdir(parents=True, exist_ok=True)
        is_written = _write_new(target, text.encode())
    if not is_written:
        raise MigrationFileError(
            "there is such a file already",
            location=Location(path=target),
            next_step="Choose another name, or remove that file.",
        )
    return target


def _write_new(target: Path, data: bytes) -> bool:
    """Write *data* to *target*; return ``False`` if *target* exists."""
    draft = target.with_name(f".{target.name}.{os.urandom(4).hex()}.draft")
    try:
        _write_exclusively(draft, data)
        return _publish(draft, target, data)
    finally:
        draft.unlink(missing_ok=True)


def _publish(draft: Path, target: Path, data: bytes) -> bool:
    try:
        os.link(draft, target)  # unlike a rename, this fails if the target exists
    except FileExistsError:
        return False
    except OSError:  # the file system has no links
        try:
            _write_exclusively(target, data)
        except FileExistsError:
            return False
    return True


def _write_exclusively(target: Path, data: bytes) -> None:
    with open(target, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
