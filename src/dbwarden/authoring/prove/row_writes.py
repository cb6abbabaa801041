"""Decide which rows an application writes while a set of files is proven. Pure.

Each row is written once: so its values at the end are known, whenever the write happens.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from dbwarden.dialects.scratch_clients import RowKey, RowTexts, ScratchClient
from dbwarden.schema import QualifiedName, Schema, Table
from dbwarden.schema.closure import reachable


class Kind(Enum):
    """The kinds of writes; see :func:`statement`."""

    CHANGE = auto()
    ADD = auto()
    CLEAR = auto()
    TOUCH = auto()
    REMOVE = auto()
    KEEP = auto()


COUNTS = {
    Kind.CHANGE: 14,
    Kind.ADD: 10,
    Kind.CLEAR: 11,
    Kind.TOUCH: 6,
    Kind.REMOVE: 6,
    Kind.KEEP: 5,
}
"""The rows for each kind. The writes of one direction take all of them."""


class Release(Enum):
    """A release of the application: before or after the change."""

    OLD = "old"
    NEW = "new"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One write: of row *row*, which gets the values of row *image*."""

    kind: Kind
    row: int
    image: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A table as one release knows it, its key, and the columns that differ in the other one."""

    table: Table
    key: tuple[str, ...]
    changed: tuple[str, ...]

    @property
    def written(self) -> tuple[str, ...]:
        """The columns that the application may write."""
        return tuple(it.name for it in self.table.columns if it.generated is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A table that a set of files changes: as each release knows it, and its writes.

    The rows of tables that refer to each other have different numbers.
    """

    name: str
    old: Shape
    new: Shape
    slots: tuple[Slot, ...]

    def shape(self, release: Release) -> Shape:
        """Return the table as *release* knows it."""
        return self.old if release is Release.OLD else self.new

    @property
    def base(self) -> tuple[int, ...]:
        """The rows that exist before the writes."""
        return tuple(slot.row for slot in self.slots if slot.kind is not Kind.ADD)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of all rows."""
        return tuple(sorted({n for slot in self.slots for n in (slot.row, slot.image)}))

    @property
    def only_new(self) -> frozenset[str]:
        """The columns that the old release does not know."""
        return frozenset(self.new.written) - {it.name for it in self.old.table.columns}

    @property
    def only_old(self) -> frozenset[str]:
        """The columns that the new release does not know."""
        return frozenset(self.old.written) - {it.name for it in self.new.table.columns}

    @property
    def moved(self) -> tuple[str, ...]:
        """The columns that have another type in the new release."""
        types = {it.name: (it.type, it.collation) for it in self.old.table.columns}
        return tuple(
            it.name
            for it in self.new.table.columns
            if it.name in types and types[it.name] != (it.type, it.collation)
        )


def written_tables(before: Schema, after: Schema) -> tuple[Written, ...]:
    """Return the tables whose columns differ and that can be written, referenced ones first."""
    pairs = [(old, after.table(old.name)) for old in before.tables]
    found = {
        old.name: (old, new)
        for old, new in pairs
        if new is not None and old.columns != new.columns
        # Rows of such a table are, or may be, in another one.
        if not (old.partition_by or old.partition_of or old.inherits)
    }
    if not found:
        return ()
    tables = {table.name: table for table in before.tables}
    related = any(_parents(old) & {*found} for old, _ in found.values())
    written = []
    for place, name in enumerate(_ordered(found, tables)):
        old, new = found[name]
        keys = key_of(old), key_of(new)
        if keys[0] is None or keys[1] is None or len(keys[0]) != len(keys[1]):
            continue
        made = Written(
            name=name.label(before.default_namespace),
            old=Shape(table=old, key=keys[0], changed=_changed(old, new)),
            new=Shape(table=new, key=keys[1], changed=_changed(new, old)),
            slots=tuple(_slots(place * 2 * sum(COUNTS.values()) if related else 0)),
        )
        written.append(made)
    return tuple(written)


def key_of(table: Table) -> tuple[str, ...] | None:
    """Return the columns of a key that every row has."""
    if table.primary_key is not None:
        return table.primary_key.columns
    required = {column.name for column in table.columns if column.not_null}
    return next((key.columns for key in table.uniques if {*key.columns} <= required), None)


def _ordered(
    found: Mapping[QualifiedName, object], tables: Mapping[QualifiedName, Table]
) -> Iterator[QualifiedName]:
    """Yield the names in *found* after those that they reference, as far as there is no circle."""
    left = list(found)
    while left:
        free = (name for name in left if not any(it in left for it in _parents(tables[name])))
        name = next(free, left[0])
        left.remove(name)
        yield name


def _parents(table: Table) -> set[QualifiedName]:
    return {key.references for key in table.foreign_keys} - {table.name}


def anchors(schema: Schema, table: Table) -> tuple[Table, ...]:
    """Return the other tables that *table* references, through others too."""
    tables = {it.name: it for it in schema.tables}
    found = reachable(
        [table.name], lambda name: _parents(tables[name]) & {*tables} if name in tables else ()
    )
    return tuple(tables[name] for name in found if name in tables and name != table.name)


def _changed(table: Table, other: Table) -> tuple[str, ...]:
    """Return the columns of *table* that are missing in *other* or differ in it."""
    kept = {(it.name, it.type, it.collation, it.not_null) for it in other.columns}
    return tuple(
        it.name
        for it in table.columns
        if (it.name, it.type, it.collation, it.not_null) not in kept
        and it.generated is None
        and not (it.identity is not None and it.identity.always)
    )


def _slots(first: int) -> Iterator[Slot]:
    """Yield the writes, mixed so that those of each kind are all over the table."""
    order = sorted(
        ((place + 0.5) / count, kind.value, kind)
        for kind, count in COUNTS.items()
        for place in range(count)
    )
    numbers = [first + number for number in range(1, len(order) + 1)]
    images = iter(range(numbers[-1] + 1, numbers[-1] + 1 + len(order)))
    for number, (_, _, kind) in zip(numbers, order, strict=True):
        image = number
        if kind in (Kind.CHANGE, Kind.TOUCH):
            # of another parity, so that it has another boolean
            image = next(it for it in images if (it - number) % 2)
        yield Slot(kind=kind, row=number, image=image)


# -- statements ------------------------------------------------------------------------------------


def statement(
    client: ScratchClient, shape: Shape, slot: Slot, contents: Mapping[int, RowTexts]
) -> str | None:
    """Return the SQL of a write by a release that knows *shape*; ``None`` if there is nothing.

    It changes the columns that differ between the releases, sets them to NULL, changes other
    columns, deletes the row, or inserts one.
    """
    row, image = contents[slot.row], contents[slot.image]
    key = {name: row[name] for name in shape.key}
    match slot.kind:
        case Kind.KEEP:
            return None
        case Kind.ADD:
            return client.insert(shape.table, {name: row[name] for name in shape.written})
        case Kind.REMOVE:
            return client.delete(shape.table, key)
        case Kind.CHANGE:
            values = {name: image[name] for name in shape.changed}
        case Kind.CLEAR:
            values = {
                it.name: None
                for it in shape.table.columns
                if it.name in shape.changed and not it.not_null
            }
        case Kind.TOUCH:
            others = [it for it in shape.written if it not in (*shape.changed, *shape.key)]
            values = {name: image[name] for name in others} or key
    return client.update(shape.table, key, values) if values else None


def keys_after(shape: Shape, slot: Slot, contents: Mapping[int, RowTexts]) -> Sequence[RowKey]:
    """Return the keys of the rows that a write may have changed: before it, and after it."""
    row, image = contents[slot.row], contents[slot.image]
    key = tuple(row[name] for name in shape.key)
    if slot.kind is not Kind.CHANGE:
        return (key,)
    moved = tuple((image if name in shape.changed else row)[name] for name in shape.key)
    return tuple(dict.fromkeys((key, moved)))
