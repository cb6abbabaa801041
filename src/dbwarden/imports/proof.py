"""Prove that imported files lead to the schemas that the other tool arrived at."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from dbwarden.authoring.labels import shorten
from dbwarden.authoring.scratch_session import ScratchSession
from dbwarden.config.model import DatabaseConfig
from dbwarden.dialects.authoring import ScratchDatabase
from dbwarden.errors import MigrationFileError, ScratchRefused
from dbwarden.files.lexing import lexis_of
from dbwarden.files.migration import Migration
from dbwarden.files.parsing import parse
from dbwarden.imports.file_text import ImportedFile, file_text
from dbwarden.imports.schemas import describe, read_schema
from dbwarden.schema import Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The schemas that the other tool arrived at, without its *table*; ``None`` if unknown.

    ``restored`` is the one after its rollback.
    """

    after: Schema | None = field(repr=False)
    restored: Schema | None = field(repr=False)
    table: str


async def try_file(
    session: ScratchSession,
    database: ScratchDatabase,
    path: Path,
    file: ImportedFile,
    expected: Expected,
) -> tuple[str, Migration | None, tuple[str, ...]]:
    """Run *file* in *database*, and its rollback in a copy.

    Return its text, with a review for each problem, the migration if it can be read as one, and
    the problems: statements that were refused, and objects that are not as *expected*.
    """
    config = session.config
    text = file_text(file, lexis_of(config.database_type))
    try:
        migration = parse_file(config, path, text)
    except MigrationFileError as error:
        return text, None, (_describe(error),)
    try:
        problems = await _problems(session, database, migration, expected)
    except MigrationFileError as error:
        problems = (_describe(error),)
    if not problems:
        return text, migration, ()
    file = replace(file, reviews=[*file.reviews, *problems])
    text = file_text(file, lexis_of(config.database_type))
    return text, parse_file(config, path, text), problems


def _describe(error: MigrationFileError) -> str:
    line = error.location.line if error.location else None
    return f"line {line}: {error.message}" if line else error.message


def parse_file(config: DatabaseConfig, path: Path, text: str) -> Migration:
    """Return *text* as the migration that will be at *path*."""
    return parse(text, path=path, database=config.files_of, dialect=config.database_type)


async def _problems(
    session: ScratchSession,
    database: ScratchDatabase,
    migration: Migration,
    expected: Expected,
) -> tuple[str, ...]:
    try:
        await database.replay(migration, migration.upgrade)
    except ScratchRefused as error:
        return (f"the scratch database refused {_place(error)}: {error.reason}",)
    left: tuple[str, ...] = ()
    if expected.after is not None:
        found = await read_schema(database, expected.table)
        left = await describe(session, found, expected.after)
    if left:
        return (f"it does not lead to the schema of the other tool: {shorten(left, 5)} differ",)
    if migration.rollback is None or expected.restored is None:
        return ()
    scratch = await session.scratch_server()
    copy = await scratch.create(copy_of=database)
    try:
        await copy.replay(migration, migration.rollback)
        left = await describe(session, await read_schema(copy, expected.table), expected.restored)
    except ScratchRefused as error:
        return (f"the scratch database refused {_place(error)} of the rollback: {error.reason}",)
    finally:
        await scratch.discard(copy)
    return (f"its rollback leads elsewhere: {shorten(left, 5)} differ",) if left else ()


def _place(error: ScratchRefused) -> str:
    line = error.location.line if error.location else None
    return f"line {line}" if line else "a statement"
