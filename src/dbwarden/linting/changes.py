"""Compare a table before and after a statement. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from dbwarden.linting.tables import ColumnFacts, ConstraintFacts, IndexFacts, TableFacts, TableId

ObservedPart = TableFacts | ColumnFacts | ConstraintFacts | IndexFacts
"""A part of a table, or the table itself."""


@dataclass(frozen=True, slots=True)
class Added:
    """A part is new; ``builds_index`` is true if it is a constraint whose index is new too."""

    table: TableFacts
    part: ObservedPart
    builds_index: bool = False


@dataclass(frozen=True, slots=True)
class Dropped:
    """A part is gone. An index belonged to no constraint, and its table is not gone."""

    table: TableFacts
    part: ObservedPart


@dataclass(frozen=True, slots=True)
class Renamed:
    """A table or column has another name."""

    table: TableFacts
    part: TableFacts | ColumnFacts
    old: str


@dataclass(frozen=True, slots=True)
class Retyped:
    """A column has another type."""

    table: TableFacts
    column: ColumnFacts
    old: str


@dataclass(frozen=True, slots=True)
class NotNullSet:
    """A column that allowed NULL no longer does."""

    table: TableFacts
    column: ColumnFacts


@dataclass(frozen=True, slots=True)
class IndexRewritten:
    """An index was rewritten, and its table was not."""

    table: TableFacts
    index: IndexFacts


ObservedChange = Added | Dropped | Renamed | Retyped | NotNullSet | IndexRewritten


def changes_between(
    before: TableFacts | None, after: TableFacts | None
) -> Iterator[ObservedChange]:
    """Yield the changes that lead from *before* to *after*; ``None`` is a table that is not there.

    The parts of a new table are changes too: its columns, constraints and indexes are added.
    """
    if after is None:
        if before is not None:
            yield Dropped(before, before)
        return
    if before is None:
        yield Added(after, after)
        before = TableFacts(key=after.key, name=after.name, file=after.file)
    elif before.name != after.name:
        yield Renamed(after, after, before.name)
    yield from _columns(before, after)
    yield from _constraints(before, after)
    yield from _indexes(before, after)


def _columns(before: TableFacts, after: TableFacts) -> Iterator[ObservedChange]:
    old = by_key(before.columns)
    for column in after.columns:
        was = old.pop(column.key, None)
        if was is None:
            yield Added(after, column)
            continue
        if was.name != column.name:
            yield Renamed(after, column, was.name)
        if was.type != column.type:
            yield Retyped(after, column, was.type)
        if column.not_null and not was.not_null:
            yield NotNullSet(after, column)
    for column in old.values():
        yield Dropped(after, column)


def _constraints(before: TableFacts, after: TableFacts) -> Iterator[ObservedChange]:
    old = by_key(before.constraints)
    indexes = by_key(before.indexes)
    # The server recreates the constraints of a column that gets another type.
    types = {column.key: column.type for column in before.columns}
    retyped = any(types.get(column.key, column.type) != column.type for column in after.columns)
    names = {constraint.name for constraint in before.constraints} if retyped else set()
    for constraint in after.constraints:
        if constraint.key not in old and constraint.name not in names:
            builds = constraint.index is not None and constraint.index not in indexes
            yield Added(after, constraint, builds)


def _indexes(before: TableFacts, after: TableFacts) -> Iterator[ObservedChange]:
    old = by_key(before.indexes)
    # An index of a column that gets another type is recreated with the file that it had.
    files = {index.file: index.key for index in before.indexes}
    owned = {constraint.index for constraint in after.constraints}
    for index in after.indexes:
        was = old.pop(index.key, None)
        if was is None and index.file is not None:
            was = old.pop(files.get(index.file, ""), None)
        if was is None:
            if index.key not in owned:
                yield Added(after, index)
        elif was.file != index.file and before.file == after.file:
            yield IndexRewritten(after, index)
    owned = {constraint.index for constraint in before.constraints}
    for index in old.values():
        if index.key not in owned:
            yield Dropped(after, index)


T = TypeVar("T", TableFacts, ColumnFacts, ConstraintFacts, IndexFacts)


def by_key(parts: Sequence[T]) -> dict[TableId, T]:
    """Return *parts* by their keys."""
    return {part.key: part for part in parts}
