"""Preserve objects of handwritten migrations that models cannot express.

Models express tables, their parts, enums and sequences. Functions, triggers, views, policies and
extensions come from DDL events, ``schema_paths`` or handwritten migrations. If there are
``schema_paths``, they are complete. Otherwise, objects of handwritten migrations are not dropped,
although no model mentions them.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from dbwarden.authoring.collect.current import files_source
from dbwarden.authoring.scratch_session import ScratchSession
from dbwarden.files.migration import Migration
from dbwarden.schema import OBJECT_KINDS, ON_TABLES, Ref, Schema


async def preserve_unmanaged(
    session: ScratchSession, files: Sequence[Migration], desired: Schema
) -> tuple[Schema, frozenset[Ref]]:
    """Return *desired* with the objects that only handwritten *files* create, and their refs.

    This replays the files once per handwritten file, but only if objects would be dropped.
    """
    handwritten = [migration for migration in files if "generated" not in migration.declares]
    if session.config.schema_paths:
        return desired, frozenset()
    current = await session.schema(files_source(files))
    missing = unmanaged(current) - unmanaged(desired)
    if not missing or not handwritten:
        return desired, frozenset()
    created: set[Ref] = set()
    for place, migration in enumerate(files):
        if migration in handwritten:
            before = unmanaged(await session.schema(files_source(files[:place])))
            after = unmanaged(await session.schema(files_source(files[: place + 1])))
            created |= after - before
    moved = {ref for ref in missing if _was_on_another_table(ref, created, current)}
    stays = missing & created | moved
    return with_objects(desired, current, stays), frozenset(stays)


def _was_on_another_table(ref: Ref, created: AbstractSet[Ref], current: Schema) -> bool:
    """Return whether *ref* is in *created* under a table name that a later migration changed."""
    return ref.kind in ON_TABLES and any(
        (old.kind, old.part) == (ref.kind, ref.part) and current.table(old.table) is None
        for old in created
    )


def unmanaged(schema: Schema) -> set[Ref]:
    """Return the objects of the kinds that models cannot express."""
    refs = {obj.ref for obj in schema.objects}
    return {ref for ref in refs if not OBJECT_KINDS[ref.kind].in_models}


def with_objects(desired: Schema, current: Schema, refs: AbstractSet[Ref]) -> Schema:
    """Return *desired* with the objects of *current* that *refs* name, and their dependencies."""
    if not refs:
        return desired
    added = (obj for obj in current.objects if obj.ref in refs)
    pairs = {*desired.dependencies, *(pair for pair in current.dependencies if pair[0] in refs)}
    ordered = sorted(pairs, key=lambda pair: (pair[0].sort_key, pair[1].sort_key))
    return replace(desired.with_objects((*desired.objects, *added)), dependencies=tuple(ordered))


def without_objects(schema: Schema, refs: AbstractSet[Ref]) -> Schema:
    """Return *schema* without the objects that *refs* name."""
    objects = tuple(obj for obj in schema.objects if obj.ref not in refs)
    pairs = tuple(pair for pair in schema.dependencies if pair[0] not in refs)
    return replace(schema, objects=objects, dependencies=pairs)


def with_virtual_tables(current: Schema, desired: Schema) -> Schema:
    """Return *desired* with the virtual tables of *current*, which models cannot express."""
    there = {table.name.name.lower() for table in desired.tables}
    virtual = [table for table in current.tables if table.virtual is not None]
    undefined = [table for table in virtual if table.name.name.lower() not in there]
    if not undefined:
        return desired
    tables = sorted((*desired.tables, *undefined), key=lambda table: table.name)
    return replace(desired, tables=tuple(tables))
