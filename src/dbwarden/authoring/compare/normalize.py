"""Remove differences in spelling only; the server decides which are.

Expressions are compared first: ``now()`` and ``CURRENT_TIMESTAMP`` are equal. PostgreSQL may also
print a view differently after its printed form is run. Objects that print the same after both
schemas are rebuilt are equal. SQLite keeps the original text, and its dialect compares without a
server.
"""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from dbwarden.authoring.collect.current import schema_source
from dbwarden.authoring.collect.hints import Hints
from dbwarden.authoring.compare.expressions import with_same_expressions
from dbwarden.authoring.compare.left_out import buildable
from dbwarden.authoring.generate.apply_hints import with_hints
from dbwarden.authoring.scratch_session import EMPTY, ScratchSession
from dbwarden.errors import StatementFailed, UnsupportedChange
from dbwarden.schema import Check, Column, Index, Schema, Table

Leaves = Mapping[Hashable, Any]


def leaves(schema: Schema) -> dict[Hashable, Any]:
    """Return every part of *schema* that is compared separately, by its identity."""
    by_key: dict[Hashable, Any] = {obj.ref: obj for obj in schema.objects}
    for table in schema.tables:
        by_key.update(_of_table(table))
    return by_key


def _of_table(table: Table) -> Iterator[tuple[Hashable, Any]]:
    if table.virtual is not None:
        yield (table.name, "virtual", ""), table
    for part in table.parts:
        yield (table.name, part.kind, part.key), part


def unequal_leaves(
    current: Schema, desired: Schema
) -> tuple[dict[Hashable, Any], dict[Hashable, Any]]:
    """Return the leaves of both schemas, without those of equal tables."""
    same = {table.name: table for table in current.tables}
    alike = {table.name for table in desired.tables if same.get(table.name) == table}
    first, second = (
        replace(schema, tables=tuple(table for table in schema.tables if table.name not in alike))
        for schema in (current, desired)
    )
    return leaves(first), leaves(second)


def differing(one: Leaves, other: Leaves) -> list[Hashable]:
    """Return the keys whose values differ."""
    return [key for key, value in one.items() if key in other and other[key] != value]


async def normalize_schema(session: ScratchSession, current: Schema, desired: Schema) -> Schema:
    """Return *desired* with the spelling of *current* wherever the two mean the same."""
    desired = session.authoring_dialect.match_names(current, desired)
    old, new = unequal_leaves(current, desired)
    pairs = {key: (old[key], new[key]) for key in differing(old, new)}
    if not pairs:
        return desired
    compared = await with_same_expressions(session, (current, desired), pairs)
    new = {**new, **{key: other for key, (_, other) in compared.items()}}
    desired = with_leaves(desired, new)
    unlike = differing(old, new)
    plain = {key: session.authoring_dialect.are_equivalent(old[key], new[key]) for key in unlike}
    if None not in plain.values():
        return with_leaves(desired, {key: old[key] for key, same in plain.items() if same})
    try:
        old_again = leaves(await _print_again(session, current))
        new_again = leaves(await _print_again(session, desired))
    except (UnsupportedChange, StatementFailed):
        # A schema that cannot be built in one go is compared without rebuilding.
        return desired
    same = {
        key: old[key]
        for key in unlike
        if {old[key], old_again.get(key)} & {new[key], new_again.get(key)} - {None}
    }
    return with_leaves(desired, same) if same else desired


async def _print_again(session: ScratchSession, schema: Schema) -> Schema:
    empty = await session.schema(EMPTY)
    return await session.schema(await schema_source(session, buildable(schema, empty), empty))


def with_leaves(schema: Schema, replaced: Leaves) -> Schema:
    """Return *schema* with some of its leaves replaced."""
    objects = tuple(replaced.get(obj.ref, obj) for obj in schema.objects)
    tables = tuple(_table_with(table, replaced) for table in schema.tables)
    return replace(schema, tables=tables, objects=objects)


def _table_with(table: Table, replaced: Leaves) -> Table:
    if table.virtual is not None:
        whole: Table = replaced.get((table.name, "virtual", ""), table)
        return whole
    return table.map_parts(lambda part: replaced.get((table.name, part.kind, part.key), part))


async def confirm_hints(session: ScratchSession, schema: Schema, words: Hints) -> Hints:
    """Return the hints in *words* that equal the expressions of *schema*."""
    default = schema.default_namespace
    pairs: dict[Hashable, tuple[Any, Any]] = {}
    for table in schema.tables:
        for key, part in _of_table(table):
            if isinstance(part, Check | Column | Index):
                own = with_hints(part, table.name, words, default)
                if own != part:
                    pairs[key] = (part, own)
    compared = await with_same_expressions(session, (schema, schema), pairs)
    wrong = {
        (key[0].name, key[2])
        for key, (part, own) in compared.items()
        if part != own and isinstance(key, tuple)
    }

    return Hints(
        texts={
            key: text for key, text in words.texts.items() if (key[1].name, key[2]) not in wrong
        },
        indexes={
            key: it for key, it in words.indexes.items() if (key[0].name, key[1]) not in wrong
        },
    )
