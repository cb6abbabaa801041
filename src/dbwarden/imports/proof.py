"""Prove that imported files lead to the schemas that the other tool arrived at."""

from dataclasses import dataclass, field

from dbwarden.authoring.scratch_session import ScratchSession
from dbwarden.dialects.authoring import ScratchDatabase
from dbwarden.errors import MigrationFileError, ScratchRefused
from dbwarden.files.migration import Migration
from dbwarden.imports.schemas import describe, read_schema
from dbwarden.printable import shorten
from dbwarden.schema import Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedSchemas:
    """The schemas that the other tool arrived at, without its *table*; ``None`` if unknown.

    ``restored`` is the one after its rollback.
    """

    table: str
    after: Schema | None = field(default=None, repr=False)
    restored: Schema | None = field(default=None, repr=False)


async def find_problems(
    session: ScratchSession,
    database: ScratchDatabase,
    migration: Migration,
    expected: ExpectedSchemas,
) -> tuple[str, ...]:
    """Run *migration* in *database*, and its rollback in a copy.

    Return the statements that were refused, and the objects that are not as *expected*.
    """
    try:
        await database.replay(migration, migration.upgrade)
    except MigrationFileError as error:
        return (describe_error(error),)
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
    try:
        restored = await roll_back_copy(session, database, migration, expected.table)
    except MigrationFileError as error:
        return (describe_error(error),)
    except ScratchRefused as error:
        return (f"the scratch database refused {_place(error)} of the rollback: {error.reason}",)
    left = await describe(session, restored, expected.restored)
    return (f"its rollback leads elsewhere: {shorten(left, 5)} differ",) if left else ()


async def roll_back_copy(
    session: ScratchSession, database: ScratchDatabase, migration: Migration, table: str
) -> Schema:
    """Return the schema, without *table*, after the rollback of *migration* in a copy.

    Raises:
        ScratchRefused: The server refused a statement.
        MigrationFileError: A statement cannot be run.
    """
    assert migration.rollback is not None
    server = await session.scratch_server()
    copy = await server.create(copy_of=database)
    try:
        await copy.replay(migration, migration.rollback)
        return await read_schema(copy, table)
    finally:
        await server.discard(copy)


def describe_error(error: MigrationFileError) -> str:
    """Return the message of *error*, with its line."""
    line = error.location.line if error.location else None
    return f"line {line}: {error.message}" if line else error.message


def _place(error: ScratchRefused) -> str:
    line = error.location.line if error.location else None
    return f"line {line}" if line else "a statement"
