"""Compute the ordered changes that turn one schema into another. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import replace

from dbwarden.diff.changes import Change, Create, Rename, Renaming
from dbwarden.diff.compare import compare
from dbwarden.diff.cycles import break_cycles
from dbwarden.diff.order import order
from dbwarden.diff.partitioned_indexes import with_detached
from dbwarden.diff.privileges import with_default_privileges
from dbwarden.diff.rebuild import add_rebuilds
from dbwarden.diff.renames import apply_followed, apply_renames, renamed_sequences
from dbwarden.diff.structure import links, without_checks
from dbwarden.diff.temporary_names import add_temporary_renames, break_rename_cycles
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import Namespace, Ref, Schema
from dbwarden.schema.garbage import garbage_collection_disabled

__all__ = ["diff", "differ"]


def differ(current: Schema, desired: Schema) -> bool:
    """Return whether the schemas differ, including in ways that no change can express."""
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
    """Return the ordered changes from *current* to *desired*; empty if they are equal.

    For a rollback call ``diff(desired, current, invert(renames))``: it respects the dependencies
    in *desired*, which inverting single changes would not.

    If a rename takes a name that is in use, the present owner of the name is renamed first.

    Args:
        current: The schema before.
        desired: The schema afterwards.
        renames: Objects to rename; these changes come first, in their order.
        follows: Views, triggers and the like that the server adapts to the renames, by their names
            in *desired*, which has them as the server will print them.

    Raises:
        UnsupportedChange: A difference cannot be expressed; names the object.
    """
    with garbage_collection_disabled():
        return _diff(current, desired, renames, follows)


def _diff(
    current: Schema, desired: Schema, renames: Iterable[Renaming], follows: Collection[Ref]
) -> tuple[Change, ...]:
    asked = add_temporary_renames(current, renames)
    base = apply_renames(current, asked)
    implied = add_temporary_renames(base, renamed_sequences(base, desired))
    base, asked = apply_renames(base, implied), (*asked, *implied)
    base = apply_followed(base, desired, follows)
    found = compare(base, desired)
    if not found:
        return asked
    old = links(base)
    changes = break_rename_cycles(add_rebuilds(found, base, desired, old), base, desired)
    changes, came, went = break_cycles(changes, base, desired)
    changes = with_detached(changes, base, desired)
    changes, granted = with_default_privileges(changes, base, desired)
    new = links(replace(granted, existing_grants=base.existing_grants or desired.existing_grants))
    targets = {rename.after.namespace for rename in asked if isinstance(rename, Rename)}
    new_homes = [it for it in desired.of(Namespace) if it.name in targets]
    first = [it for it in changes if isinstance(it, Create) and it.obj in new_homes]
    rest = [it for it in changes if it not in first]
    ordered = order(rest, without_checks(old, went), without_checks(new, came))
    return (*first, *asked, *ordered)
