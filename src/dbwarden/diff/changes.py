"""What can change: one frozen class a kind of change, with what it replaces, so that each inverts.

Tables, columns, constraints and indexes have changes of their own; everything else is created,
dropped, altered in place or renamed as a whole. What cannot be altered in place is a drop and a
create.
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
    QualifiedName,
    Ref,
    SchemaObject,
    Table,
    constraint_key,
    ref_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTable:
    """A new table, with all that stands inside its CREATE TABLE."""

    table: Table


@dataclass(frozen=True, slots=True, kw_only=True)
class DropTable:
    """A table goes, with its rows and all that belongs to it."""

    table: Table


@dataclass(frozen=True, slots=True, kw_only=True)
class AlterTable:
    """What a table itself is (not its columns, constraints, indexes) changes."""

    before: Table
    after: Table


@dataclass(frozen=True, slots=True, kw_only=True)
class AddColumn:
    """A new column of an existing table."""

    table: QualifiedName
    column: Column


@dataclass(frozen=True, slots=True, kw_only=True)
class DropColumn:
    """A column goes, with its values; ``only`` says that child tables keep theirs."""

    table: QualifiedName
    column: Column
    only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AlterColumn:
    """A column changes in place."""

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
    """A constraint goes."""

    table: QualifiedName
    constraint: Constraint


@dataclass(frozen=True, slots=True, kw_only=True)
class AlterConstraint:
    """A constraint changes in place: comment, deferral, validation, storage parameters."""

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
    """An index goes."""

    table: QualifiedName
    index: Index


@dataclass(frozen=True, slots=True, kw_only=True)
class AlterIndex:
    """An index changes in place: comment, storage parameters, statistics, clustering."""

    table: QualifiedName
    before: Index
    after: Index


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Anything else that is new."""

    obj: SchemaObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Anything else that goes."""

    obj: SchemaObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Alter:
    """Anything else that changes in place."""

    before: SchemaObject
    after: SchemaObject


Rebuilt = Enum | Domain | CompositeType


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildType:
    """A type that has to be made anew, with the columns that change over to it.

    ``along`` are the types that are built on it, each behind what it needs: a domain over an enum.
    ``columns`` are those of their columns that stay: the table, the column before, and the column
    when it has moved, with its new default; whatever else changes in it comes later.
    """

    before: Rebuilt
    after: Rebuilt
    along: tuple[tuple[Rebuilt, Rebuilt], ...] = ()
    columns: tuple[tuple[QualifiedName, Column, Column], ...] = ()

    @property
    def types(self) -> tuple[tuple[Rebuilt, Rebuilt], ...]:
        """All types that are made anew, before and after."""
        return ((self.before, self.after), *self.along)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rename:
    """The same thing under another name, or in another namespace.

    ``aside`` says that it has the new name only for the time being; ``on`` is the relation of an
    index, which its name does not tell.
    """

    before: Ref
    after: Ref
    aside: bool = False
    on: QualifiedName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameValue:
    """The same enum value under another name."""

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


def inverse(change: Change) -> Change:
    """The change that takes *change* back."""
    match change:
        case CreateTable(table=table):
            return DropTable(table=table)
        case DropTable(table=table):
            return CreateTable(table=table)
        case AlterTable(before=before, after=after):
            return AlterTable(before=after, after=before)
        case AddColumn(table=name, column=column):
            return DropColumn(table=name, column=column)
        case DropColumn(table=name, column=column):
            return AddColumn(table=name, column=column)
        case AlterColumn(table=name, before=was, after=now):
            return AlterColumn(table=name, before=now, after=was)
        case Create(obj=obj):
            return Drop(obj=obj)
        case Drop(obj=obj):
            return Create(obj=obj)
        case Alter(before=old, after=new):
            return Alter(before=new, after=old)
        case RebuildType(before=old_type, after=new_type, along=along, columns=columns):
            swapped = tuple((table, now, was) for table, was, now in columns)
            others = tuple((now, was) for was, now in along)
            return RebuildType(before=new_type, after=old_type, along=others, columns=swapped)
        case Rename(before=old_ref, after=new_ref, on=on):
            return Rename(before=new_ref, after=old_ref, on=on)
        case RenameValue(enum=enum, before=old_value, after=new_value):
            return RenameValue(enum=enum, before=new_value, after=old_value)
        case _:
            return _inverse_of_part(change)


def _inverse_of_part(
    change: AddConstraint | DropConstraint | AlterConstraint | AddIndex | DropIndex | AlterIndex,
) -> Change:
    match change:
        case AddConstraint(table=name, constraint=constraint):
            return DropConstraint(table=name, constraint=constraint)
        case DropConstraint(table=name, constraint=constraint):
            return AddConstraint(table=name, constraint=constraint)
        case AlterConstraint(table=name, before=before, after=after):
            return AlterConstraint(table=name, before=after, after=before)
        case AddIndex(table=name, index=index):
            return DropIndex(table=name, index=index)
        case DropIndex(table=name, index=index):
            return AddIndex(table=name, index=index)
        case AlterIndex(table=name, before=was, after=now):
            return AlterIndex(table=name, before=now, after=was)
        case _:
            assert_never(change)


def invert(changes: Iterable[Change]) -> tuple[Change, ...]:
    """The changes that take *changes* back, last one first."""
    return tuple(inverse(change) for change in reversed(tuple(changes)))


def index_ref(table: QualifiedName, index: Index) -> Ref:
    """The identity of an index: it lives in its table's namespace."""
    return Ref(ObjectKind.INDEX, table.namespace, index.name)


def constraint_ref(table: QualifiedName, constraint: Constraint) -> Ref:
    """The identity of a constraint."""
    return ref_of(ObjectKind.CONSTRAINT, table, constraint_key(constraint))


def subject(change: Change) -> Ref:
    """What *change* is about; the new name of what is renamed."""
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
