"""Apply changes to values, and refuse them as a database would."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from dbwarden.diff.alterable import differing
from dbwarden.diff.changes import Alter, Change, Create, Drop, RebuildType, Rename, RenameValue
from dbwarden.diff.compare import compare
from dbwarden.diff.effects import effects
from dbwarden.diff.renames import apply_renames
from dbwarden.diff.structure import links
from dbwarden.schema import (
    AnyObject,
    Check,
    Column,
    Exclusion,
    ForeignKey,
    Index,
    Part,
    PrimaryKey,
    QualifiedName,
    Ref,
    Schema,
    Table,
    Unique,
)

FIELDS = {Unique: "uniques", ForeignKey: "foreign_keys", Check: "checks", Exclusion: "exclusions"}
OWN = (
    *("comment", "parameters", "unlogged", "access_method", "partition_by", "partition_of"),
    *("inherits", "row_security", "force_row_security", "replica_identity", "strict"),
    *("without_rowid", "autoincrement", "virtual"),
)


def apply(schema: Schema, changes: Iterable[Change]) -> Schema:
    """*schema* after *changes*, sorted so that order makes no difference."""
    for change in changes:
        schema = _apply(schema, change)
    return plain(schema)


def plain(schema: Schema) -> Schema:
    """*schema* with everything sorted: what stands where says nothing."""
    tables = sorted(map(_sorted_table, schema.tables), key=lambda item: item.ref.sort_key)
    return replace(schema.with_objects(schema.objects), tables=tuple(tables), dependencies=())


def _sorted_table(table: Table) -> Table:
    changed: dict[str, Any] = {
        name: tuple(sorted(getattr(table, name), key=lambda item: item.name or ""))
        for name in ("columns", "uniques", "foreign_keys", "checks", "exclusions", "indexes")
    }
    return replace(table, **changed)


def _apply(schema: Schema, change: Change) -> Schema:
    match change:
        case Create(obj=obj):
            return _replace(schema, change.table, None, obj)
        case Drop(obj=obj):
            return _replace(schema, change.table, obj, None)
        case Alter(before=before, after=after):
            return _replace(schema, change.table, before, after)
        case RebuildType(types=types, columns=columns):
            for before, after in types:
                schema = _objects(schema, before, after)
            for name, was, now in columns:
                schema = _replace(schema, name, was, now)
            return schema
        case Rename() | RenameValue():
            return apply_renames(schema, [change])


def _replace(
    schema: Schema, name: QualifiedName, before: AnyObject | None, after: AnyObject | None
) -> Schema:
    match before, after:
        case None, Table() as table:
            return replace(schema, tables=(*schema.tables, table))
        case Table(), None:
            return replace(schema, tables=tuple(t for t in schema.tables if t.name != name))
        case Table(), Table():
            new = {name: getattr(after, name) for name in OWN if name in differing(before, after)}
            return _edit(schema, name, lambda table: replace(table, **new))
        case (Column(), _) | (_, Column()):
            return _edit(schema, name, lambda table: _swap(table, "columns", before, after))
        case (Index(), _) | (_, Index()):
            return _edit(schema, name, lambda table: _swap(table, "indexes", before, after))
        case (Part(), _) | (_, Part()):
            return _edit(schema, name, lambda table: _constraint(table, before, after))
        case _:
            return _objects(schema, before, after)


def _constraint(table: Table, before: AnyObject | None, after: AnyObject | None) -> Table:
    some = after or before
    if isinstance(some, PrimaryKey):
        assert table.primary_key == before
        assert after is None or isinstance(after, PrimaryKey)
        return replace(table, primary_key=after)
    return _swap(table, FIELDS[type(some)], before, after)


def _swap(table: Table, field: str, before: object, after: object) -> Table:
    items: list[object] = list(getattr(table, field))
    if before is not None:
        assert before in items, f"{before} is not in {table.name}"
        items.remove(before)
    if after is not None:
        items.append(after)
    changes: dict[str, Any] = {field: tuple(items)}
    return replace(table, **changes)


def _edit(schema: Schema, name: QualifiedName, edit: Any) -> Schema:
    assert schema.table(name) is not None, f"there is no table {name}"
    tables = tuple(edit(table) if table.name == name else table for table in schema.tables)
    return replace(schema, tables=tables)


def _objects(schema: Schema, before: Any, after: Any) -> Schema:
    items = list(schema.objects)
    if before is not None:
        assert before in items, f"{before.ref} is not there"
        items.remove(before)
    if after is not None:
        items.append(after)
    return replace(schema, objects=tuple(items))


def refusals(current: Schema, desired: Schema, changes: Iterable[Change]) -> list[str]:
    """What a database would refuse while *changes* run in their order."""
    old, new = links(current), links(desired)
    wanted = _refs(desired)
    live = {ref: frozenset(old.needs.get(ref, ())) for ref in _refs(current)}
    found: list[str] = []
    for change in changes:
        effect = effects(change)
        found += [f"{ref} is not there" for ref in effect.removes if ref not in live]
        for ref in effect.removes:
            live.pop(ref, None)
        for ref, needs in live.items():
            if ref.part != "ownership":  # a sequence goes with its owner
                found += [f"{ref} still needs {lost}" for lost in needs & effect.removes]
        made = effect.makes - {ref for ref in effect.makes if isinstance(change, RebuildType)}
        found += [f"{ref} is there already" for ref in made if ref in live]
        for ref in effect.makes | effect.touches:
            live[ref] = frozenset(new.needs.get(ref, ()))
        for ref in effect.makes:
            missing = [need for need in live[ref] if need in wanted and need not in live]
            found += [f"{ref} does not find {need}" for need in missing]
    return found


def _refs(schema: Schema) -> set[Ref]:
    return {ref for change in compare(Schema(), schema) for ref in effects(change).makes}
