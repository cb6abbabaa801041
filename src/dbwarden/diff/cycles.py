"""Resolve dependency cycles: create one part of an object later and drop it earlier. Pure.

PostgreSQL records the objects that an expression reads. A table whose default calls a function that
reads the table cannot be created in one statement, nor can two tables whose policies read each
other be dropped in two. A cycle is broken at a default, check or policy. A view that a function
reads and that calls the function exists without its query meanwhile, as in a dump.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from dbwarden.diff.changes import Alter, Change, Create, Drop, alters
from dbwarden.quoting import quoted
from dbwarden.schema import (
    RELATIONS,
    AnyObject,
    Column,
    Domain,
    ObjectKind,
    Policy,
    QualifiedName,
    Ref,
    Rule,
    Schema,
    Table,
    Trigger,
    View,
    ViewColumn,
    ref_of,
)
from dbwarden.schema.closure import reachable

_READ = RELATIONS | {ObjectKind.COLUMN}
Needs = Mapping[Ref, tuple[Ref, ...]]
ObjectStep = tuple[AnyObject | None, AnyObject | None]
PartsByTable = Mapping[QualifiedName, list[Ref]]


def dropped_before_table(schema: Schema) -> frozenset[Ref]:
    """Return the triggers, rules and policies that must be dropped before their table.

    They need an object that needs the table, or that is dropped with a table that does. Neither
    could be dropped while the other exists.
    """
    parts: tuple[Trigger | Rule | Policy, ...]
    parts = (*schema.of(Trigger), *schema.of(Rule), *schema.of(Policy))
    if not parts:
        return frozenset()
    needs, along = schema.needs(), _parts_by_table(schema, parts)
    return frozenset(part.ref for part in parts if _leads_back(needs, along, part.ref))


def break_cycles(
    changes: Iterable[Change], current: Schema, desired: Schema
) -> tuple[tuple[Change, ...], frozenset[Ref], frozenset[Ref]]:
    """Return *changes* with separate changes for the defaults, computed columns, domain checks and
    queries that close a cycle, and the objects created and dropped without them."""
    came, went = _Cycles(desired), _Cycles(current)
    found: list[Change] = []
    for change in changes:
        match change:
            case Create(obj=obj):
                first, later = came.split(obj, change.table)
                found += [replace(change, obj=first), *(_step(change, *step) for step in later)]
            case Drop(obj=obj):
                last, steps = went.split(obj, change.table)
                earlier = (_step(change, whole, bare) for bare, whole in reversed(steps))
                found += [*earlier, replace(change, obj=last)]
            case Alter(before=Column() as before, after=Column() as after):
                found += _alter_column(came, went, change.table, before, after)
            case _:
                found.append(change)
    return tuple(found), frozenset(came.bare), frozenset(went.bare)


def _step(change: Create | Drop, before: AnyObject | None, after: AnyObject | None) -> Change:
    """Return the change of an object of *change*, or of one of its columns."""
    on = change.table if isinstance(before or after, Column) else None
    if before is not None and after is not None:
        return Alter(before=before, after=after, on=on)
    if after is not None:
        return Create(obj=after, on=on)
    assert before is not None
    return Drop(obj=before, on=on)


def without_expressions(obj: Domain | View) -> Domain | View:
    """Return *obj* with its columns, but without expressions that could close a cycle."""
    if isinstance(obj, Domain):
        return replace(obj, checks=(), default=None)
    columns = tuple(
        ViewColumn(name=it.name, type=it.type, collation=it.collation) for it in obj.columns
    )
    return View(
        name=obj.name, definition=f"SELECT {', '.join(map(_null, columns))}", columns=columns
    )


def _null(column: ViewColumn) -> str:
    collate = f" COLLATE {column.collation}" if column.collation is not None else ""
    return f"NULL::{column.type}{collate} AS {quoted(column.name)}"


class _Cycles:
    """The cycles in one schema between expressions and the objects they belong to."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._needs: Needs | None = None
        self._parts_by_table: PartsByTable = {}
        self._functions_read_views = any(
            user.kind is ObjectKind.ROUTINE and needed.kind is ObjectKind.VIEW
            for user, needed in schema.dependencies
        )
        self.bare: set[Ref] = set()

    def is_cyclic(self, ref: Ref) -> bool:
        """Return whether the dependencies of *ref* lead back to it."""
        if ref.kind is ObjectKind.VIEW and not self._functions_read_views:
            return False
        if self._needs is None:
            self._needs, self._parts_by_table = self._schema.needs(), _parts_by_table(self._schema)
        return _leads_back(self._needs, self._parts_by_table, ref)

    def has_cyclic_default(self, table: QualifiedName, column: Column) -> bool:
        """Return whether the default of *column* leads back to its table."""
        has_default = column.default is not None
        return has_default and self.is_cyclic(ref_of(ObjectKind.DEFAULT, table, column.name))

    def split(self, obj: AnyObject, table: QualifiedName) -> tuple[AnyObject, list[ObjectStep]]:
        """Return *obj* without what closes a cycle, and the steps that complete it.

        A step is a column or the object itself, before and after; ``None`` is no column yet.
        """
        bare = obj
        match obj:
            case Table():
                late = self._cyclic_columns(obj)
                whole = [column for column in obj.columns if column not in late]
                kept = tuple(self._without_cyclic_default(table, column) for column in whole)
                steps: list[ObjectStep] = [(None, column) for column in late]
                steps += [(was, now) for was, now in zip(kept, whole, strict=True) if was != now]
                return replace(obj, columns=kept), steps
            case Column():
                bare = self._without_cyclic_default(table, obj)
            case Domain() | View() if self.is_cyclic(obj.ref):
                bare = without_expressions(obj)
                self.bare.add(obj.ref)
        return bare, [(bare, obj)] if bare is not obj else []

    def _without_cyclic_default(self, table: QualifiedName, column: Column) -> Column:
        return replace(column, default=None) if self.has_cyclic_default(table, column) else column

    def _cyclic_columns(self, table: Table) -> list[Column]:
        """Return the computed columns that lead back to *table*, except those of its keys."""
        held = {name for key in table.keys for name in key.columns}
        return [
            column
            for column in table.columns
            if column.generated is not None
            and column.name not in held
            and not column.inherited
            and self.is_cyclic(table.column_ref(column.name))
        ]


def _alter_column(
    came: _Cycles, went: _Cycles, table: QualifiedName, before: Column, after: Column
) -> Iterator[Change]:
    """Yield the change with a cyclic default dropped before, or set after, the rest of it."""
    states = [before, after]
    if before.default != after.default:
        if went.has_cyclic_default(table, before):
            states.insert(1, replace(before, default=None))
        if came.has_cyclic_default(table, after):
            states.insert(-1, replace(after, default=None))
    yield from alters(states, on=table)


def _parts_by_table(schema: Schema, parts: Iterable[Trigger | Rule | Policy] = ()) -> PartsByTable:
    """Return the objects that are created or dropped together with each table."""
    found: defaultdict[QualifiedName, list[Ref]] = defaultdict(list)
    for part in parts:
        found[part.table].append(part.ref)
    for table in schema.tables:
        found[table.name] += [ref_of(ObjectKind.TABLE, parent) for parent in table.parents]
        for column in table.columns:
            found[table.name].append(table.column_ref(column.name))
            if column.default is not None:
                found[table.name].append(ref_of(ObjectKind.DEFAULT, table.name, column.name))
    return found


def _leads_back(needs: Needs, along: PartsByTable, part: Ref) -> bool:
    """Return whether the dependencies of *part* lead back to its table, or to the domain itself."""

    def following(ref: Ref) -> Iterable[Ref]:
        return (*needs.get(ref, ()), *_parts_of(along, ref))

    others = [ref for ref in needs.get(part, ()) if not _is_own(ref, part)]
    return any(_is_own(ref, part) for ref in reachable(others, following))


def _parts_of(along: PartsByTable, ref: Ref) -> Iterable[Ref]:
    return along.get(ref.table, ()) if ref.kind in _READ else ()


def _is_own(ref: Ref, part: Ref) -> bool:
    """Return whether *ref* is the relation of *part*, or the domain *part* itself."""
    if part.kind is ObjectKind.DOMAIN:
        return ref == part
    return ref.kind in _READ and ref.table == part.table
