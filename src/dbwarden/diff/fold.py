"""Move constraints into the CREATE TABLE (or DROP TABLE) that can include them. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from dbwarden.diff.changes import Change, Create, Drop
from dbwarden.diff.graph import Graph, predecessors
from dbwarden.schema import (
    AnyObject,
    Check,
    Column,
    Exclusion,
    ForeignKey,
    Index,
    Key,
    Part,
    QualifiedName,
    Table,
)


def fold_constraints(
    changes: Sequence[Change], order: Sequence[int], graph: Graph
) -> tuple[Change, ...]:
    """Return *changes* in *order*, with constraints moved into their tables where possible.

    A new table includes a constraint if everything that the constraint needs exists before the
    table. A dropped table includes one, or an index, if nothing that it needs is dropped earlier.
    """
    place = {number: index for index, number in enumerate(order)}
    tables: dict[tuple[type[Change], QualifiedName], int] = {
        (type(change), change.table): number
        for number, change in enumerate(changes)
        if isinstance(change, Create | Drop) and isinstance(change.obj, Table)
    }
    came, went = predecessors(graph.hard), graph.hard
    inside: dict[int, list[AnyObject]] = {}
    folded: set[int] = set()
    for number in order:
        change = changes[number]
        home = tables.get((type(change), change.table))
        match change:
            case Create(obj=part) if home is not None and _can_include(part):
                fits = all(other == home or place[other] < place[home] for other in came[number])
            case Drop(obj=Part() as part) if home is not None and not isinstance(part, Column):
                fits = all(other == home or place[other] > place[home] for other in went[number])
            case _:
                continue
        if fits:
            inside.setdefault(home, []).append(part)
            folded.add(number)
    return tuple(
        _including(changes[number], inside.get(number, ()))
        for number in order
        if number not in folded
    )


def _can_include(obj: AnyObject) -> bool:
    """Return whether CREATE TABLE can express it: it ignores NOT VALID and does not know ONLY."""
    match obj:
        case Check() | ForeignKey():
            return obj.validated
        case Key():
            return obj.valid
        case _:
            return isinstance(obj, Exclusion)


def _including(change: Change, parts: Sequence[AnyObject]) -> Change:
    if not isinstance(change, Create | Drop) or not isinstance(change.obj, Table):
        return change
    table = change.obj
    keys = [item for item in parts if isinstance(item, ForeignKey)]
    checks = [item for item in parts if isinstance(item, Check)]
    indexes = [item for item in parts if isinstance(item, Index)]
    whole = replace(
        table,
        foreign_keys=tuple(sorted((*table.foreign_keys, *keys), key=lambda key: key.name or "")),
        checks=tuple(sorted((*table.checks, *checks), key=lambda check: check.name or "")),
        indexes=tuple(sorted((*table.indexes, *indexes), key=lambda index: index.name)),
    )
    return replace(change, obj=whole)
