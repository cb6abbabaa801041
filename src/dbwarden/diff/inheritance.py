"""Compare what a child table inherits from its parents. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

from dbwarden.diff.alterable import differing, object_alters
from dbwarden.schema import Check, Column, Constraint, Index, QualifiedName, Schema, Table

P = TypeVar("P", bound="Constraint | Index")


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaPair:
    """The two schemas to compare."""

    current: Schema
    desired: Schema


def compared_items(
    both: SchemaPair, before: Table, after: Table, items: Callable[[Table], Sequence[P]]
) -> tuple[list[P], list[P]]:
    """Return the constraints or indexes to compare: those that no parent manages.

    Inherited items are left to the parent. They become the table's own if it leaves the parent, or
    if the parent loses a check that a child keeps. Items that the table has and the parent will
    add are merged by the server. Checks of a new parent must exist before the table joins it.
    """
    left = set(before.parents) - set(after.parents)
    old = [
        _as_local(item)
        for item in items(before)
        if left or not item.inherited or _check_left(both, after, item)
    ]
    new = [item for item in items(after) if not item.inherited]
    brought = [_as_local(item) for item in items(after) if item.inherited]
    kept = [item for item in old if not any(_equal_but_name(item, other) for other in brought)]
    checks = [item for item in brought if isinstance(item, Check)]
    joining = [item for item in checks if _from_new_parents(both.desired, before, after, item)]
    missing = [item for item in joining if not any(_equal_but_name(item, other) for other in old)]
    return kept, [*new, *missing]


def check_kept_below(both: SchemaPair, table: Table, item: Constraint | Index) -> bool:
    """Return whether a child keeps, as its own, an inherited check that *table* loses."""
    if not isinstance(item, Check) or any(
        _equal_but_name(_as_local(item), _as_local(it)) for it in table.checks
    ):
        return False
    for child in both.desired.tables:
        was = both.current.table(child.name) if table.name in child.inherits else None
        if was is None or table.name not in was.inherits:
            continue
        for check in was.checks:
            if not check.inherited or check.name != item.name:
                continue
            keeps = any(not it.inherited and _alters(_as_local(check), it) for it in child.checks)
            if keeps or check_kept_below(both, child, check):
                return True
    return False


def _alters(was: Check, now: Check) -> bool:
    return was == now or (was.name == now.name and object_alters(was, now))


def _check_left(both: SchemaPair, child: Table, item: Constraint | Index) -> bool:
    """Return whether parents lose a check of *child* in a way that leaves it there."""
    for name in child.inherits:
        was, parent = both.current.table(name), both.desired.table(name)
        there = next((it for it in was.checks if it.name == item.name), None) if was else None
        if there and parent and check_kept_below(both, parent, there):
            return True
    return False


def _from_new_parents(desired: Schema, before: Table, after: Table, check: Check) -> bool:
    stayed = set(before.parents) & set(after.parents)
    kept = (desired.table(name) for name in stayed)
    return stayed != set(after.parents) and not any(
        check.name == other.name for table in kept if table is not None for other in table.checks
    )


def parts_to_rename(
    before: Table, after: Table
) -> Iterator[tuple[Constraint | Index, Constraint | Index]]:
    """Yield the items of a table that a parent will add under another name, old and new."""
    left = set(before.parents) - set(after.parents)
    brought = [item for item in (*after.constraints, *after.indexes) if item.inherited]
    names = {(item.kind, item.name) for item in (*before.constraints, *before.indexes)}
    for item in (*before.constraints, *before.indexes):
        own = _as_local(item) if left or not item.inherited else None
        match = next(
            (other for other in brought if own and _equal_but_name(own, _as_local(other))), None
        )
        if match is not None and (match.kind, match.name) not in names:
            brought.remove(match)
            yield item, match


def checks_valid_in_child(
    both: SchemaPair, before: Table, after: Table
) -> Iterator[tuple[Check, Check]]:
    """Yield the inherited checks that are only valid here, not in the parent, old and new.

    A table created after its parent's NOT VALID check has it as a valid one.
    """
    there = {check.name: check for check in before.checks}
    for name in set(before.parents) & set(after.parents):
        old, new = both.current.table(name), both.desired.table(name)
        above = {check.name: check for check in new.checks} if new is not None else {}
        was_above = {check.name: check for check in old.checks} if old is not None else {}
        for check in after.checks:
            now = above.get(check.name)
            if not (check.inherited and check.validated) or now is None or now.validated:
                continue
            was, own = was_above.get(check.name), there.get(check.name)
            stays = was is not None and object_alters(was, now)
            if not stays or own is None or not own.validated:
                yield replace(check, validated=False), check


def _as_local(item: P) -> P:
    return replace(item, inherited=False)


def _equal_but_name(one: P, other: P) -> bool:
    return type(one) is type(other) and differing(one, other) <= {"name"}


def with_parent_changes(both: SchemaPair, table: Table, before: Column, after: Column) -> Column:
    """Return *before* after the changes of the parents' columns, which apply to children.

    The type of a column that parent and child declare can only be changed in the parent.
    """
    before = replace(before, inherited=after.inherited)
    changed: dict[str, object] = {}
    recurses = RECURSES if after.inherited else TYPE
    own = both.current.table(table.name)
    for name in set(table.parents) & set(own.parents if own is not None else ()):
        was, now = _column(both.current, name, after.name), _column(both.desired, name, after.name)
        if was is None or now is None:
            continue
        was, now = (replace(item, not_null=reaches_children(item)) for item in (was, now))
        for field in fields(Column):
            new = getattr(now, field.name)
            moved = field.name in recurses and getattr(was, field.name) != new
            if moved and (
                getattr(after, field.name) == new or _uses_parent_sequence(field.name, after)
            ):
                changed[field.name] = getattr(after, field.name)
    return replace(before, **changed)  # type: ignore[arg-type]  # names and values of Column's fields


def reaches_children(column: Column) -> bool:
    """Return whether children inherit the NOT NULL of *column*."""
    return column.not_null and "NO INHERIT" not in column.not_null_state


def _uses_parent_sequence(field: str, column: Column) -> bool:
    """Return whether *field* is the identity of a partition, which uses the parent's sequence."""
    return field == "identity" and column.identity is not None and column.identity.sequence is None


TYPE = frozenset({"type", "collation"})
RECURSES = TYPE | {"not_null", "default", "generated", "identity"}


def is_from_other_parents(schema: Schema, table: Table, other: Table, column: Column) -> bool:
    """Return whether *column* is inherited only from parents that *other* does not have.

    *other* is the same table in the other schema. A table must have all columns of a parent
    before it joins it, and keeps them when it leaves.
    """
    kept = set(table.parents) & set(other.parents)
    return (
        column.inherited
        and kept != set(table.parents)
        and not any(_column(schema, name, column.name) for name in kept)
    )


def is_kept_by_child(both: SchemaPair, table: Table, column: Column) -> bool:
    """Return whether a child keeps a column that is dropped from *table*."""
    for child in both.desired.tables:
        if table.name in child.inherits:
            was, now = _column(both.current, child.name, column.name), child.column(column.name)
            if was is not None and was.inherited and now is not None and not now.inherited:
                return True
    return False


def must_drop_separately(both: SchemaPair, child: Table, column: Column) -> bool:
    """Return whether *child* must drop a column itself because its parent drops it with ONLY."""
    for name in child.inherits:
        was, parent = _column(both.current, name, column.name), both.desired.table(name)
        if was is not None and parent is not None and parent.column(column.name) is None:
            return is_kept_by_child(both, parent, was)
    return False


def _column(schema: Schema, table: QualifiedName, name: str) -> Column | None:
    found = schema.table(table)
    return found.column(name) if found is not None else None
