"""In which order tables change that inherit from one another, or are partitions. Pure."""

from collections import defaultdict
from collections.abc import Sequence

from dbwarden.diff.changes import (
    AddColumn,
    AddConstraint,
    AddIndex,
    AlterColumn,
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
from dbwarden.schema import Kind, QualifiedName, Ref, Table

OWN = (AddColumn, AlterColumn, DropColumn, DropConstraint)
"""What a child may have to itself, or have from its parent."""


def families(graph: Graph, changes: Sequence[Change]) -> None:
    """A table leaves its parents before it changes on its own, and is like its new ones first.

    A partition goes, or lets go of its rows, before another comes: their bounds may overlap.
    """
    own: defaultdict[QualifiedName, list[int]] = defaultdict(list)
    left: defaultdict[QualifiedName, list[int]] = defaultdict(list)
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
            case AddConstraint() | DropConstraint() | AddIndex() | DropIndex():
                own[change.table].append(number)
            case Rename(after=Ref(kind=Kind.CONSTRAINT) as ref):
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
    for number, table in joined:
        if table.partition_of is not None:
            for other in left[table.partition_of.parent]:
                graph.wish(other, number)


def parents_and_children(graph: Graph, changes: Sequence[Change], old: Links, new: Links) -> None:
    """What a child declares as well as its parent comes before it and goes after it.

    The server merges the parent's into the child's, and lets nobody take away from a child what
    the parent has. A child that changes on its own does so when the parent has changed.
    """
    number_of: dict[tuple[type[Change], Ref], int] = {}
    for number, change in enumerate(changes):
        if isinstance(change, OWN):
            number_of.setdefault((type(change), subject(change)), number)
    for number, change in enumerate(changes):
        if not isinstance(change, OWN):
            continue
        links = new if isinstance(change, AddColumn) else old
        for parent in links.needs.get(parentage(change.table), ()):
            same = subject(change).within(parent.table)
            first = number_of.get((type(change), same))
            if first is not None and isinstance(change, AddColumn):
                graph.wish(number, first)
            elif first is not None:
                graph.wish(first, number)
            merged = number_of.get((AddColumn, same))
            if merged is not None and isinstance(change, AlterColumn):
                graph.wish(number, merged)


def parts_of_partitions(graph: Graph, changes: Sequence[Change], new: Links) -> None:
    """A partition's own index or key comes before the parent's, which takes it, and after an old
    one of the parent, which takes the partition's along when it goes."""
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
    for table, numbers in tuple(added.items()):
        above = {ref.table for ref in new.needs.get(parentage(table), ())} - {table}
        for parent in above & (added.keys() | dropped.keys()):
            for number in numbers:
                for other in added[parent]:
                    graph.wish(number, other)
                for other in dropped[parent]:
                    graph.wish(other, number)
