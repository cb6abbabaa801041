"""Order the changes of tables and their children or partitions. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from dbwarden.diff.changes import Alter, Change, Create, Drop, Rename
from dbwarden.diff.graph import Graph
from dbwarden.diff.structure import Links, parentage
from dbwarden.schema import (
    Check,
    Column,
    Index,
    Key,
    ObjectKind,
    PartitionOf,
    QualifiedName,
    Ref,
    Table,
    ref_of,
)
from dbwarden.schema.closure import reachable

Kinds = frozenset[tuple[type[Change], ObjectKind]]
ByTable = Mapping[QualifiedName, Sequence[int]]
_COLUMN, _CONSTRAINT, _INDEX = ObjectKind.COLUMN, ObjectKind.CONSTRAINT, ObjectKind.INDEX
COLUMNS: Kinds = frozenset({(Create, _COLUMN), (Alter, _COLUMN), (Drop, _COLUMN)})
ADDED: Kinds = frozenset({(Create, _CONSTRAINT), (Create, _INDEX)})
DROPPED: Kinds = frozenset({(Drop, _CONSTRAINT), (Drop, _INDEX)})
RENAMED: Kinds = frozenset({(Rename, _CONSTRAINT)})
DECLARED: Kinds = COLUMNS | {(Drop, _CONSTRAINT)}
"""The changes of items that a child may declare itself or inherit."""


def by_table(changes: Sequence[Change], kinds: Kinds) -> ByTable:
    """Return the numbers of the changes of these kinds, by the table whose parts they change."""
    found: defaultdict[QualifiedName, list[int]] = defaultdict(list)
    for number, change in enumerate(changes):
        if (type(change), change.ref.kind) in kinds:
            found[change.table].append(number)
    return found


def order_families(graph: Graph, changes: Sequence[Change]) -> None:
    """Detach a table from its parents before its own changes, and attach it to new ones after.

    Drop or detach a partition before creating another, because their bounds may overlap.
    """
    own = by_table(changes, COLUMNS | ADDED | DROPPED | RENAMED)
    columns = by_table(changes, frozenset({(Create, _COLUMN)}))
    left: defaultdict[QualifiedName, list[int]] = defaultdict(list)
    joined: list[tuple[int, QualifiedName]] = []
    for number, change in enumerate(changes):
        match change:
            case Drop(obj=Table() as table):
                for parent in table.parents:  # a table with children cannot get an identity
                    graph.prefer_each([number], own.get(parent, ()))
            case Create(obj=Table() as table):
                for parent in table.parents:
                    graph.prefer_each(own.get(parent, ()), [number])
            case Alter(before=Table() as before, after=Table() as after):
                _leave_and_join(graph, number, (before, after), own, columns)
        was, now = _partition_of(change)
        if was is not None and now is None:
            left[was.parent].append(number)
        elif now is not None and was is None:
            joined.append((number, now.parent))
    for number, parent in joined:
        graph.prefer_each(left[parent], [number])


def _partition_of(change: Change) -> tuple[PartitionOf | None, PartitionOf | None]:
    """Return the parent and bound of the partition that *change* is about, before and after."""
    match change:
        case Create(obj=Table(partition_of=now)):
            return None, now
        case Drop(obj=Table(partition_of=was)):
            return was, None
        case Alter(before=Table(partition_of=was), after=Table(partition_of=now)):
            return was, now
        case _:
            return None, None


def _leave_and_join(
    graph: Graph, number: int, states: tuple[Table, Table], own: ByTable, columns: ByTable
) -> None:
    """Leave parents before other changes of the table and of these, and join new ones after."""
    before, after = states
    gone = set(before.parents) - set(after.parents)
    come = set(after.parents) - set(before.parents)
    if gone:
        graph.before_each([number], own.get(after.name, ()))
    elif come:
        graph.before_each(own.get(after.name, ()), [number])
    for parent in gone:  # its later changes do not affect this table
        graph.before_each([number], own.get(parent, ()))
    for parent in come if after.partition_of is not None else ():
        graph.before_each(columns.get(parent, ()), [number])


def order_parents_and_children(
    graph: Graph, changes: Sequence[Change], old: Links, new: Links
) -> None:
    """Add items that parent and child declare to the child first, and drop them there last.

    The server merges the parent's item into the child's, and refuses to drop a child's item that
    the parent has. Other changes of a child follow those of the parent.
    """
    numbers: dict[tuple[type[Change], Ref], list[int]] = {}
    for number, change in enumerate(changes):
        if (type(change), change.ref.kind) in DECLARED:
            numbers.setdefault((type(change), change.ref), []).append(number)
    for (verb, ref), own in numbers.items():
        links = new if verb is Create else old
        for parent in links.needs.get(parentage(ref.table), ()):
            same = ref.within(parent.table)
            if same == ref:
                continue
            # Pair the last changes: a child's change may replace the effect of the parent's.
            for number, other in zip(
                reversed(own), reversed(numbers.get((verb, same), [])), strict=False
            ):
                first, second = (number, other) if verb is Create else (other, number)
                graph.prefer(first, second)
            for merged in numbers.get((Create, same), ()) if verb is Alter else ():
                graph.prefer(own[-1], merged)
            if verb is Alter:  # a column that the parent has cannot change its type
                graph.prefer_each(numbers.get((Drop, same), ()), own)


def order_inherited_columns(
    graph: Graph, changes: Sequence[Change], old: Links, removers: Mapping[Ref, Sequence[int]]
) -> None:
    """Drop dependents of an inherited column before the parent's column is dropped."""
    for number, change in enumerate(changes):
        match change:
            case Drop(obj=Column(name=name), only=False):
                below = _descendants(change.table, old)
            case _:
                continue
        for other, item in enumerate(changes):  # the server does not report expressions
            match item:
                case Drop(obj=Index() as index) if item.table in below and _mentions(index, name):
                    graph.before(other, number)
        for child in below:
            column = ref_of(ObjectKind.COLUMN, child, name)
            for user in old.needed_by.get(column, ()):
                for other in removers.get(user, ()):
                    if other != number and changes[other].ref != column:
                        graph.before(other, number)


def _mentions(index: Index, column: str) -> bool:
    texts = [index.where, *(key.expression for key in index.columns)]
    return any(re.search(rf"\b{re.escape(column)}\b", text) for text in texts if text)


def _descendants(table: QualifiedName, links: Links) -> AbstractSet[QualifiedName]:
    """Return all descendants of *table*: partitions and children."""

    def children(name: QualifiedName) -> Iterator[QualifiedName]:
        users = links.needed_by.get(ref_of(ObjectKind.TABLE, name), ())
        return (user.table for user in users if user == parentage(user.table))

    return reachable([table], children) - {table}


def order_partition_parts(graph: Graph, changes: Sequence[Change], new: Links) -> None:
    """Create a partition's own index or key before the parent's, which adopts it, and after an old
    one of the parent is dropped, which drops the partition's."""
    _attach_last(graph, changes)
    added, dropped = by_table(changes, ADDED), by_table(changes, DROPPED)
    for number, change in enumerate(changes):
        for partition, _ in change.detached if isinstance(change, Drop) else ():
            graph.prefer_each([number], dropped.get(partition, ()))
    for table, numbers in added.items():
        above = {ref.table for ref in new.needs.get(parentage(table), ())} - {table}
        for parent in above & (added.keys() | dropped.keys()):
            graph.prefer_each(numbers, added.get(parent, ()))
            graph.prefer_each(dropped.get(parent, ()), numbers)


def _attach_last(graph: Graph, changes: Sequence[Change]) -> None:
    """Attach an index or key of a partition after both are created; create those of only the
    partitioned table after its partitions."""
    partitions: defaultdict[QualifiedName, list[int]] = defaultdict(list)
    for number, change in enumerate(changes):
        _, of = _partition_of(change)
        if of is not None:
            partitions[of.parent].append(number)
    added = by_table(changes, ADDED | RENAMED | {(Rename, _INDEX)})
    for number, change in enumerate(changes):
        match change:
            case Create(obj=Index(valid=False) | Key(valid=False)):
                graph.before_each(partitions[change.table], [number])
            case Alter(
                before=Index(inherited=False) | Key(inherited=False),
                after=Index(inherited=True) | Key(inherited=True),
            ):
                for others in added.values():
                    graph.prefer_each(others, [number])
                graph.before_each(added.get(change.table, ()), [number])
            case Alter(after=Check(inherited=True)):
                for other, item in enumerate(changes):
                    if isinstance(item, Create) and item.ref == change.ref.within(item.table):
                        graph.before(other, number)
