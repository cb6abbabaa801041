"""Follow renames in objects that no model declares. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import replace

from dbwarden.diff.changes import Rename, Renaming
from dbwarden.schema import ObjectKind, Ref, Schema


def apply_followed(base: Schema, desired: Schema, refs: Collection[Ref]) -> Schema:
    """Return *base* with the objects *refs* replaced by those of *desired*."""
    if not refs:
        return base
    there = {obj.ref: obj for obj in desired.objects if obj.ref in refs}
    return replace(base, objects=tuple(there.get(item.ref, item) for item in base.objects))


def renamed_ref(ref: Ref, renames: Iterable[Renaming]) -> Ref:
    """Return the identity of *ref*, an object or a part of a table, after *renames*."""
    for rename in renames:
        match rename:
            case Rename(before=before, after=after) if before == ref:
                ref = after
            case Rename(before=Ref(kind=ObjectKind.TABLE, part=None) as before, after=after) if (
                ref.part is not None and ref.table == before.table
            ):
                ref = ref.within(after.table)
            case _:
                pass
    return ref
