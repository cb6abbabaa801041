"""Name objects as the command line does: ``users.email``. Pure."""

from collections.abc import Iterable
from dataclasses import replace

from dbwarden.authoring.subsets import PARTS_OF_TABLES
from dbwarden.diff.changes import Alter, Change, Create, Drop
from dbwarden.printable import shorten as shorten
from dbwarden.quoting import quoted
from dbwarden.schema import (
    OBJECT_KINDS,
    Grant,
    ObjectKind,
    Ref,
    Schema,
    ref_of,
)


def display_name(ref: Ref, default_namespace: str | None) -> str:
    """Return the kind and name of *ref*, without the default namespace: ``column users.email``."""
    plain = replace(ref, namespace=None) if ref.namespace == default_namespace else ref
    if ref.kind is ObjectKind.NAMESPACE and ref.name == default_namespace != "public":
        return "default namespace"
    if ref.kind is ObjectKind.DEFAULT_PRIVILEGES and ref.name == default_namespace:
        plain = replace(ref, name="")
    if ref.kind is ObjectKind.GRANT and default_namespace is not None:
        word, _, name = ref.name.partition(" ")
        for own in (default_namespace, quoted(default_namespace)):
            name = name.removeprefix(f"{own}.")
        plain = replace(ref, name=f"{word.lower()} {name}")
    return str(plain)


def unique(names: Iterable[str]) -> tuple[str, ...]:
    """Return *names* without repetitions, in their order."""
    return tuple(dict.fromkeys(names))


def group_of(change: Change, default_namespace: str | None) -> str:
    """Return the heading of *change* in a migration: ``table users``, ``enum status``."""
    if (grant := _grant_of(change)) is not None:  # listed with its object
        return display_name(grant.on, default_namespace)
    ref = change.ref
    if ref.kind is ObjectKind.ENUM:  # a value of it, too
        return f"enum {change.table.label(default_namespace)}"
    if ref.kind in (ObjectKind.TABLE, *PARTS_OF_TABLES) or change.table != ref.table:  # an index
        return f"table {change.table.label(default_namespace)}"
    return display_name(ref, default_namespace)


def _grant_of(change: Change) -> Grant | None:
    match change:
        case Create(obj=Grant() as grant) | Drop(obj=Grant() as grant):
            return grant
        case Alter(after=Grant() as grant):
            return grant
        case _:
            return None


def columns_by_label(schema: Schema) -> dict[str, Ref]:
    """Return every column by its label."""
    return {
        table.name.label(schema.default_namespace, column.name): ref_of(
            ObjectKind.COLUMN, table.name, column.name
        )
        for table in schema.tables
        for column in table.columns
    }


def objects_by_label(schema: Schema) -> dict[str, Ref]:
    """Return tables, types, views and sequences by their labels."""
    objects = [obj.ref for obj in schema.objects if OBJECT_KINDS[obj.ref.kind].names]
    objects += [table.ref for table in schema.tables]
    return {ref.table.label(schema.default_namespace): ref for ref in objects}
