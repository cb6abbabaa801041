"""Compare the schemas of imported files with those of the other tool."""

from dataclasses import replace

from dbwarden.authoring.collect.foreign_histories import is_ledger
from dbwarden.authoring.labels import display_name
from dbwarden.authoring.prove.proof import differences
from dbwarden.authoring.scratch_session import ScratchSession
from dbwarden.dialects.authoring import ScratchDatabase
from dbwarden.schema import Schema, Sequence


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
    if not gone:
        return schema
    return replace(
        schema,
        tables=tuple(each for each in schema.tables if each.name not in gone),
        objects=tuple(
            obj
            for obj in schema.objects
            if not (isinstance(obj, Sequence) and obj.owned_by and obj.owned_by.table in gone)
        ),
        dependencies=tuple(
            pair for pair in schema.dependencies if not gone & {ref.table for ref in pair}
        ),
    )


async def describe(session: ScratchSession, actual: Schema, expected: Schema) -> tuple[str, ...]:
    """Return the objects that differ between two schemas."""
    if actual == expected:
        return ()
    changes = await differences(session, actual, expected)
    default = expected.default_namespace
    return tuple(dict.fromkeys(display_name(change.ref, default) for change in changes))
