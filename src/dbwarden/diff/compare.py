"""Compare two schemas and list the changes, unordered. Pure."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from dbwarden.diff.alterable import column_alters, differing, object_alters
from dbwarden.diff.changes import Alter, Change, Create, Drop, alters, rename_of
from dbwarden.diff.inheritance import (
    SchemaPair,
    checks_valid_in_child,
    is_kept_below,
    own_states,
)
from dbwarden.diff.partitioned_indexes import parts_to_exchange, with_valid_keys
from dbwarden.diff.partitions import compare_inherited, unattached_partition
from dbwarden.diff.types import rebuilt_types
from dbwarden.schema import (
    AnyObject,
    Constraint,
    Index,
    MaterializedView,
    QualifiedName,
    Schema,
    SchemaObject,
    Table,
)
from dbwarden.schema import Sequence as SchemaSequence

T = TypeVar("T")
P = TypeVar("P", bound="Constraint | Index")


def pair(
    before: Iterable[T], after: Iterable[T], key: Callable[[T], Hashable]
) -> Iterator[tuple[T | None, T | None]]:
    """Yield pairs of items with the same *key*, with ``None`` for a missing partner."""
    old = {key(item): item for item in before}
    new = {key(item): item for item in after}
    for name, item in old.items():
        yield item, new.get(name)
    for name, item in new.items():
        if name not in old:
            yield None, item


def compare(current: Schema, desired: Schema) -> tuple[Change, ...]:
    """Return every difference between the two schemas as a change, unordered."""
    both = SchemaPair(current, desired)
    return (*_compare_tables(both), *_compare_objects(both))


def bare(table: Table) -> Table:
    """Return *table* without parts that are changes of their own: foreign keys, checks, indexes.

    This includes a key of a partitioned table that its partitions do not have.
    """
    key = table.primary_key
    return replace(
        table,
        primary_key=key if key is None or key.valid else None,
        uniques=tuple(unique for unique in table.uniques if unique.valid),
        foreign_keys=(),
        checks=(),
        indexes=(),
    )


def _compare_tables(both: SchemaPair) -> Iterator[Change]:
    for before, after in pair(both.current.tables, both.desired.tables, lambda t: t.name):
        match before, after:
            case None, Table() as added:
                yield from _create_table(both, added)
            case Table() as gone, None:
                yield from _drop(gone)
            case Table() as was, Table() as now if was != now:
                yield from _compare_table(both, was, now)


def _create_table(both: SchemaPair, table: Table) -> Iterator[Change]:
    """Create a table; a partition with custom part names is attached after its creation."""
    apart = unattached_partition(both.new, table)
    if apart is None:
        yield from _create(table)
    else:
        yield from _create(apart)
        yield from _compare_states(both, replace(apart, columns=table.columns), table)


def _create(table: Table) -> Iterator[Change]:
    new = bare(table)
    if table.replica_index is not None:  # the index comes after the table
        new = replace(new, replica_identity="DEFAULT")
    yield Create(obj=new)
    yield from alters((table_properties(new), table_properties(table)))
    for part in (*_separate_constraints(table), *table.indexes):
        if not part.inherited:
            yield Create(obj=part, on=table.name)


def _separate_constraints(table: Table) -> tuple[Constraint, ...]:
    """Return the constraints that are added separately, even to a new table."""
    return (*table.checks, *table.foreign_keys, *(key for key in table.keys if not key.valid))


def _drop(table: Table) -> Iterator[Change]:
    for part in (*table.indexes, *_separate_constraints(table)):
        if not part.inherited:
            yield Drop(obj=part, on=table.name)
    yield Drop(obj=bare(table))


def _compare_table(both: SchemaPair, before: Table, after: Table) -> Iterator[Change]:
    """Compare a table; one that joins a partitioned table gets parts with custom names before."""
    joins = after.partition_of is not None and after.parents != before.parents
    apart = unattached_partition(both.new, after) if joins else None
    if apart is None:
        yield from _compare_states(both, before, after)
    else:
        yield from _compare_states(both, before, apart)
        yield from _compare_states(both, replace(apart, columns=after.columns), after)


def _compare_states(both: SchemaPair, before: Table, after: Table) -> Iterator[Change]:
    leaves, replaced = parts_to_exchange(both, before, after)
    stages = _stages(table_properties(before), table_properties(after), leaves=leaves)
    yield from alters(stages)
    before = with_valid_keys(before, after)
    yield from compare_inherited(both, before, after)
    for check, valid in checks_valid_in_child(both, before, after):
        yield Alter(before=check, after=valid, on=after.name)
    old, new = own_states(both, before, after, replaced)
    for change in (
        *_compare_columns(both.desired, old, new),
        *_compare_parts(after.name, old.constraints, new.constraints),
        *_compare_parts(after.name, old.indexes, new.indexes),
    ):
        if isinstance(change, Drop):
            change = replace(change, only=is_kept_below(both, after, change.obj))
        yield change


def _stages(before: Table, after: Table, *, leaves: bool) -> tuple[Table, ...]:
    """Return the states that a table passes through: it leaves old parents first, joins new ones
    later, and gets its replica identity last.

    Parent order is not significant; new parents are appended. A partition that *leaves* its parent
    joins it again.
    """
    stays = before.partition_of == after.partition_of and not leaves
    remaining_parent = before.partition_of if stays else None
    remaining_parents = tuple(parent for parent in before.inherits if parent in after.inherits)
    new_parents = tuple(parent for parent in after.inherits if parent not in remaining_parents)
    after = replace(after, inherits=(*remaining_parents, *new_parents))
    detached = replace(before, partition_of=remaining_parent, inherits=remaining_parents)
    identified = before.replica_identity
    unattached = replace(
        after,
        partition_of=remaining_parent,
        inherits=remaining_parents,
        replica_identity=identified,
    )
    attached = replace(after, replica_identity=identified)
    return before, detached, unattached, attached, after


def table_properties(table: Table) -> Table:
    """Return *table* without columns, constraints and indexes."""
    return replace(bare(table), columns=(), primary_key=None, uniques=(), exclusions=())


def _compare_columns(desired: Schema, before: Table, after: Table) -> Iterator[Change]:
    for was, now in pair(before.columns, after.columns, lambda column: column.name):
        if was is None and now is not None:
            yield Create(obj=now, on=after.name)
        elif was is not None and now is None:
            yield Drop(obj=was, on=after.name)
        elif was is not None and now is not None and was != now:
            yield from _replace(was, now, column_alters(desired, was, now), after.name)


def _replace(
    before: AnyObject, after: AnyObject, in_place: bool, on: QualifiedName | None = None
) -> Iterator[Change]:
    """Alter an object *in_place*, or drop and create it."""
    if in_place:
        yield Alter(before=before, after=after, on=on)
    else:
        yield Drop(obj=before, on=on)
        yield Create(obj=after, on=on)


def _compare_parts(
    table: QualifiedName, before: Sequence[P], after: Sequence[P]
) -> Iterator[Change]:
    """Compare the constraints or the indexes of a table or materialized view."""
    renamed = dict(_renamed_pairs(before, after))
    for old, new in renamed.items():
        yield rename_of(old, new, table)
    remaining = [item for item in before if item not in renamed]
    arrived = [item for item in after if item not in renamed.values()]
    for was, now in pair(remaining, arrived, lambda item: item.key):
        if was is not None and now is not None:
            if was != now:
                yield from _replace(was, now, object_alters(was, now), table)
        elif was is not None:
            yield Drop(obj=was, on=table)
        elif now is not None:
            yield Create(obj=now, on=table)


def _renamed_pairs(before: Sequence[P], after: Sequence[P]) -> Iterator[tuple[P, P]]:
    """Yield pairs that differ only in their name; renaming them is cheap."""
    old_names, new_names = {item.key for item in before}, {item.key for item in after}
    arrived = [item for item in after if item.name and item.key not in old_names]
    for item in before:
        if item.name is None or item.key in new_names:
            continue
        match = next((new for new in arrived if _renames(item, new)), None)
        if match is not None:
            arrived.remove(match)
            yield item, match


def _renames(before: Constraint | Index, after: Constraint | Index) -> bool:
    return type(before) is type(after) and differing(before, after) == {"name"}


def _compare_objects(both: SchemaPair) -> Iterator[Change]:
    rebuilt = rebuilt_types(both.current, both.desired)
    yield from rebuilt
    done = {was.ref for change in rebuilt for was, _ in change.types}
    for before, after in pair(both.current.objects, both.desired.objects, lambda t: t.ref):
        match before, after:
            case was, _ if was is not None and was.ref in done:
                pass
            case None, added if added is not None:
                yield from _create_object(added)
            case gone, None if gone is not None:
                yield Drop(obj=gone)
            case was, now if was is not None and now is not None and was != now:
                yield from _compare_object(was, now)


def _create_object(obj: SchemaObject) -> Iterator[Change]:
    if isinstance(obj, SchemaSequence) and obj.owned_by is not None:
        # The column may need the sequence first (its default), and the sequence its owner.
        free = replace(obj, owned_by=None)
        yield Create(obj=free)
        yield Alter(before=free, after=obj)
    else:
        yield Create(obj=obj)


def _compare_object(before: SchemaObject, after: SchemaObject) -> Iterator[Change]:
    match before, after:
        case MaterializedView(), MaterializedView() if object_alters(before, after):
            yield from alters((replace(before, indexes=()), replace(after, indexes=())))
            yield from _compare_parts(after.name, before.indexes, after.indexes)
        case SchemaSequence(owned_by=old), SchemaSequence(owned_by=new):
            states = [before, replace(after, owned_by=old), after]
            if old is not None and new is not None and old != new:
                # Detach first: the old owner may have to be dropped before the new is created.
                states.insert(2, replace(after, owned_by=None))
            yield from alters(states)
        case _:
            yield from _replace(before, after, object_alters(before, after))
