"""Two schemas -> the changes that lead from one to the other, in an order that works. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import replace

from dbwarden.diff.changes import Change, Create, Rename, Renaming
from dbwarden.diff.circles import opened
from dbwarden.diff.compare import compare
from dbwarden.diff.moved_objects import following
from dbwarden.diff.order import order
from dbwarden.diff.privileges import with_default_privileges
from dbwarden.diff.rebuild import with_rebuilds
from dbwarden.diff.renames import renamed, renamed_sequences
from dbwarden.diff.structure import links, without_checks
from dbwarden.diff.temporary_names import with_room, without_circles
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import Namespace, Ref, Schema
from dbwarden.schema.garbage import garbage_collection_disabled

__all__ = ["diff", "differ"]


def differ(current: Schema, desired: Schema) -> bool:
    """Whether anything differs, be it in a way that cannot be expressed."""
    try:
        return bool(compare(current, desired))
    except UnsupportedChange:
        return True


def diff(
    current: Schema,
    desired: Schema,
    renames: Iterable[Renaming] = (),
    follows: Collection[Ref] = (),
) -> tuple[Change, ...]:
    """The changes that lead from *current* to *desired*, in order; none when they are equal.

    A rollback is ``diff(desired, current, invert(renames))``: it knows what depends on what in
    *desired*, which the inverse of single changes does not.

    What has a name that another thing takes by a rename is renamed itself first.

    Args:
        current: What is there.
        desired: What is wanted.
        renames: What is the same thing under another name; they come first, in their order.
        follows: Views, triggers and the like that the server keeps in step with the renames; as
            they are called in *desired*, which has them as the server will.

    Raises:
        UnsupportedChange: A difference that cannot be expressed; names the thing.
    """
    with garbage_collection_disabled():
        return _diff(current, desired, renames, follows)


def _diff(
    current: Schema, desired: Schema, renames: Iterable[Renaming], follows: Collection[Ref]
) -> tuple[Change, ...]:
    asked = with_room(current, renames)
    base = renamed(current, asked)
    implied = with_room(base, renamed_sequences(base, desired))
    base, asked = renamed(base, implied), (*asked, *implied)
    base = following(base, desired, follows)
    found = compare(base, desired)
    if not found:
        return asked
    old = links(base)
    changes = without_circles(with_rebuilds(found, base, desired, old), base, desired)
    changes, came, went = opened(changes, base, desired)
    changes, granted = with_default_privileges(changes, base, desired)
    new = links(replace(granted, standing=base.standing or desired.standing))
    first, rest = _homes(changes, asked)
    ordered = order(rest, without_checks(old, went), without_checks(new, came))
    return (*first, *asked, *ordered)


def _homes(
    changes: Iterable[Change], renames: Iterable[Renaming]
) -> tuple[list[Change], list[Change]]:
    """The new namespaces into which something is renamed, and all other changes."""
    names = {rename.after.namespace for rename in renames if isinstance(rename, Rename)}
    first: list[Change] = []
    rest: list[Change] = []
    for change in changes:
        match change:
            case Create(obj=Namespace(name=name)) if name in names:
                first.append(change)
            case _:
                rest.append(change)
    return first, rest
