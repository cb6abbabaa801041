"""What a partition has from its parent comes and goes with it, but has a name of its own. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from dbwarden.diff.alterable import constraint_alters, differing, index_alters
from dbwarden.diff.changes import (
    AddConstraint,
    AddIndex,
    AlterConstraint,
    AlterIndex,
    Change,
    Rename,
    constraint_ref,
    index_ref,
)
from dbwarden.schema import (
    LONGEST,
    Check,
    Exclusion,
    ForeignKey,
    Index,
    PrimaryKey,
    Schema,
    Table,
    Unique,
    object_name,
)

Item = PrimaryKey | Unique | Exclusion | ForeignKey | Index
T = TypeVar("T", bound=Item)
BY_PARENT = frozenset({"deferrable", "validated", "enforced"})
"""What of a foreign key only its parent's change can change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """A partition and its parent, in one of the two schemas."""

    table: Table
    parent: Table | None

    @property
    def items(self) -> list[Item]:
        """What the partition has from its parent and has a name for."""
        keys = [item for item in self.table.constraints if not isinstance(item, Check)]
        return [item for item in (*keys, *self.table.indexes) if item.inherited]


def _side(schema: Schema, table: Table) -> _Side:
    of = table.partition_of
    return _Side(table=table, parent=schema.table(of.parent) if of is not None else None)


def compare_inherited(
    current: Schema, desired: Schema, before: Table, after: Table
) -> Iterator[Change]:
    """How what a partition has from its parent gets the name, comment and parameters it is to have.

    What PostgreSQL made up is no name to anybody: two such names are alike, whichever number each
    got. What the parent is still to bring is made first, under its name: the parent takes it.
    """
    old, new = _side(current, before), _side(desired, after)
    if old.parent is None or new.parent is None or old.parent.name != new.parent.name:
        return
    for was, now in _pairs(old.items, new.items):
        if was is None:
            yield from _joined(old, new, now)
            continue
        if was.name != now.name and not (_made_up(old, was) and _made_up(new, now)):
            yield _rename(after, was, now)
            was = _named(was, now)
        yield from _alter(after, was, _named(now, was))


def _joined(old: _Side, new: _Side, now: Item) -> Iterator[Change]:
    """Yield what makes *now* part of the parent's: the parent takes it when it is created, or
    *now* is attached to it."""
    own = replace(now, inherited=False)
    parts = (*old.table.constraints, *old.table.indexes)
    there = any(_named(item, own) == own for item in parts if type(item) is type(own))
    attached = attached_to(old.parent, new.parent, now)
    if not there and (attached or not _as_brought(new, now)):
        yield _add(new.table, own)
    if attached and isinstance(own, Index) and isinstance(now, Index):
        yield AlterIndex(table=new.table.name, before=own, after=now)
    elif attached and not isinstance(own, Index) and not isinstance(now, Index):
        yield AlterConstraint(table=new.table.name, before=own, after=now)


def attached_to(was: Table | None, parent: Table | None, item: Item) -> bool:
    """Whether a partition's *item* is attached to one that *parent* has already, or has alone."""
    above = whole_of(parent, item)
    if above is None or isinstance(above, ForeignKey):
        return False
    if not getattr(above, "valid", True):
        return True
    before = _siblings(_Side(table=was, parent=was), above) if was is not None else ()
    return any(_completes(other, above) for other in before)


def whole_of(parent: Table | None, item: Item) -> Item | None:
    """Return what *parent* has that *item* of a partition is part of."""
    if parent is None:
        return None
    siblings = _siblings(_Side(table=parent, parent=parent), item)
    return next((own for own in siblings if not differing(_shape(own), _shape(item))), None)


def _shape(item: Item) -> Item:
    match _bare(item):
        case Index() as index:
            keys = tuple(replace(key, statistics=None) for key in index.columns)
            return replace(index, columns=keys, valid=True, parameters=(), clustered=False)
        case PrimaryKey() | Unique() as key:
            return replace(key, valid=True, parameters=(), clustered=False)
        case other:
            return other


def completed(before: Table, after: Table) -> Table:
    """Return *before*, a partitioned table, with the indexes and keys that become valid when those
    of its partitions are attached."""
    if after.partition_by is None:
        return before

    def done(item: T) -> T:
        completes = any(_completes(item, now) for now in later)
        return replace(item, valid=True) if completes else item  # type: ignore[arg-type]

    key = before.primary_key
    keys = (after.primary_key,) if after.primary_key is not None else ()
    later: list[Any] = [it for it in (*after.indexes, *after.uniques, *keys) if it.valid]
    return replace(
        before,
        primary_key=done(key) if key is not None else None,
        uniques=tuple(map(done, before.uniques)),
        indexes=tuple(map(done, before.indexes)),
    )


def _completes(was: object, now: object) -> bool:
    """Whether *was* is *now*, or is once all partitions have their part of it."""
    match was, now:
        case (
            (Index(valid=old), Index(valid=new))
            | (PrimaryKey(valid=old), PrimaryKey(valid=new))
            | (Unique(valid=old), Unique(valid=new))
        ):
            return differing(was, now) <= {"valid", "inherited"} and (new or not old)
        case _:
            return False


def alone(desired: Schema, table: Table) -> Table | None:
    """A new partition as it stands before it is attached; ``None`` where all comes by itself."""
    if table.partition_of is None:
        return None
    side = _side(desired, table)
    if all(_as_brought(side, item) for item in side.items):
        return None
    columns = tuple(replace(item, inherited=False, identity=None) for item in table.columns)
    return replace(
        table,
        columns=columns,
        partition_of=None,
        primary_key=_own((table.primary_key,))[0] if table.primary_key else None,
        uniques=_own(table.uniques),
        foreign_keys=_own(table.foreign_keys),
        checks=tuple(replace(item, inherited=False) for item in table.checks),
        exclusions=_own(table.exclusions),
        indexes=_own(table.indexes),
    )


def _own(items: Sequence[T]) -> tuple[T, ...]:
    return tuple(replace(item, inherited=False) for item in items)


def brought(table: Table, parent: Table | None, item: Item) -> bool:
    """Whether *item* is what partition *table* gets from *parent* when nobody says anything."""
    return _as_brought(_Side(table=table, parent=parent), item)


def _as_brought(side: _Side, item: Item) -> bool:
    """Whether *item* is what a partition gets when nobody says anything."""
    if item.comment is not None or not _made_up(side, item):
        return False
    if isinstance(item, ForeignKey):
        return True
    if isinstance(item, PrimaryKey | Unique | Exclusion) and item.index_comment is not None:
        return False
    source = next((own for own in _siblings(side, item) if _alike(own, item)), None)
    return source is None or not differing(_bare(source), _bare(item))


def _siblings(side: _Side, item: Item) -> Sequence[Item]:
    parent = side.parent
    if parent is None:
        return ()
    return [own for own in (*parent.constraints, *parent.indexes) if type(own) is type(item)]


def _named(item: Item, other: Item) -> Item:
    """*item* under the name of *other*."""
    return replace(item, name=other.name or "")


def _bare(item: Item) -> Item:
    """*item* without what a partition has to itself or what says where it is from."""
    match replace(item, name="", comment=None, inherited=False):
        case PrimaryKey() | Unique() | Exclusion() as key:
            return replace(key, index_comment=None)
        case other:
            return other


def _pairs(old: list[Item], new: list[Item]) -> Iterator[tuple[Item | None, Item]]:
    """What is the same thing before and after, by its name or else by what it is."""
    for by_name in (True, False):
        for now in tuple(new):
            alike = (was for was in old if _alike(was, now))
            was = next((was for was in alike if not by_name or was.name == now.name), None)
            if was is not None:
                old.remove(was)
                new.remove(now)
                yield was, now
    for now in new:
        yield None, now


def _alike(one: Item, other: Item) -> bool:
    """Whether two items differ in nothing but what can be changed in place, and their names."""
    one = replace(_named(one, other), inherited=other.inherited)
    match one, other:
        case Index(), Index():
            return index_alters(one, other)
        case ForeignKey(), ForeignKey():
            return differing(one, other) <= BY_PARENT | {"comment"}
        case Index(), _:
            return False
        case _, Index():
            return False
        case _:
            return constraint_alters(one, other)


def _add(table: Table, item: Item) -> Change:
    if isinstance(item, Index):
        return AddIndex(table=table.name, index=item)
    return AddConstraint(table=table.name, constraint=item)


def _rename(table: Table, was: Item, now: Item) -> Change:
    if isinstance(was, Index) and isinstance(now, Index):
        before, after = index_ref(table.name, was), index_ref(table.name, now)
        return Rename(before=before, after=after, on=table.name)
    assert not isinstance(was, Index) and not isinstance(now, Index)
    before, after = constraint_ref(table.name, was), constraint_ref(table.name, now)
    return Rename(before=before, after=after)


def _alter(table: Table, was: Item, now: Item) -> Iterator[Change]:
    if isinstance(was, Index) and isinstance(now, Index):
        if was != now:
            yield AlterIndex(table=table.name, before=was, after=now)
    elif not isinstance(was, Index) and not isinstance(now, Index):
        if isinstance(was, ForeignKey) and isinstance(now, ForeignKey):
            was = replace(now, comment=was.comment)
        if was != now:
            yield AlterConstraint(table=table.name, before=was, after=now)


def _made_up(side: _Side, item: Item) -> bool:
    """Whether the server would give such a name by itself."""
    name, table = item.name or "", side.table.name.name
    if isinstance(item, ForeignKey):
        if any(own.name == name for own in _siblings(side, item)):
            return True
        columns: Sequence[str | None] = item.columns
        label = "fkey"
    else:
        columns, label = _named_after(item)
    found = re.fullmatch(f".*_{label}([0-9]*)", name)
    if found is None:
        return False
    if None in columns:  # what an expression is called is not known
        return name.startswith(f"{table}_"[: LONGEST // 2])
    words = "_".join(word for word in columns if word is not None)
    made: bool = name == object_name(table, words, f"{label}{found[1]}")
    return made


def _named_after(item: PrimaryKey | Unique | Exclusion | Index) -> tuple[Sequence[str | None], str]:
    """The columns that such a name mentions, ``None`` for what is not known, and its ending."""
    match item:
        case PrimaryKey():
            return (), "pkey"
        case Unique():
            return (*item.columns, *item.include), "key"
        case Exclusion():
            return (None,), "excl"
        case Index():
            return (*(key.column for key in item.columns), *item.include), "idx"
