"""Find the part of a partitioned table's key or index in a partition. Pure.

A part is alike but for what each has of its own, such as its name. A unique index may also have a
key of the partition as its part, which is not marked as inherited. The server drops such a key only
while the partition is detached, and drops the index only together with its other parts.

An index or key that was created for the partitioned table alone is not valid until all partitions
have their part.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from dbwarden.diff.alterable import differing, index_keys
from dbwarden.diff.changes import Change, Drop
from dbwarden.diff.inheritance import SchemaPair
from dbwarden.schema import (
    Exclusion,
    ForeignKey,
    Index,
    IndexColumn,
    Key,
    PartitionOf,
    PrimaryKey,
    QualifiedName,
    Schema,
    Table,
    Unique,
)

Item = PrimaryKey | Unique | Exclusion | ForeignKey | Index
NOT_SHARED = frozenset({"name", "comment", "index_comment", "inherited"})
"""The fields that each part has of its own; a new one does not get them from the parent's item."""
_SETTINGS = frozenset({"parameters", "clustered"})
"""The fields that a new part gets from the parent's item, and that can change afterwards."""
_BY_PARENT = frozenset({"deferrable", "validated", "enforced"})
"""The fields of a foreign key that can only be changed in the parent."""


def are_alike(one: Item, other: Item, but: Iterable[str] = ()) -> bool:
    """Return whether two items can be parts of one, or one a part of the other.

    They differ at most in what each has of its own or can change, and in the fields *but*.
    """
    if type(one) is not type(other):
        return False
    different = differing(one, other) - NOT_SHARED - {*but}
    if isinstance(one, Index) and isinstance(other, Index):
        statistics_only = index_keys(one) == index_keys(other)
        different -= {"columns"} if statistics_only else set()
    return different <= (_BY_PARENT if isinstance(one, ForeignKey) else _SETTINGS)


def items_like(table: Table | None, item: Item) -> Iterator[Item]:
    """Yield the keys, foreign keys or indexes of *table* that are of the class of *item*."""
    for own in (*table.constraints, *table.indexes) if table is not None else ():
        if isinstance(own, type(item)):
            yield own


def whole_of(parent: Table | None, item: Item) -> Item | None:
    """Return the item of *parent* that *item* of a partition belongs to."""
    return next((own for own in items_like(parent, item) if are_alike(own, item, {"valid"})), None)


def is_attached(was: Table, parent: Table, item: Item) -> bool:
    """Return whether *item* is attached to one that exists in *was*, or in the parent alone.

    *was* and *parent* are the parent before and after.
    """
    above = whole_of(parent, item)
    if above is None or isinstance(above, ForeignKey):
        return False
    alone = not getattr(above, "valid", True)
    return alone or any(_becomes(other, above) for other in items_like(was, above))


def _becomes(was: Any, now: object) -> bool:
    """Return whether *was* equals *now*, or will once all partitions have their part."""
    if not isinstance(now, Index | Key) or type(was) is not type(now):
        return False
    return differing(was, now) <= {"valid", "inherited"} and (now.valid or not was.valid)


def with_valid_keys(before: Table, after: Table) -> Table:
    """Return *before*, a partitioned table, with the indexes and keys that become valid when those
    of its partitions are attached."""
    if after.partition_by is None:
        return before
    later = [part for part in after.parts if getattr(part, "valid", False)]

    def validated(part: Any) -> Any:
        completes = any(_becomes(part, now) for now in later)
        return replace(part, valid=True) if completes else part

    return before.map_parts(validated)


# -- unique indexes with keys as parts -------------------------------------------------------------


def _part_of(table: Table, index: Index) -> Index | PrimaryKey | Unique | None:
    """Return the part of a unique *index* in a partition: an index, or else a key of its own."""
    parts = [item for item in table.indexes if item.inherited]
    candidates = (*parts, *(key for key in table.keys if not key.inherited))
    wanted = _uniqueness(index)
    return next((item for item in candidates if _uniqueness(item) == wanted), None)


def is_held_by_key(table: Table, index: Index) -> bool:
    """Return whether the part of a unique *index* in a partition is a key of the partition."""
    return index.unique and isinstance(_part_of(table, index), Key)


def _uniqueness(item: Index | Key) -> tuple[object, ...]:
    """Return what the server compares before it makes an index part of another."""
    if isinstance(item, Index):
        keys = [replace(key, descending=False, nulls_first=False) for key in index_keys(item)]
        method = (item.unique, item.method, item.where)
        return (*keys, item.include, *method, item.nulls_not_distinct)
    keys = [IndexColumn(column=name) for name in item.columns]
    nulls = isinstance(item, Unique) and item.nulls_not_distinct
    method = (True, "gist" if item.without_overlaps else "btree", None)
    return (*keys, item.include, *method, nulls)


def with_detached(
    changes: Iterable[Change], current: Schema, desired: Schema
) -> tuple[Change, ...]:
    """Return *changes* with the partitions to detach while an index of their table is dropped."""
    after = {table.name: table.partition_of for table in desired.tables}
    below: defaultdict[QualifiedName, list[tuple[Table, PartitionOf]]] = defaultdict(list)
    for table in current.tables:
        if table.partition_of is not None and after.get(table.name) == table.partition_of:
            below[table.partition_of.parent].append((table, table.partition_of))

    def holders(parent: QualifiedName, index: Index) -> Iterator[tuple[QualifiedName, PartitionOf]]:
        for table, of in below[parent]:
            if is_held_by_key(table, index):
                yield table.name, of
            else:
                yield from holders(table.name, index)

    return tuple(
        replace(change, detached=tuple(holders(change.table, change.obj)))
        if isinstance(change, Drop) and isinstance(change.obj, Index) and change.obj.unique
        else change
        for change in changes
    )


def parts_to_exchange(
    both: SchemaPair, before: Table, after: Table
) -> tuple[bool, tuple[Index, ...]]:
    """Return whether a partition must leave its parent to exchange a key that is part of an index
    of the parent, and the indexes to drop because a key replaces them.

    The server takes a new key as the part only on attaching.
    """
    if before.partition_of is None or after.partition_of is None:
        return False, ()
    for old, new in both.remaining_parents(before, after):
        unique = {index.name: _uniqueness(index) for index in new.indexes if index.unique}
        stays = (it for it in old.indexes if unique.get(it.name) == _uniqueness(it))
        parts = [(_part_of(before, index), _part_of(after, index)) for index in stays]
        exchanged = [
            was
            for was, now in parts
            if was is not None and now is not None and not are_alike(was, now)
            if not (isinstance(was, Index) and isinstance(now, Index))
        ]
        leaves = bool(exchanged) and old.columns == new.columns
        return leaves, tuple(item for item in exchanged if isinstance(item, Index))
    return False, ()
