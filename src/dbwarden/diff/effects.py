"""Describe what a change creates, removes and touches, for ordering. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import assert_never

from dbwarden.diff.alterable import differing
from dbwarden.diff.changes import (
    AddColumn,
    AddConstraint,
    AddIndex,
    Alter,
    AlterColumn,
    AlterConstraint,
    AlterIndex,
    AlterTable,
    Change,
    Create,
    CreateTable,
    Drop,
    DropColumn,
    DropConstraint,
    DropIndex,
    DropTable,
    RebuildType,
    Rename,
    RenameValue,
    constraint_ref,
    index_ref,
    subject,
)
from dbwarden.diff.circles import without_expressions
from dbwarden.diff.structure import expressions, ownership, parentage, replica_identity
from dbwarden.schema import (
    OBJECT_KINDS,
    Column,
    Domain,
    MaterializedView,
    ObjectKind,
    QualifiedName,
    Ref,
    SchemaObject,
    Sequence,
    Table,
    View,
    ref_of,
)

Refs = frozenset[Ref]
NONE: Refs = frozenset()
Name = tuple[str, str, str]
"""A kind of object within which names are unique, its namespace, and the name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """The effects of one change.

    ``retypes`` are columns and types that change their type: objects that read them must not exist
    at that time.
    """

    makes: Refs = NONE
    removes: Refs = NONE
    touches: Refs = NONE
    retypes: Refs = NONE


def effects(change: Change) -> Effects:
    """Return the effects of *change*."""
    own = frozenset({subject(change)})
    match change:
        case CreateTable(table=table):
            return Effects(makes=frozenset(_of_table(table)))
        case DropTable(table=table):
            return Effects(removes=frozenset(_of_table(table)))
        case AddColumn(table=name, column=column):
            return Effects(makes=frozenset(_of_column(name, column)))
        case DropColumn(table=name, column=column):
            return Effects(removes=frozenset(_of_column(name, column)))
        case AlterColumn():
            return _alter_column(change)
        case AddConstraint() | AddIndex():
            return Effects(makes=own)
        case DropConstraint() | DropIndex():
            return Effects(removes=own)
        case Create(obj=MaterializedView() as view):
            return Effects(makes=own | {index_ref(view.name, index) for index in view.indexes})
        case Drop(obj=MaterializedView() as view):
            return Effects(removes=own | {index_ref(view.name, index) for index in view.indexes})
        case Create():
            return Effects(makes=own)
        case Drop():
            return Effects(removes=own)
        case RebuildType(types=types, columns=columns):
            own = frozenset(now.ref for _, now in types)
            moved = frozenset(ref_of(ObjectKind.COLUMN, name, was.name) for name, was, _ in columns)
            return Effects(makes=own, retypes=own | moved, touches=moved)
        case Alter(before=Sequence() as was, after=Sequence() as now) if (
            was.owned_by != now.owned_by
        ):
            return Effects(
                makes=frozenset({ownership(now.ref)}) if was.owned_by is None else NONE,
                removes=frozenset({ownership(now.ref)}) if now.owned_by is None else NONE,
            )
        case Alter(before=less, after=more) if _only_gains(less, more):
            return Effects(makes=frozenset({expressions(more.ref)}))
        case Alter(before=more, after=less) if _only_gains(less, more):
            return Effects(removes=frozenset({expressions(less.ref)}))
        case AlterTable(before=before, after=after):
            return Effects(touches=_touched(before, after))
        case AlterConstraint() | AlterIndex() | Alter() | Rename() | RenameValue():
            return Effects(touches=own)
        case _:
            assert_never(change)


def _only_gains(less: SchemaObject, more: SchemaObject) -> bool:
    """Return whether a domain only gains checks or a default, or a view its query."""
    match less, more:
        case Domain(), Domain():
            keeps = set(less.checks) <= set(more.checks) and less.default in (None, more.default)
            return keeps and replace(less, checks=more.checks, default=more.default) == more
        case View(), View():
            return less != more and less == without_expressions(more)
        case _:
            return False


def _touched(before: Table, after: Table) -> Refs:
    """Return the table itself, or only the parts of it that other objects depend on."""
    parts = {
        "replica_identity": replica_identity(after.name),
        "inherits": parentage(after.name),
        "partition_of": parentage(after.name),
    }
    changed = differing(before, after)
    touched = {parts.get(name, after.ref) for name in changed}
    return frozenset(touched)


def _of_table(table: Table) -> Iterator[Ref]:
    yield table.ref
    for column in table.columns:
        yield from _of_column(table.name, column)
    for constraint in table.constraints:
        yield constraint_ref(table.name, constraint)
    for index in table.indexes:
        yield index_ref(table.name, index)


def _of_column(table: QualifiedName, column: Column) -> Iterator[Ref]:
    yield ref_of(ObjectKind.COLUMN, table, column.name)
    if column.default is not None:
        yield ref_of(ObjectKind.DEFAULT, table, column.name)


def _alter_column(change: AlterColumn) -> Effects:
    before, after = change.before, change.after
    own = ref_of(ObjectKind.COLUMN, change.table, after.name)
    default = frozenset({ref_of(ObjectKind.DEFAULT, change.table, after.name)})
    return Effects(
        makes=default if before.default is None and after.default is not None else NONE,
        removes=default if before.default is not None and after.default is None else NONE,
        touches=(frozenset({own}) if differing(before, after) - {"default"} else NONE)
        | (default if before.default and after.default else NONE),
        retypes=frozenset({own}) if is_retyped(before, after) else NONE,
    )


def is_retyped(before: Column, after: Column) -> bool:
    """Return whether the server rewrites or refuses objects that read this column."""
    was = (before.type, before.collation, before.generated)
    return was != (after.type, after.collation, after.generated)


def names(change: Change) -> tuple[frozenset[Name], frozenset[Name]]:
    """Return the names that *change* takes and those that it releases.

    Relations, indexes and sequences of one namespace share their names; so do types.
    """
    if isinstance(change, Rename):
        return (
            frozenset(_names(change.after, change)),
            frozenset(_names(change.before, change)),
        )
    effect = effects(change)
    taken = {key for ref in effect.makes for key in _names(ref, change)}
    freed = {key for ref in effect.removes for key in _names(ref, change)}
    if isinstance(change, AlterColumn):
        was, now = change.before.identity, change.after.identity
        if now is not None and was is None and now.sequence is not None:
            taken.add(("relation", now.sequence.namespace or "", now.sequence.name))
        if was is not None and now is None and was.sequence is not None:
            freed.add(("relation", was.sequence.namespace or "", was.sequence.name))
    return frozenset(taken), frozenset(freed)


def _names(ref: Ref, change: Change) -> Iterator[Name]:
    for group in OBJECT_KINDS[ref.kind].names:
        yield group, ref.namespace or "", ref.name
    if ref.kind is ObjectKind.CONSTRAINT:
        # The index of a key has the key's name.
        yield "relation", ref.namespace or "", ref.part or ""
