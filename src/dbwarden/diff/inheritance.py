"""Separate the changes of a table from those that its parents make in it. Pure.

The server repeats a change of a parent in its children, and merges what a parent adds with an equal
part of a child. A plan changes parents first. So a child is compared as it is after the changes of
its parents, and before it joins new ones: :func:`own_states`.

A table must have all columns and checks of a parent before it joins it. It keeps them as its own
when it leaves, or when the parent drops them with ONLY.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar

from dbwarden.diff.alterable import differing, object_alters
from dbwarden.schema import (
    AnyObject,
    Check,
    Column,
    Constraint,
    Index,
    QualifiedName,
    Schema,
    Table,
)

TablePart = Column | Constraint | Index
P = TypeVar("P", bound=TablePart)
FOLLOWS_TYPE = ("type", "collation")
"""The fields of a column that a child cannot change if a parent has it, too."""
FOLLOWS = (*FOLLOWS_TYPE, "not_null", "default", "generated", "identity")
"""The fields of an inherited column that the server changes together with the parent's."""


class SchemaPair:
    """The two schemas to compare, with their tables by name."""

    def __init__(self, current: Schema, desired: Schema) -> None:
        self.current = current
        self.desired = desired
        self.old = {table.name: table for table in current.tables}
        self.new = {table.name: table for table in desired.tables}
        self.children: defaultdict[QualifiedName, list[tuple[Table, Table]]] = defaultdict(list)
        """The tables that inherit from each table in both schemas, before and after."""
        for after in desired.tables:
            before = self.old.get(after.name)
            for parent in after.inherits if before is not None else ():
                if before is not None and parent in before.inherits:
                    self.children[parent].append((before, after))

    def remaining_parents(self, before: Table, after: Table) -> Iterator[tuple[Table, Table]]:
        """Yield the parents that a table keeps, before and after."""
        for name in before.parents:
            if name in after.parents and name in self.old and name in self.new:
                yield self.old[name], self.new[name]


def own_states(
    both: SchemaPair, before: Table, after: Table, dropped: tuple[Index, ...] = ()
) -> tuple[Table, Table]:
    """Return a table before and after its own changes, without the parts that its parents change.

    *dropped* are inherited indexes that the table drops itself.
    """

    def old(part: Any) -> Any:
        """Return *part* as it is before the table's own changes; ``None`` if it is not its own."""
        if isinstance(part, Column) and (now := after.column(part.name)) is not None:
            return _with_parent_changes(both, (before, after), part, now)
        stays = _is_from_others(both.old, before, after, part) or _is_left_behind(both, after, part)
        return _as_own(part) if not part.inherited or stays or part in dropped else None

    def new(part: Any) -> Any:
        """Return *part* as it is after them and before the table joins new parents."""
        if not part.inherited or (isinstance(part, Column) and before.column(part.name)):
            return part
        own = _as_own(part)
        if isinstance(part, Column | Check) and _is_from_others(both.new, after, before, part):
            return own
        merged = any(is_equal_but_name(item, own) for item in (*was.constraints, *was.indexes))
        return own if merged else None

    was = before.map_parts(old)
    return was, after.map_parts(new)


def _is_from_others(
    tables: dict[QualifiedName, Table], table: Table, other: Table, part: TablePart
) -> bool:
    """Return whether *part* of *table* comes only from parents that *other* does not have.

    *other* is the same table in the other schema.
    """
    kept = set(table.parents) & set(other.parents)
    return (
        part.inherited
        and kept != set(table.parents)
        and not any(_same(tables[name], part) for name in kept if name in tables)
    )


def _is_left_behind(both: SchemaPair, child: Table, part: TablePart) -> bool:
    """Return whether a parent of *child* drops *part* with ONLY."""
    for name in child.inherits:
        was = _same(both.old[name], part) if name in both.old else None
        if was is not None and name in both.new and is_kept_below(both, both.new[name], was):
            return True
    return False


def is_kept_below(both: SchemaPair, table: Table, part: AnyObject) -> bool:
    """Return whether *table* loses a column or check that a child keeps as its own."""
    if not isinstance(part, Column | Check) or _has(table, part):
        return False
    for before, after in both.children[table.name]:
        was, now = _same(before, part), _same(after, part)
        if was is None or not was.inherited:
            continue
        remains = isinstance(now, Column) or (now and object_alters(_as_own(was), now))
        if now is not None and not now.inherited and remains:
            return True
        if is_kept_below(both, after, was):
            return True
    return False


def _has(table: Table, part: Column | Check) -> bool:
    """Return whether *table* has *part*, a check also under another name."""
    if isinstance(part, Column):
        return table.column(part.name) is not None
    return any(is_equal_but_name(_as_own(part), _as_own(check)) for check in table.checks)


def checks_valid_in_child(
    both: SchemaPair, before: Table, after: Table
) -> Iterator[tuple[Check, Check]]:
    """Yield the inherited checks that are only valid here, not in the parent, old and new.

    A table created after its parent's NOT VALID check has it as a valid one.
    """
    for old, new in both.remaining_parents(before, after):
        for check in after.checks:
            was, now, own = (_same(table, check) for table in (old, new, before))
            if not (check.inherited and check.validated) or not isinstance(now, Check):
                continue
            stays = was is not None and object_alters(was, now)
            valid = stays and isinstance(own, Check) and own.validated
            if not now.validated and not valid:
                yield replace(check, validated=False), check


def is_equal_but_name(one: object, other: object) -> bool:
    """Return whether two parts of a table differ in nothing but their names."""
    return type(one) is type(other) and differing(one, other) <= {"name"}


def _same(table: Table, part: P) -> P | None:
    """Return the part of *table* that has the name of *part*."""
    alike = (it for it in table.parts if isinstance(it, type(part)) and it.name == part.name)
    return next(alike, None)


def _as_own(part: P) -> P:
    return replace(part, inherited=False)


def _with_parent_changes(
    both: SchemaPair, states: tuple[Table, Table], before: Column, after: Column
) -> Column:
    """Return *before* after the changes of the parents' columns, which apply to children."""
    changed: dict[str, object] = {"inherited": after.inherited}
    for parents in both.remaining_parents(*states):
        was, now = (_for_children(table.column(after.name)) for table in parents)
        for name in FOLLOWS if after.inherited else FOLLOWS_TYPE:
            old, new, own = (getattr(column, name, None) for column in (was, now, after))
            # A partition uses the sequence of its parent's identity.
            shared = name == "identity" and after.identity and after.identity.sequence is None
            if was is not None and now is not None and old != new and (own == new or shared):
                changed[name] = own
    return replace(before, **changed)  # type: ignore[arg-type]  # names and values of Column's fields


def _for_children(column: Column | None) -> Column | None:
    """Return the column that children inherit."""
    return replace(column, not_null=reaches_children(column)) if column is not None else None


def reaches_children(column: Column) -> bool:
    """Return whether children inherit the NOT NULL of *column*."""
    return column.not_null and "NO INHERIT" not in column.not_null_state
