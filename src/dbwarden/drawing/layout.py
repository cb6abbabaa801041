"""Place the tables of a diagram: tables that others refer to on the left, in columns."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from dbwarden.drawing.diagram import Diagram, DrawnTable

CHARACTER = 7.9
"""The width of a character of the page's monospace font, in pixels."""
HEAD = 30
ROW = 21
_GAP_X, _GAP_Y, _PADDING = 90, 28, 24
_SWEEPS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """The place of one table."""

    table: DrawnTable
    x: float
    y: float
    width: float
    height: float

    def row_of(self, column: str) -> float:
        """Return the vertical middle of the row of *column*, or of the head."""
        for number, item in enumerate(self.table.columns):
            if item.name == column:
                return self.y + HEAD + (number + 0.5) * ROW
        return self.y + HEAD / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The places of all tables, by name, and the size of the picture."""

    boxes: Mapping[str, Box]
    width: float
    height: float


def layout(diagram: Diagram) -> Layout:
    """Return a place for each table, so that most keys lead from right to left."""
    parents = _parents(diagram)
    linked = {name for name, found in parents.items() if found}
    linked |= {parent for found in parents.values() for parent in found}
    ranks = _ranks({name: parents[name] for name in parents if name in linked})
    columns = _ordered(ranks, parents)
    alone = [table.name for table in diagram.tables if table.name not in linked]
    return _place(diagram, [*columns, alone] if alone else columns)


def _parents(diagram: Diagram) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {table.name: [] for table in diagram.tables}
    for link in diagram.links:
        if link.target != link.source and link.target not in found[link.source]:
            found[link.source].append(link.target)
    return {name: tuple(sorted(names)) for name, names in found.items()}


def _ranks(parents: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return the longest way from each table to one that refers to none; circles are cut."""
    ranks: dict[str, int] = {}
    for start in sorted(parents):
        path: list[str] = [] if start in ranks else [start]
        while path:
            name = path[-1]
            ahead = [p for p in parents[name] if p not in ranks and p not in path]
            if ahead:
                path.append(ahead[0])
                continue
            ranks[name] = max((ranks[p] + 1 for p in parents[name] if p in ranks), default=0)
            path.pop()
    return ranks


def _ordered(ranks: Mapping[str, int], parents: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Return the tables of each rank, next to the tables that they refer to."""
    columns: list[list[str]] = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
    for name in sorted(ranks):
        columns[ranks[name]].append(name)
    neighbours: dict[str, set[str]] = {name: set(parents[name]) for name in ranks}
    for name in ranks:
        for parent in parents[name]:
            neighbours[parent].add(name)
    for sweep in range(_SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            place = {
                name: (number + 0.5) / len(names)
                for names in columns
                for number, name in enumerate(names)
            }
            middle = {
                name: fmean(place[it] for it in neighbours[name] or {name}) for name in column
            }
            column.sort(key=lambda name, at=middle: (at[name], name))  # type: ignore[misc]
    return columns


def _size(table: DrawnTable) -> tuple[float, float]:
    rows = [f"{item.name}  {item.type}  {' '.join(item.keys)}" for item in table.columns]
    longest = max(len(text) for text in (table.name, *rows, *table.notes))
    height = HEAD + ROW * (len(table.columns) + len(table.notes)) + 8
    return max(140.0, longest * CHARACTER + 2 * 12 + 10), float(height)


def _place(diagram: Diagram, columns: Iterable[Sequence[str]]) -> Layout:
    tables = {table.name: table for table in diagram.tables}
    sizes = {name: _size(table) for name, table in tables.items()}
    area = sum((width + _GAP_X) * (height + _GAP_Y) for width, height in sizes.values())
    most = max([700.0, math.sqrt(area), *(height for _, height in sizes.values())])
    boxes: dict[str, Box] = {}
    x = float(_PADDING)
    for column in _wrapped(columns, sizes, most):
        y = float(_PADDING)
        for name in column:
            width, height = sizes[name]
            boxes[name] = Box(table=tables[name], x=x, y=y, width=width, height=height)
            y += height + _GAP_Y
        x += max(sizes[name][0] for name in column) + _GAP_X
    bottom = max((box.y + box.height for box in boxes.values()), default=0.0)
    return Layout(boxes=boxes, width=max(x - _GAP_X, 0.0) + _PADDING + 40, height=bottom + _PADDING)


def _wrapped(
    columns: Iterable[Sequence[str]], sizes: Mapping[str, tuple[float, float]], most: float
) -> Iterable[Sequence[str]]:
    """Cut columns that are higher than *most*."""
    for column in columns:
        part: list[str] = []
        height = 0.0
        for name in column:
            height += sizes[name][1] + _GAP_Y
            if part and height > most:
                yield part
                part, height = [], sizes[name][1] + _GAP_Y
            part.append(name)
        yield part
