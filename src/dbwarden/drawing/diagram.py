"""Reduce a schema to what a picture shows: tables, columns, keys, and their changes."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from dbwarden.schema import Column, ForeignKey, Schema, Table

ChangeMark = Literal["", "added", "changed", "dropped"]
"""What became of an object since an earlier schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnColumn:
    """One column; ``keys`` are PK, FK and UK."""

    name: str
    type: str
    keys: tuple[str, ...] = ()
    required: bool = False
    mark: ChangeMark = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnTable:
    """One table; ``notes`` are its partitions, and changes of its other parts."""

    name: str
    columns: tuple[DrawnColumn, ...] = ()
    notes: tuple[str, ...] = ()
    comment: str | None = None
    mark: ChangeMark = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A foreign key from ``source`` to ``target``.

    ``unique`` is true if at most one row refers to each row of the target, ``optional`` if a row
    need not refer to any.
    """

    source: str
    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]
    unique: bool = False
    optional: bool = False
    mark: ChangeMark = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagram:
    """The tables of one schema and their foreign keys, sorted by name."""

    tables: tuple[DrawnTable, ...]
    links: tuple[Link, ...]


def diagram_of(schema: Schema, before: Schema | None = None) -> Diagram:
    """Return the picture of *schema*, with its changes since *before*.

    Partitions are part of their table. A renamed object counts as dropped and added.
    """
    after_names = _shown(schema)
    before_names = _shown(before) if before is not None else {}
    marked = before is not None
    tables: list[DrawnTable] = []
    links: list[Link] = []
    default = schema.default_namespace
    for name in sorted({*after_names, *before_names}):
        table, old = after_names.get(name), before_names.get(name)
        kept = table or old
        assert kept is not None
        tables.append(_table(name, table, old if marked else table, _partitions(schema, kept)))
        links.extend(_links(name, table, old if marked else table, default))
    drawn = {table.name for table in tables}
    return Diagram(tables=tuple(tables), links=tuple(lk for lk in links if lk.target in drawn))


def _shown(schema: Schema) -> Mapping[str, Table]:
    return {
        table.name.label(schema.default_namespace): table
        for table in schema.tables
        if table.partition_of is None
    }


def _partitions(schema: Schema, parent: Table) -> int:
    """Return the number of direct partitions of *parent*."""
    return Counter(
        table.partition_of.parent for table in schema.tables if table.partition_of is not None
    )[parent.name]


def _mark(after: object, before: object) -> ChangeMark:
    if after == before:
        return ""
    if before is None:
        return "added"
    return "changed" if after is not None else "dropped"


def _table(name: str, after: Table | None, before: Table | None, partitions: int) -> DrawnTable:
    kept = after or before
    assert kept is not None
    mark = _mark(after, before)
    old = before if mark == "changed" else kept
    assert old is not None
    many = "s" if partitions > 1 else ""
    notes = [f"{partitions} partition{many}"] if partitions else []
    return DrawnTable(
        name=name,
        columns=tuple(_columns(kept, old)),
        notes=(*notes, *_changed_parts(kept, old)),
        comment=kept.comment,
        mark=mark,
    )


def _columns(table: Table, before: Table) -> Iterator[DrawnColumn]:
    """Yield the columns of *table*, then those that only the table *before* has."""
    for column in table.columns:
        yield _column(table, column, _mark(column, before.column(column.name)))
    for column in before.columns:
        if table.column(column.name) is None:
            yield _column(before, column, "dropped")


def _column(table: Table, column: Column, mark: ChangeMark) -> DrawnColumn:
    in_key = table.primary_key is not None and column.name in table.primary_key.columns
    found = {
        "PK": in_key,
        "FK": any(column.name in key.columns for key in table.foreign_keys),
        "UK": (column.name,) in _unique_sets(table) and not in_key,
    }
    return DrawnColumn(
        name=column.name,
        type=column.type,
        keys=tuple(word for word, is_one in found.items() if is_one),
        required=column.not_null or in_key,
        mark=mark,
    )


def _unique_sets(table: Table) -> set[tuple[str | None, ...]]:
    """Return the columns of each key and each unique index without a condition."""
    indexes = (index for index in table.indexes if index.unique and index.where is None)
    return {
        *(key.columns for key in table.keys),
        *(tuple(part.column for part in index.columns) for index in indexes),
    }


def _changed_parts(table: Table, before: Table) -> Iterator[str]:
    """Yield the changes of parts that have no line of their own: ``+ index ix_email``."""
    now, then = _parts(table), _parts(before)
    signs = {"added": "+", "dropped": "\N{MINUS SIGN}", "changed": "~"}
    for label in sorted({*now, *then}):
        mark = _mark(now.get(label), then.get(label))
        if mark:
            yield f"{signs[mark]} {label}"


def _parts(table: Table) -> Mapping[str, object]:
    return {
        **{f"index {index.name}": index for index in table.indexes},
        **{f"unique {item.key}": item for item in table.uniques},
        **{f"check {item.name or item.expression}": item for item in table.checks},
        **{f"exclusion {item.name}": item for item in table.exclusions},
    }


def _links(
    name: str, after: Table | None, before: Table | None, default: str | None
) -> Iterator[Link]:
    now = {key.key: key for key in after.foreign_keys} if after else {}
    then = {key.key: key for key in before.foreign_keys} if before else {}
    for label in sorted({*now, *then}):
        key, old = now.get(label), then.get(label)
        kept = key or old
        table = after if key else before
        assert kept is not None and table is not None
        yield _link(name, table, kept, _mark(key, old), default)


def _link(name: str, table: Table, key: ForeignKey, mark: ChangeMark, default: str | None) -> Link:
    columns = [table.column(column) for column in key.columns]
    in_key = set(table.primary_key.columns) if table.primary_key is not None else set()
    return Link(
        source=name,
        columns=key.columns,
        target=key.references.label(default),
        target_columns=key.referred_columns,
        unique=key.columns in _unique_sets(table),
        optional=any(item and not item.not_null and item.name not in in_key for item in columns),
        mark=mark,
    )
