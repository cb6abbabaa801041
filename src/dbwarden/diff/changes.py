"""The kinds of changes: one frozen class each, which also holds the value it replaces.

Every object is created, dropped, altered in place or renamed: a table, a column, constraint or
index, and all others. An object that cannot be altered in place is dropped and created.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, assert_never

from dbwarden.schema import (
    AnyObject,
    Column,
    CompositeType,
    Domain,
    Enum,
    ObjectKind,
    Part,
    PartitionOf,
    QualifiedName,
    Ref,
    ref_of,
)


class _Change:
    """What all changes have in common; ``verb`` names them in messages."""

    __slots__ = ()
    verb: ClassVar[str] = "change"

    @property
    def ref(self) -> Ref:
        """The identity of the object; for a rename, the new one."""
        raise NotImplementedError

    @property
    def table(self) -> QualifiedName:
        """The table (or view) whose part this is, or the object's own name."""
        return self.ref.table


class _ChangeOfPart(_Change):
    """A change of an object or, with ``on``, of a column, constraint or index of that table."""

    __slots__ = ()
    on: QualifiedName | None

    @property
    def table(self) -> QualifiedName:
        """The table (or view) whose part this is, or the object's own name."""
        return self.on if self.on is not None else self.ref.table


class _ChangeOfObject(_ChangeOfPart):
    """The creation or removal of an object."""

    __slots__ = ()
    obj: AnyObject

    @property
    def ref(self) -> Ref:
        """The identity of the object."""
        return _identity(self.obj, self.on)


def _identity(obj: AnyObject, on: QualifiedName | None) -> Ref:
    if isinstance(obj, Part):
        assert on is not None, f"{obj.key} is a part of a table"
        return obj.ref_in(on)
    return obj.ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Create(_ChangeOfObject):
    """The creation of an object; a new table includes what its CREATE TABLE can express."""

    verb: ClassVar[str] = "add"
    obj: AnyObject
    on: QualifiedName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop(_ChangeOfObject):
    """The removal of an object; a table takes its rows and parts along.

    Child tables keep a column or constraint as their own if ``only`` is set. ``detached`` are
    partitions whose own key is part of an index. They are detached meanwhile, because the server
    drops an index only together with its parts.
    """

    verb: ClassVar[str] = "drop"
    obj: AnyObject
    on: QualifiedName | None = None
    only: bool = False
    detached: tuple[tuple[QualifiedName, PartitionOf], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Alter(_ChangeOfPart):
    """A change of an object in place; of a table, only of the table itself, not of its parts."""

    before: AnyObject
    after: AnyObject
    on: QualifiedName | None = None

    @property
    def ref(self) -> Ref:
        """The identity of the object."""
        return _identity(self.after, self.on)


Rebuilt = Enum | Domain | CompositeType


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildType(_Change):
    """A type to recreate, with the columns to convert to the new one.

    ``along`` are types that depend on it, in order of their dependencies: a domain over an enum.
    ``columns`` are the remaining columns of these types: the table, the column before, and the
    column after the conversion with its new default. Other changes of the column come later.
    """

    before: Rebuilt
    after: Rebuilt
    along: tuple[tuple[Rebuilt, Rebuilt], ...] = ()
    columns: tuple[tuple[QualifiedName, Column, Column], ...] = ()

    @property
    def types(self) -> tuple[tuple[Rebuilt, Rebuilt], ...]:
        """All types to recreate, before and after."""
        return ((self.before, self.after), *self.along)

    @property
    def ref(self) -> Ref:
        """The identity of the type."""
        return self.after.ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Rename(_ChangeOfPart):
    """A new name or namespace for an object.

    ``aside`` marks a temporary name. ``on`` is the relation of an index, which its name does not
    include.
    """

    verb: ClassVar[str] = "rename"
    before: Ref
    after: Ref
    aside: bool = False
    on: QualifiedName | None = None

    @property
    def ref(self) -> Ref:
        """The new identity of the object."""
        return self.after


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameValue(_Change):
    """A new name for an enum value."""

    verb: ClassVar[str] = "rename"
    enum: QualifiedName
    before: str
    after: str

    @property
    def ref(self) -> Ref:
        """The new identity of the value."""
        return ref_of(ObjectKind.ENUM, self.enum, self.after)


Renaming = Rename | RenameValue

Change = Create | Drop | Alter | RebuildType | Rename | RenameValue


def alters(states: Iterable[AnyObject], on: QualifiedName | None = None) -> Iterator[Alter]:
    """Yield the changes of one object from each of *states* to the next, unless they are equal."""
    for before, after in pairwise(states):
        if before != after:
            yield Alter(before=before, after=after, on=on)


def rename_of(before: Part, after: Part, on: QualifiedName) -> Rename:
    """Return the change of the name of a part of the table *on*."""
    return Rename(before=before.ref_in(on), after=after.ref_in(on), on=on)


def invert(renames: Iterable[Renaming]) -> tuple[Renaming, ...]:
    """Return the renames that undo *renames*, in reverse order."""
    return tuple(_inverse(rename) for rename in reversed(tuple(renames)))


def _inverse(rename: Renaming) -> Renaming:
    match rename:
        case Rename(before=before, after=after, on=on):
            return Rename(before=after, after=before, on=on)
        case RenameValue(enum=enum, before=old, after=new):
            return RenameValue(enum=enum, before=new, after=old)
        case _:
            assert_never(rename)
