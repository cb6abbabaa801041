"""Describe the tables of a scratch database at one moment, as far as rules need them. Pure."""

from dataclasses import dataclass
from typing import Literal

TableId = int | str
"""The identity of a table or of a part of it, which a new name does not change."""

Trait = Literal["narrow integer", "json without index support", "no time zone"]
"""A property of a column's type that a rule advises against."""

ConstraintKind = Literal["primary key", "unique", "foreign key", "check", "exclusion"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFacts:
    """One column.

    ``has_default`` is true if rows that do not name it get a value, ``computed`` if the database
    computes its values from other columns.
    """

    key: TableId
    name: str
    type: str
    not_null: bool = False
    has_default: bool = False
    computed: bool = False
    traits: frozenset[Trait] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstraintFacts:
    """One constraint; ``index`` is the key of the index that enforces it."""

    key: TableId
    name: str
    kind: ConstraintKind
    columns: tuple[str, ...] = ()
    validated: bool = True
    index: TableId | None = None
    references: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFacts:
    """One index; ``columns`` has ``""`` for an expression. ``file`` changes with each rebuild."""

    key: TableId
    name: str
    columns: tuple[str, ...] = ()
    partial: bool = False
    file: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFacts:
    """One table or, if not ``is_table``, materialized view.

    ``file`` changes when it is rewritten. ``parent`` is the table that it is a partition or a child
    of. ``faults`` are sentences about foreign keys that the
    database accepts but cannot enforce.
    """

    key: TableId
    name: str
    is_table: bool = True
    partitioned: bool = False
    parent: TableId | None = None
    file: int | None = None
    columns: tuple[ColumnFacts, ...] = ()
    constraints: tuple[ConstraintFacts, ...] = ()
    indexes: tuple[IndexFacts, ...] = ()
    faults: tuple[str, ...] = ()

    def is_indexed(self, columns: tuple[str, ...]) -> bool:
        """Return whether a whole index begins with *columns*, in any order."""
        size = len(columns)
        wanted = set(columns)
        return any(
            not index.partial and set(index.columns[:size]) == wanted for index in self.indexes
        )
