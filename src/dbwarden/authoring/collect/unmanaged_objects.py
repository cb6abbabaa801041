"""What hand-written migrations made and models cannot say stays as it is.

Models say tables, their parts, enums and sequences by themselves. Functions, triggers, views,
policies, extensions and the like reach a database through DDL events, ``schema_paths`` or
hand-written migrations. Where there are ``schema_paths``, these are the whole truth. Otherwise
what a hand-written file made is not dropped because no model mentions it.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

from dbwarden.authoring.collect.current import files_source
from dbwarden.authoring.scratch_session import ScratchSession
from dbwarden.files.migration import Migration
from dbwarden.schema import ObjectKind, Ref, Schema

KINDS = (
    *("namespaces", "extensions", "domains", "composite_types", "routines", "aggregates"),
    *("views", "materialized_views", "triggers", "event_triggers", "rules", "policies"),
    *("statistics", "others", "grants", "default_privileges"),
)
ON_TABLES = (ObjectKind.TRIGGER, ObjectKind.RULE, ObjectKind.POLICY)
"""What has no name of its own, but one within its table."""
MARK = "-- Verdict: "
"""What stands in the header of a migration that make-migrations wrote."""


def is_generated(text: str) -> bool:
    """Whether *text*, a whole migration file, was written by make-migrations."""
    head = text.partition("-- upgrade")[0]
    return any(line.startswith(MARK) for line in head.splitlines())


async def preserve_unmanaged(
    scratch: ScratchSession,
    files: Sequence[Migration],
    handwritten: Sequence[Migration],
    desired: Schema,
) -> tuple[Schema, frozenset[Ref]]:
    """*desired* with what only the *handmade* among *files* have made, and which that is.

    Replays as often as there are hand-written files, but only when something would be dropped.
    """
    current = await scratch.schema(files_source(files))
    gone = _only_in(current, desired)
    if not gone or not handwritten:
        return desired, frozenset()
    made: set[Ref] = set()
    for place, migration in enumerate(files):
        if migration in handwritten:
            before = _refs(await scratch.schema(files_source(files[:place])))
            after = _refs(await scratch.schema(files_source(files[: place + 1])))
            made |= after - before
    stays = {ref for ref in gone if ref in made or _was_on_another_table(ref, made, current)}
    return with_objects(desired, current, stays), frozenset(stays)


def _was_on_another_table(ref: Ref, made: AbstractSet[Ref], current: Schema) -> bool:
    """Whether *ref* is one of those *made*, whose table a later migration renamed."""
    return ref.kind in ON_TABLES and any(
        (old.kind, old.part) == (ref.kind, ref.part) and current.table(old.table) is None
        for old in made
    )


def _refs(schema: Schema) -> set[Ref]:
    return {obj.ref for kind in KINDS for obj in getattr(schema, kind)}


def _only_in(current: Schema, desired: Schema) -> set[Ref]:
    return _refs(current) - _refs(desired)


def with_objects(desired: Schema, current: Schema, refs: AbstractSet[Ref]) -> Schema:
    """*desired* and those things of *current* that *refs* name, with what they need."""
    if not refs:
        return desired
    changed: dict[str, Any] = {}
    for kind in KINDS:
        objects = (
            *getattr(desired, kind),
            *(obj for obj in getattr(current, kind) if obj.ref in refs),
        )
        changed[kind] = tuple(sorted(objects, key=lambda obj: obj.ref.sort_key))
    pairs = {*desired.dependencies, *(pair for pair in current.dependencies if pair[0] in refs)}
    ordered = sorted(pairs, key=lambda pair: (pair[0].sort_key, pair[1].sort_key))
    return replace(desired, dependencies=tuple(ordered), **changed)


def without_objects(schema: Schema, refs: AbstractSet[Ref]) -> Schema:
    """*schema* but for those things that *refs* name."""
    changed: dict[str, Any] = {
        kind: tuple(obj for obj in getattr(schema, kind) if obj.ref not in refs) for kind in KINDS
    }
    pairs = tuple(pair for pair in schema.dependencies if pair[0] not in refs)
    return replace(schema, dependencies=pairs, **changed)


def with_virtual_tables(current: Schema, desired: Schema) -> Schema:
    """*desired* and the virtual tables of *current*: models don't know them, so they stay."""
    there = {table.name.name.lower() for table in desired.tables}
    virtual = [table for table in current.tables if table.virtual is not None]
    kept = [table for table in virtual if table.name.name.lower() not in there]
    if not kept:
        return desired
    tables = sorted((*desired.tables, *kept), key=lambda table: table.name)
    return replace(desired, tables=tuple(tables))
