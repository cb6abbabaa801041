"""Order the changes of tables and their children or partitions. Pure."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from dbwarden.diff.changes import (
    AddColumn,
    AddConstraint,
    AddIndex,
    AlterColumn,
    AlterConstraint,
    AlterIndex,
    AlterTable,
    Change,
    CreateTable,
    DropColumn,
    DropConstraint,
    DropIndex,
    DropTable,
    Rename,
    subject,
)
from dbwarden.diff.graph import Graph
from dbwarden.diff.inheritance import parents
from dbwarden.diff.structure import Links, parentage
from dbwarden.schema import (
    Check,
    Index,
    ObjectKind,
    PartitionOf,
    PrimaryKey,
    QualifiedName,
    Ref,
    Table,
    Unique,
    ref_of,
)

DECLARED = (AddColumn, AlterColumn, DropColumn, DropConstraint)
"""The changes of items that a child may declare itself or inherit."""


def order_families(graph: Graph, changes: Sequence[Change]) -> None:
    """Detach a table from its parents before its own changes, and attach it to new ones after.

    Drop or detach a partition before creating another, because their bounds may overlap.
    """
    own: defaultdict[QualifiedName, list[int]] = defaultdict(list)
    left: defaultdict[QualifiedName, list[int]] = defaultdict(list)
    columns: defaultdict[QualifiedName, list[int]] = defaultdict(list)
    joined: list[tuple[int, Table]] = []
    for number, change in enumerate(changes):
        match change:
            case DropTable(table=table) | AlterTable(before=table, after=Table(partition_of=None)):
                for parent in parents(table) if table.partition_of is not None else ():
                    left[parent].append(number)
            case (
                CreateTable(table=table) | AlterTable(before=Table(partition_of=None), after=table)
            ):
                joined.append((number, table))
            case AddColumn() | AlterColumn() | DropColumn():
                own[change.table].append(number)
                if isinstance(change, AddColumn):
                    columns[change.table].append(number)
            case AddConstraint() | DropConstraint() | AddIndex() | DropIndex():
                own[change.table].append(number)
            case Rename(after=Ref(kind=ObjectKind.CONSTRAINT) as ref):
                own[ref.table].append(number)
            case _:
                pass
    for number, change in enumerate(changes):
        if isinstance(change, AlterTable):
            gone = set(parents(change.before)) - set(parents(change.after))
            come = set(parents(change.after)) - set(parents(change.before))
            for other in own[change.after.name]:
                if gone:
                    graph.before(number, other)
                elif come:
                    graph.before(other, number)
            for parent in gone:  # its later changes do not affect this table
                for other in own[parent]:
                    graph.before(number, other)
            for parent in come if change.after.partition_of is not None else ():
                for other in columns[parent]:
                    graph.before(other, number)
    for number, change in enumerate(changes):  # a table with children cannot get an identity
        match change:
            case DropTable(table=table):
                for parent in parents(table):
                    for other in own[parent]:
                        graph.prefer(number, other)
            case CreateTable(table=table):
                for parent in parents(table):
                    for other in own[parent]:
                        graph.prefer(other, number)
            case _:
                pass
    for number, table in joined:
        if table.partition_of is not None:
            for other in left[table.partition_of.parent]:
                graph.prefer(other, number)


def order_parents_and_children(
    graph: Graph, changes: Sequence[Change], old: Links, new: Links
) -> None:
    """Add items that parent and child declare to the child first, and drop them there last.

    The server merges the parent's item into the child's, and refuses to drop a child's item that
    the parent has. Other changes of a child follow those of the parent.
    """
    numbers: dict[tuple[type[Change], Ref], list[int]] = {}
    for number, change in enumerate(changes):
        if isinstance(change, DECLARED):
            numbers.setdefault((type(change), subject(change)), []).append(number)
    for (kind, ref), own in numbers.items():
        links = new if kind is AddColumn else old
        for parent in links.needs.get(parentage(ref.table), ()):
            same = ref.within(parent.table)
            if same == ref:
                continue
            # Pair the last changes: a child's change may replace the effect of the parent's.
            for number, other in zip(
                reversed(own), reversed(numbers.get((kind, same), [])), strict=False
            ):
                first, second = (number, other) if kind is AddColumn else (other, number)
                graph.prefer(first, second)
            for merged in numbers.get((AddColumn, same), ()) if kind is AlterColumn else ():
                graph.prefer(own[-1], merged)


def order_inherited_columns(
    graph: Graph, changes: Sequence[Change], old: Links, removers: Mapping[Ref, Sequence[int]]
) -> None:
    """Drop dependents of an inherited column before the parent's column is dropped."""
    for number, change in enumerate(changes):
        if isinstance(change, DropColumn) and not change.only:
            below = _descendants(change.table, old)
            for other, item in enumerate(changes):  # the server does not report expressions
                match item:
                    case DropIndex(table=table, index=index) if table in below and _mentions(
                        index, change.column.name
                    ):
                        graph.before(other, number)
                    case _:
                        pass
            for child in below:
                column = ref_of(ObjectKind.COLUMN, child, change.column.name)
                for user in old.needed_by.get(column, ()):
                    for other in removers.get(user, ()):
                        if other != number and subject(changes[other]) != column:
                            graph.before(other, number)


def _mentions(index: Index, column: str) -> bool:
    texts = [index.where, *(key.expression for key in index.columns)]
    return any(re.search(rf"\b{re.escape(column)}\b", text) for text in texts if text)


def _descendants(table: QualifiedName, links: Links) -> list[QualifiedName]:
    """Return all descendants of *table*: partitions and children."""
    found = [table]
    for name in found:
        for ref in links.needed_by.get(ref_of(ObjectKind.TABLE, name), ()):
            if ref == parentage(ref.table) and ref.table not in found:
                found.append(ref.table)
    return found[1:]


def _attach_last(graph: Graph, changes: Sequence[Change]) -> None:
    """Attach an index or key of a partition after both are created; create those of only the
    partitioned table after its partitions."""
    created: defaultdict[QualifiedName, list[int]] = defaultdict(list)
    added: defaultdict[QualifiedName, list[int]] = defaultdict(list)
    for number, change in enumerate(changes):
        match change:
            case (
                CreateTable(table=Table(partition_of=PartitionOf(parent=parent)))
                | AlterTable(after=Table(partition_of=PartitionOf(parent=parent)))
            ):
                created[parent].append(number)
            case AddIndex(table=table) | AddConstraint(table=table):
                added[table].append(number)
            case Rename(on=QualifiedName() as table):
                added[table].append(number)
            case Rename(after=Ref(kind=ObjectKind.CONSTRAINT) as ref):
                added[ref.table].append(number)
            case _:
                pass
    for number, change in enumerate(changes):
        match change:
            case (
                AddIndex(table=table, index=Index(valid=False))
                | AddConstraint(
                    table=table, constraint=PrimaryKey(valid=False) | Unique(valid=False)
                )
            ):
                for other in created[table]:
                    graph.before(other, number)
            case (
                AlterIndex(before=Index(inherited=False), after=Index(inherited=True))
                | AlterConstraint(
                    before=PrimaryKey(inherited=False) | Unique(inherited=False),
                    after=PrimaryKey(inherited=True) | Unique(inherited=True),
                )
            ):
                for others in added.values():
                    for other in others:
                        graph.prefer(other, number)
                for other in added[change.table]:
                    graph.before(other, number)
            case AlterConstraint(after=Check(inherited=True, name=name)):
                for other, item in enumerate(changes):
                    if isinstance(item, AddConstraint) and item.constraint.name == name:
                        graph.before(other, number)
            case _:
                pass


def order_partition_parts(graph: Graph, changes: Sequence[Change], new: Links) -> None:
    """Create a partition's own index or key before the parent's, which adopts it, and after an old
    one of the parent is dropped, which drops the partition's."""
    _attach_last(graph, changes)
    added: defaultdict[QualifiedName, list[int]] = defaultdict(list)
    dropped: defaultdict[QualifiedName, list[int]] = defaultdict(list)
    for number, change in enumerate(changes):
        match change:
            case AddIndex(table=table) | AddConstraint(table=table):
                added[table].append(number)
            case DropIndex(table=table) | DropConstraint(table=table):
                dropped[table].append(number)
            case _:
                pass
    for number, change in enumerate(changes):
        for partition, _ in change.detached if isinstance(change, DropIndex) else ():
            for other in dropped[partition]:
                graph.prefer(number, other)
    for table, numbers in tuple(added.items()):
        above = {ref.table for ref in new.needs.get(parentage(table), ())} - {table}
        for parent in above & (added.keys() | dropped.keys()):
            for number in numbers:
                for other in added[parent]:
                    graph.prefer(number, other)
                for other in dropped[parent]:
                    graph.prefer(other, number)
