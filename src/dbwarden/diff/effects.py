"""Describe what a change creates, removes and touches, for ordering. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import assert_never

from dbwarden.diff.alterable import differing
from dbwarden.diff.changes import Alter, Change, Create, Drop, RebuildType, Rename, RenameValue
from dbwarden.diff.cycles import without_expressions
from dbwarden.diff.structure import expressions, ownership, parentage, replica_identity
from dbwarden.schema import (
    OBJECT_KINDS,
    AnyObject,
    Column,
    Domain,
    Identity,
    MaterializedView,
    ObjectKind,
    QualifiedName,
    Ref,
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
    own = frozenset({change.ref})
    match change:
        case Create(obj=obj):
            return Effects(makes=own | _inside(obj, change.table))
        case Drop(obj=obj):
            return Effects(removes=own | _inside(obj, change.table))
        case Alter():
            return _alter(change)
        case RebuildType(types=types, columns=columns):
            own = frozenset(now.ref for _, now in types)
            moved = frozenset(was.ref_in(name) for name, was, _ in columns)
            return Effects(makes=own, retypes=own | moved, touches=moved)
        case Rename() | RenameValue():
            return Effects(touches=own)
        case _:
            assert_never(change)


def _inside(obj: AnyObject, table: QualifiedName) -> Refs:
    """Return what is created and dropped together with *obj*, which is or is in *table*."""
    match obj:
        case Table() | MaterializedView():
            parts = frozenset(part.ref_in(table) for part in obj.parts)
            return parts.union(*(_inside(part, table) for part in obj.parts))
        case Column(default=str()):
            return frozenset({ref_of(ObjectKind.DEFAULT, table, obj.name)})
        case _:
            return NONE


def _alter(change: Alter) -> Effects:
    own = frozenset({change.ref})
    match change.before, change.after:
        case Column() as was, Column() as now:
            return _alter_column(change.table, was, now)
        case Table() as before, Table() as after:
            return Effects(touches=_touched(before, after))
        case Sequence(owned_by=old), Sequence(owned_by=new) if old != new:
            owned = frozenset({ownership(change.ref)})
            return Effects(
                makes=owned if old is None else NONE, removes=owned if new is None else NONE
            )
        case less, more if _only_gains(less, more):
            return Effects(makes=frozenset({expressions(change.ref)}))
        case more, less if _only_gains(less, more):
            return Effects(removes=frozenset({expressions(change.ref)}))
        case _:
            return Effects(touches=own)


def _only_gains(less: AnyObject, more: AnyObject) -> bool:
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


def _alter_column(table: QualifiedName, before: Column, after: Column) -> Effects:
    own = frozenset({after.ref_in(table)})
    default = frozenset({ref_of(ObjectKind.DEFAULT, table, after.name)})
    had, has = before.default is not None, after.default is not None
    changed = differing(before, after) - {"default"}
    return Effects(
        makes=default if has and not had else NONE,
        removes=default if had and not has else NONE,
        touches=(own if changed else NONE) | (default if had and has else NONE),
        retypes=own if is_retyped(before, after) else NONE,
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
        return frozenset(_names(change.after)), frozenset(_names(change.before))
    effect = effects(change)
    made, gone = effect.makes, effect.removes
    match change:
        case Create(obj=obj):
            made |= _sequences(obj)
        case Drop(obj=obj):
            gone |= _sequences(obj)
        case Alter(before=Column() as was, after=Column() as now):
            made |= _sequences(now) - _sequences(was)
            gone |= _sequences(was) - _sequences(now)
    taken = frozenset(key for ref in made for key in _names(ref))
    return taken, frozenset(key for ref in gone for key in _names(ref))


def _sequences(obj: AnyObject) -> Refs:
    """Return the sequences of the identity columns of *obj*."""
    match obj:
        case Table():
            return NONE.union(*(_sequences(column) for column in obj.columns))
        case Column(identity=Identity(sequence=QualifiedName() as name)):
            return frozenset({ref_of(ObjectKind.SEQUENCE, name)})
        case _:
            return NONE


def _names(ref: Ref) -> Iterator[Name]:
    for group in OBJECT_KINDS[ref.kind].names:
        yield group, ref.namespace or "", ref.name
    if ref.kind is ObjectKind.CONSTRAINT:
        # The index of a key has the key's name.
        yield "relation", ref.namespace or "", ref.part or ""
