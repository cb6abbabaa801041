"""Compare the schemas of imported files with those of the other tool."""

from dbwarden.authoring.collect.foreign_histories import is_ledger
from dbwarden.authoring.labels import display_name, unique
from dbwarden.authoring.prove.verdict import differences
from dbwarden.authoring.scratch_session import ScratchSession
from dbwarden.authoring.subsets import without_tables
from dbwarden.dialects.authoring import ScratchDatabase
from dbwarden.schema import Schema


async def read_schema(database: ScratchDatabase, table: str) -> Schema:
    """Read the schema of *database* without *table*, in which the other tool keeps its history."""
    schema = await database.read()
    default = schema.default_namespace
    gone = {
        each.name
        for each in schema.tables
        if is_ledger(each)
        or table in (each.name.name, f"{each.name.namespace or default}.{each.name.name}")
    }
    return without_tables(schema, gone) if gone else schema


async def describe(session: ScratchSession, actual: Schema, expected: Schema) -> tuple[str, ...]:
    """Return the objects that differ between two schemas."""
    if actual == expected:
        return ()
    changes = await differences(session, actual, expected)
    default = expected.default_namespace
    return unique(display_name(change.ref, default) for change in changes)
