"""Refuse what SQLite does not support, naming the object. Pure."""

from dataclasses import fields
from typing import Any, NoReturn

from dbwarden.dialects.sqlite.catalog.tables import KEYS, NOT_NULL_ON_CONFLICT, ON_CONFLICT
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import (
    Check,
    Column,
    Exclusion,
    ForeignKey,
    Generated,
    Index,
    IndexColumn,
    ObjectKind,
    PlainObject,
    PrimaryKey,
    QualifiedName,
    Ref,
    SchemaObject,
    Table,
    Trigger,
    Unique,
    View,
    ViewColumn,
)

HAS: dict[type, frozenset[str]] = {
    Table: frozenset(
        {
            *("name", "columns", "primary_key", "uniques", "foreign_keys", "checks", "indexes"),
            *("strict", "without_rowid", "autoincrement", "virtual", "exclusions"),
        }
    ),
    Column: frozenset({"name", "type", "collation", "not_null", "default", "generated"}),
    Generated: frozenset({"expression", "stored"}),
    PrimaryKey: frozenset({"name", "columns"}),
    Unique: frozenset({"name", "columns"}),
    ForeignKey: frozenset(
        {
            *("name", "columns", "references", "referred_columns", "on_update", "on_delete"),
            *("match", "deferrable"),
        }
    ),
    Check: frozenset({"name", "expression", "columns"}),
    Exclusion: frozenset(),
    Index: frozenset({"name", "columns", "unique", "where"}),
    IndexColumn: frozenset({"column", "expression", "collation", "descending"}),
    View: frozenset({"name", "definition", "columns"}),
    ViewColumn: frozenset({"name", "type", "collation"}),
    Trigger: frozenset({"name", "table", "definition"}),
}
"""The fields of each object that SQLite supports."""

PARAMETERS: dict[type, frozenset[str]] = {
    Column: frozenset({NOT_NULL_ON_CONFLICT}),
    PrimaryKey: frozenset({KEYS, ON_CONFLICT}),
    Unique: frozenset({KEYS, ON_CONFLICT}),
    View: frozenset({KEYS}),
}
"""Parameters that the catalog reader creates for features that only SQLite has."""


def require_table(table: Table) -> None:
    """Refuse a table that SQLite cannot have.

    Raises:
        UnsupportedChange: Names the table or its part, and the missing feature.
    """
    _require(table, table.ref)
    _require_no_namespace(table.name, table.ref)
    for part in table.parts:
        own = part.ref_in(table.name)
        if isinstance(part, Exclusion):
            _refuse("exclusion constraints", own)
        _require(part, own)
        if isinstance(part, ForeignKey):
            _require_no_namespace(part.references, own)
        for key in part.columns if isinstance(part, Index) else ():
            _require(key, own)


def require_object(obj: SchemaObject) -> View | Trigger:
    """Return *obj* if SQLite supports it.

    Raises:
        UnsupportedChange: SQLite does not; names the object.
    """
    match obj:
        case View():
            _require(obj, obj.ref)
            _require_no_namespace(obj.name, obj.ref)
            for column in obj.columns:
                _require(column, obj.ref)
        case Trigger():
            _require(obj, obj.ref)
            _require_no_namespace(obj.table, obj.ref)
        case PlainObject(kind=ObjectKind.OTHER):
            refuse_change(obj.ref)
        case _:
            refuse_kind(obj.ref)
    return obj


def refuse_kind(ref: Ref) -> NoReturn:
    """Refuse a kind of object that SQLite does not have."""
    plural = {ObjectKind.OTHER: "such things", ObjectKind.DEFAULT_PRIVILEGES: "default privileges"}
    _refuse(plural.get(ref.kind, f"{ref.kind.value}s"), ref)


def refuse_change(ref: Ref) -> NoReturn:
    """Refuse a change that dbwarden does not make."""
    raise UnsupportedChange(
        f"dbwarden does not change {ref} on SQLite.",
        next_step="Write that change by hand: dbwarden new -m '...'.",
    )


def _refuse(feature: str, ref: Ref) -> NoReturn:
    raise UnsupportedChange(
        f"SQLite has no {feature}, which {ref} needs.",
        next_step="Leave it out of the models of this database, or keep them for PostgreSQL.",
    )


def _require_no_namespace(name: QualifiedName, ref: Ref) -> None:
    if name.namespace not in (None, "main"):
        _refuse("namespaces", ref)


def _require(value: Any, ref: Ref) -> None:
    for name, _ in getattr(value, "parameters", ()):
        if name not in PARAMETERS.get(type(value), ()):
            _refuse(f"{name} here", ref)
    for field in fields(value):
        if field.name == "parameters":
            continue
        if field.name not in HAS[type(value)] and getattr(value, field.name) != field.default:
            _refuse(field.name.replace("_", " "), ref)
