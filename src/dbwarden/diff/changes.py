"""The kinds of changes: one frozen class each, which also holds the value it replaces.

Tables, columns, constraints and indexes have changes of their own. All other objects are created,
dropped, altered in place or renamed as a whole. An object that cannot be altered in place is
dropped and created.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from dbwarden.schema import (
    Column,
    CompositeType,
    Constraint,
    Domain,
    Enum,
    Index,
    ObjectKind,
    PartitionOf,
    QualifiedName,
    Ref,
    SchemaObject,
    Table,
    constraint_key,
    ref_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTable:
    """A new table with everything inside its CREATE TABLE."""

    table: Table


@dataclass(frozen=True, slots=True, kw_only=True)
class DropTable:
    """The removal of a table with its rows and parts."""

    table: Table


@dataclass(frozen=True, slots=True, kw_only=True)
class AlterTable:
    """A change of a table itself, not of its columns, constraints or indexes."""

    before: Table
    after: Table


@dataclass(frozen=True, slots=True, kw_only=True)
class AddColumn:
    """A new column of an existing table."""

    table: QualifiedName
    column: Column


@dataclass(frozen=True, slots=True, kw_only=True)
class DropColumn:
    """The removal of a column and its values; child tables keep theirs if ``only`` is set."""

    table: QualifiedName
    column: Column
    only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AlterColumn:
    """A change of a column in place."""

    table: QualifiedName
    before: Column
    after: Column


@dataclass(frozen=True, slots=True, kw_only=True)
class AddConstraint:
    """A new constraint of a table."""

    table: QualifiedName
    constraint: Constraint


@dataclass(frozen=True, slots=True, kw_only=True)
class DropConstraint:
    """The removal of a constraint; child tables keep theirs as their own if ``only`` is set."""

    table: QualifiedName
    constraint: Constraint
    only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AlterConstraint:
    """A change of a constraint in place: comment, deferral, validation, storage parameters."""

    table: QualifiedName
    before: Constraint
    after: Constraint


@dataclass(frozen=True, slots=True, kw_only=True)
class AddIndex:
    """A new index of a table or materialized view."""

    table: QualifiedName
    index: Index


@dataclass(frozen=True, slots=True, kw_only=True)
class DropIndex:
    """The removal of an index.

    ``detached`` are partitions whose own key is part of the index. They are detached meanwhile,
    because the server drops an index only together with its parts.
    """

    table: QualifiedName
    index: Index
    detached: tuple[tuple[QualifiedName, PartitionOf], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlterIndex:
    """A change of an index in place: comment, storage parameters, statistics, clustering."""

    table: QualifiedName
    before: Index
    after: Index


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """The creation of any other object."""

    obj: SchemaObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """The removal of any other object."""

    obj: SchemaObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Alter:
    """A change of any other object in place."""

    before: SchemaObject
    after: SchemaObject


Rebuilt = Enum | Domain | CompositeType


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildType:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rename:
    """A new name or namespace for an object.

    ``aside`` marks a temporary name. ``on`` is the relation of an index, which its name does not
    include.
    """

    before: Ref
    after: Ref
    aside: bool = False
    on: QualifiedName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameValue:
    """A new name for an enum value."""

    enum: QualifiedName
    before: str
    after: str


Renaming = Rename | RenameValue

Change = (
    CreateTable
    | DropTable
    | AlterTable
    | AddColumn
    | DropColumn
    | AlterColumn
    | AddConstraint
    | DropConstraint
    | AlterConstraint
    | AddIndex
    | DropIndex
    | AlterIndex
    | Create
    | Drop
    | Alter
    | RebuildType
    | Rename
    | RenameValue
)


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


def index_ref(table: QualifiedName, index: Index) -> Ref:
    """Return the identity of an index; it is in its table's namespace."""
    return Ref(ObjectKind.INDEX, table.namespace, index.name)


def constraint_ref(table: QualifiedName, constraint: Constraint) -> Ref:
    """Return the identity of a constraint."""
    return ref_of(ObjectKind.CONSTRAINT, table, constraint_key(constraint))


def subject(change: Change) -> Ref:
    """Return the identity of the object that *change* affects; for a rename, the new one."""
    match change:
        case CreateTable(table=table) | DropTable(table=table) | AlterTable(after=table):
            return table.ref
        case (
            AddColumn(table=name, column=column)
            | DropColumn(table=name, column=column)
            | AlterColumn(table=name, after=column)
        ):
            return ref_of(ObjectKind.COLUMN, name, column.name)
        case (
            AddConstraint(table=name, constraint=constraint)
            | DropConstraint(table=name, constraint=constraint)
            | AlterConstraint(table=name, after=constraint)
        ):
            return constraint_ref(name, constraint)
        case (
            AddIndex(table=name, index=index)
            | DropIndex(table=name, index=index)
            | AlterIndex(table=name, after=index)
        ):
            return index_ref(name, index)
        case Create(obj=obj) | Drop(obj=obj) | Alter(after=obj):
            return obj.ref
        case RebuildType(after=type_):
            return type_.ref
        case Rename(after=ref):
            return ref
        case RenameValue(enum=enum, after=value):
            return ref_of(ObjectKind.ENUM, enum, value)
        case _:
            assert_never(change)
