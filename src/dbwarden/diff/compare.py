"""Compare two schemas and list the changes, unordered. Pure."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar

from dbwarden.diff.alterable import (
    column_alters,
    constraint_alters,
    differing,
    index_alters,
    object_alters,
)
from dbwarden.diff.changes import (
    AddColumn,
    AddConstraint,
    AddIndex,
    Alter,
    AlterColumn,
    AlterConstraint,
    AlterIndex,
    AlterTable,
    Change,
    Create,
    CreateTable,
    Drop,
    DropColumn,
    DropConstraint,
    DropIndex,
    DropTable,
    Rename,
    constraint_ref,
    index_ref,
)
from dbwarden.diff.inheritance import (
    check_kept_below,
    checks_valid_in_child,
    compared_items,
    is_from_other_parents,
    is_kept_by_child,
    must_drop_separately,
    parts_to_rename,
    with_parent_changes,
)
from dbwarden.diff.partitions import (
    compare_inherited,
    parts_to_exchange,
    unattached_partition,
    with_valid_keys,
)
from dbwarden.diff.types import rebuilt_types
from dbwarden.schema import (
    Column,
    Constraint,
    Index,
    MaterializedView,
    QualifiedName,
    Schema,
    SchemaObject,
    Table,
    constraint_key,
)
from dbwarden.schema import Sequence as SchemaSequence

T = TypeVar("T")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaPair:
    """The two schemas to compare."""

    current: Schema
    desired: Schema


def compare(current: Schema, desired: Schema) -> tuple[Change, ...]:
    """Return every difference between the two schemas as a change, unordered."""
    both = SchemaPair(current=current, desired=desired)
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
    apart = unattached_partition(both.desired, table)
    if apart is None:
        yield from _create(table)
    else:
        yield from _create(apart)
        yield from _compare_table(both, replace(apart, columns=table.columns), table)


def _create(table: Table) -> Iterator[Change]:
    plain = replace(bare(table), replica_identity="DEFAULT")
    if table.replica_identity.startswith("USING INDEX"):  # the index comes after the table
        yield CreateTable(table=plain)
        yield AlterTable(before=table_properties(plain), after=table_properties(table))
    else:
        yield CreateTable(table=bare(table))
    for constraint in _separate_constraints(table):
        if not constraint.inherited:
            yield AddConstraint(table=table.name, constraint=constraint)
    for index in table.indexes:
        if not index.inherited:
            yield AddIndex(table=table.name, index=index)


def _separate_constraints(table: Table) -> tuple[Constraint, ...]:
    """Return the constraints that are added separately, even to a new table."""
    keys = (*((table.primary_key,) if table.primary_key else ()), *table.uniques)
    return (*table.checks, *table.foreign_keys, *(key for key in keys if not key.valid))


def _drop(table: Table) -> Iterator[Change]:
    for index in table.indexes:
        if not index.inherited:
            yield DropIndex(table=table.name, index=index)
    for constraint in _separate_constraints(table):
        if not constraint.inherited:
            yield DropConstraint(table=table.name, constraint=constraint)
    yield DropTable(table=bare(table))


def _compare_table(both: SchemaPair, before: Table, after: Table) -> Iterator[Change]:
    leaves, replaced = parts_to_exchange(both.current, both.desired, before, after)
    stages = _stages(table_properties(before), table_properties(after), leaves=leaves)
    for was, now in pairwise(stages):
        if was != now:
            yield AlterTable(before=was, after=now)
    yield from _compare_columns(both, before, after)
    before = with_valid_keys(before, after)
    for item, other in parts_to_rename(before, after, lambda table: table.constraints):
        ref = constraint_ref(after.name, other)
        yield Rename(before=constraint_ref(after.name, item), after=ref)
    for own, brought in parts_to_rename(before, after, lambda table: table.indexes):
        yield _rename_index(after.name, own, brought)
    yield from compare_inherited(both.current, both.desired, before, after)
    for check, valid in checks_valid_in_child(both.current, both.desired, before, after):
        yield AlterConstraint(table=after.name, before=check, after=valid)
    schemas = both.current, both.desired
    old, new = compared_items(schemas, before, after, lambda table: table.constraints)
    for change in _compare_constraints(after.name, old, new):
        match change:
            case DropConstraint(constraint=gone) if check_kept_below(*schemas, after, gone):
                yield replace(change, only=True)
            case _:
                yield change
    old_indexes, new_indexes = compared_items(schemas, before, after, lambda table: table.indexes)
    yield from _compare_indexes(after.name, [*old_indexes, *replaced], new_indexes)


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


def _compare_columns(both: SchemaPair, before: Table, after: Table) -> Iterator[Change]:
    for was, now in pair(before.columns, after.columns, lambda column: column.name):
        match was, now:
            case None, Column() as added:
                if not added.inherited:
                    yield AddColumn(table=after.name, column=added)
                elif is_from_other_parents(both.desired, after, before, added):
                    yield AddColumn(table=after.name, column=replace(added, inherited=False))
            case Column() as gone, None:
                if is_from_other_parents(both.current, before, after, gone):
                    yield DropColumn(table=after.name, column=replace(gone, inherited=False))
                elif not gone.inherited or must_drop_separately(
                    both.current, both.desired, after, gone
                ):
                    only = is_kept_by_child(both.current, both.desired, after, gone)
                    yield DropColumn(table=after.name, column=gone, only=only)
            case Column() as old, Column() as new:
                old = with_parent_changes(both.current, both.desired, after, old, new)
                if old != new:
                    yield from _alter_column(both, after, old, new)


def _alter_column(
    both: SchemaPair, table: Table, before: Column, after: Column
) -> Iterator[Change]:
    if column_alters(both.desired, before, after):
        yield AlterColumn(table=table.name, before=before, after=after)
    else:
        yield DropColumn(table=table.name, column=before)
        yield AddColumn(table=table.name, column=after)


def _compare_constraints(
    table: QualifiedName, before: Sequence[Constraint], after: Sequence[Constraint]
) -> Iterator[Change]:
    renamed = dict(_renamed_pairs(before, after, constraint_key))
    for old, new in renamed.items():
        yield Rename(before=constraint_ref(table, old), after=constraint_ref(table, new))
    remaining = [item for item in before if item not in renamed]
    arrived = [item for item in after if item not in renamed.values()]
    for was, now in pair(remaining, arrived, constraint_key):
        if was is not None and now is not None and was != now and constraint_alters(was, now):
            yield AlterConstraint(table=table, before=was, after=now)
        elif was != now:
            if was is not None:
                yield DropConstraint(table=table, constraint=was)
            if now is not None:
                yield AddConstraint(table=table, constraint=now)


def _compare_indexes(
    table: QualifiedName, before: Sequence[Index], after: Sequence[Index]
) -> Iterator[Change]:
    renamed = dict(_renamed_pairs(before, after, lambda index: index.name))
    for old, new in renamed.items():
        yield _rename_index(table, old, new)
    remaining = [item for item in before if item not in renamed]
    arrived = [item for item in after if item not in renamed.values()]
    for was, now in pair(remaining, arrived, lambda index: index.name):
        if was is not None and now is not None and was != now and index_alters(was, now):
            yield AlterIndex(table=table, before=was, after=now)
        elif was != now:
            if was is not None:
                yield DropIndex(table=table, index=was)
            if now is not None:
                yield AddIndex(table=table, index=now)


def _rename_index(table: QualifiedName, before: Index, after: Index) -> Rename:
    return Rename(before=index_ref(table, before), after=index_ref(table, after), on=table)


P = TypeVar("P", bound="Constraint | Index")


def _renamed_pairs(
    before: Sequence[P], after: Sequence[P], key: Callable[[P], str]
) -> Iterator[tuple[P, P]]:
    """Yield pairs that differ only in their name; renaming them is cheap."""
    old_names, new_names = {key(item) for item in before}, {key(item) for item in after}
    arrived = [item for item in after if item.name and key(item) not in old_names]
    for item in before:
        if item.name is None or key(item) in new_names:
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
                yield from _compare_object(both, was, now)


def _create_object(obj: SchemaObject) -> Iterator[Change]:
    if isinstance(obj, SchemaSequence) and obj.owned_by is not None:
        # The column may need the sequence first (its default), and the sequence its owner.
        free = replace(obj, owned_by=None)
        yield Create(obj=free)
        yield Alter(before=free, after=obj)
    else:
        yield Create(obj=obj)


def _compare_object(
    both: SchemaPair, before: SchemaObject, after: SchemaObject
) -> Iterator[Change]:
    if isinstance(before, MaterializedView) and isinstance(after, MaterializedView):
        yield from _compare_materialized_view(before, after)
    elif isinstance(before, SchemaSequence) and isinstance(after, SchemaSequence):
        middle = replace(after, owned_by=before.owned_by)
        if before != middle:
            yield Alter(before=before, after=middle)
        if before.owned_by is not None and after.owned_by is not None and middle != after:
            # Detach first: the old owner may have to be dropped before the new one is created.
            free = replace(after, owned_by=None)
            yield Alter(before=middle, after=free)
            middle = free
        if middle != after:
            yield Alter(before=middle, after=after)
    elif object_alters(before, after):
        yield Alter(before=before, after=after)
    else:
        yield Drop(obj=before)
        yield Create(obj=after)


def _compare_materialized_view(
    before: MaterializedView, after: MaterializedView
) -> Iterator[Change]:
    if not object_alters(before, after):
        yield Drop(obj=before)
        yield Create(obj=after)
        return
    old, new = replace(before, indexes=()), replace(after, indexes=())
    if old != new:
        yield Alter(before=old, after=new)
    yield from _compare_indexes(after.name, before.indexes, after.indexes)
