"""Move constraints into the CREATE TABLE (or DROP TABLE) that can include them. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from dbwarden.diff.changes import (
    AddConstraint,
    Change,
    CreateTable,
    DropConstraint,
    DropIndex,
    DropTable,
)
from dbwarden.diff.graph import Graph
from dbwarden.schema import (
    Check,
    Constraint,
    ForeignKey,
    Index,
    PrimaryKey,
    QualifiedName,
    Table,
    Unique,
)


def fold_constraints(
    changes: Sequence[Change], order: Sequence[int], graph: Graph
) -> tuple[Change, ...]:
    """Return *changes* in *order*, with constraints moved into their tables where possible.

    A new table includes a constraint if everything that the constraint needs exists before the
    table. A dropped table includes one if nothing that the constraint needs is dropped earlier.
    """
    place = {number: index for index, number in enumerate(order)}
    created, dropped = _tables(changes)
    came, went = _neighbours(graph)
    inside: dict[int, list[Constraint | Index]] = {}
    for number in order:
        change = changes[number]
        match change:
            case AddConstraint(table=table, constraint=constraint) if (
                table in created and _can_include(constraint)
            ):
                home = created[table]
                if all(other == home or place[other] < place[home] for other in came[number]):
                    inside.setdefault(home, []).append(constraint)
            case (
                DropConstraint(table=table, constraint=part) | DropIndex(table=table, index=part)
            ) if table in dropped:
                home = dropped[table]
                if all(other == home or place[other] > place[home] for other in went[number]):
                    inside.setdefault(home, []).append(part)
            case _:
                pass
    return tuple(_assemble(changes, order, inside, created, dropped))


def _can_include(constraint: Constraint) -> bool:
    """Return whether CREATE TABLE can express it: it ignores NOT VALID and does not know ONLY."""
    match constraint:
        case Check() | ForeignKey():
            return constraint.validated
        case PrimaryKey() | Unique():
            return constraint.valid
        case _:
            return True


def _tables(
    changes: Sequence[Change],
) -> tuple[dict[QualifiedName, int], dict[QualifiedName, int]]:
    created: dict[QualifiedName, int] = {}
    dropped: dict[QualifiedName, int] = {}
    for number, change in enumerate(changes):
        if isinstance(change, CreateTable):
            created[change.table.name] = number
        elif isinstance(change, DropTable):
            dropped[change.table.name] = number
    return created, dropped


def _neighbours(graph: Graph) -> tuple[list[set[int]], list[set[int]]]:
    came: list[set[int]] = [set() for _ in range(graph.size)]
    for number, targets in enumerate(graph.hard):
        for target in targets:
            came[target].add(number)
    return came, graph.hard


def _assemble(
    changes: Sequence[Change],
    order: Sequence[int],
    inside: dict[int, list[Constraint | Index]],
    created: dict[QualifiedName, int],
    dropped: dict[QualifiedName, int],
) -> list[Change]:
    held = {(home, id(item)) for home, items in inside.items() for item in items}
    result: list[Change] = []
    for number in order:
        change = changes[number]
        match change:
            case AddConstraint(table=table, constraint=item) if (
                created.get(table),
                id(item),
            ) in held:
                continue
            case DropConstraint(table=table, constraint=item) if (
                dropped.get(table),
                id(item),
            ) in held:
                continue
            case DropIndex(table=table, index=index) if (dropped.get(table), id(index)) in held:
                continue
            case CreateTable(table=whole):
                result.append(CreateTable(table=_including(whole, inside.get(number, ()))))
            case DropTable(table=whole):
                result.append(DropTable(table=_including(whole, inside.get(number, ()))))
            case _:
                result.append(change)
    return result


def _including(table: Table, items: Sequence[Constraint | Index]) -> Table:
    keys = [item for item in items if isinstance(item, ForeignKey)]
    checks = [item for item in items if isinstance(item, Check)]
    indexes = [item for item in items if isinstance(item, Index)]
    return replace(
        table,
        foreign_keys=tuple(sorted((*table.foreign_keys, *keys), key=lambda key: key.name or "")),
        checks=tuple(sorted((*table.checks, *checks), key=lambda check: check.name or "")),
        indexes=tuple(sorted((*table.indexes, *indexes), key=lambda index: index.name)),
    )
