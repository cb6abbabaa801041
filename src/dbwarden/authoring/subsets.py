"""Take objects out of a schema, with their grants and dependencies. Pure."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import TypeVar

from dbwarden.schema import (
    ON_TABLES,
    Grant,
    ObjectKind,
    QualifiedName,
    Ref,
    Schema,
    SchemaObject,
    Sequence,
    Table,
)

T = TypeVar("T", bound=SchemaObject | Table)

PARTS_OF_TABLES = {ObjectKind.COLUMN, ObjectKind.DEFAULT, ObjectKind.CONSTRAINT, *ON_TABLES}
"""The kinds of objects that are dropped with their table."""


def keep_only(schema: Schema, stays: Callable[[Ref], bool]) -> Schema:
    """Return the tables and objects of *schema* that stay; a grant stays with its object."""

    def kept(objects: Iterable[T]) -> tuple[T, ...]:
        return tuple(obj for obj in objects if stays(obj.on if isinstance(obj, Grant) else obj.ref))

    return replace(
        schema,
        tables=kept(schema.tables),
        objects=kept(schema.objects),
        existing_grants=kept(schema.existing_grants),
        dependencies=tuple(pair for pair in schema.dependencies if all(map(stays, pair))),
    )


def without_tables(schema: Schema, names: Collection[QualifiedName]) -> Schema:
    """Return *schema* without the tables called *names*, what is on them, and their sequences."""
    owned = {each.ref for each in schema.of(Sequence) if belongs(each, names)}
    kinds = {ObjectKind.TABLE, *PARTS_OF_TABLES}
    return keep_only(
        schema, lambda ref: ref not in owned and not (ref.table in names and ref.kind in kinds)
    )


def belongs(sequence: Sequence, names: Collection[QualifiedName]) -> bool:
    """Return whether a table called one of *names* owns *sequence*."""
    return sequence.owned_by is not None and sequence.owned_by.table in names
