"""Decide which objects can be altered in place and which must be dropped and recreated. Pure."""

from dataclasses import fields, replace

from dbwarden.schema import (
    OBJECT_KINDS,
    AnyObject,
    Check,
    Column,
    CompositeType,
    Enum,
    ForeignKey,
    Index,
    IndexColumn,
    PlainObject,
    Policy,
    Schema,
    View,
)
from dbwarden.schema.kind_traits import traits_of

SET_EXPRESSION_VERSION = 170000


def column_alters(desired: Schema, before: Column, after: Column) -> bool:
    """Return whether a column can be altered in place. Its generation expression cannot."""
    if before.generated == after.generated or traits_of(desired.dialect).rebuilds_tables:
        return True
    if before.generated is not None and after.generated is not None:
        same_sort = before.generated.stored == after.generated.stored
        return same_sort and desired.server_version >= SET_EXPRESSION_VERSION
    # A stored value can become a plain one, but not the other way round.
    return before.generated is not None and before.generated.stored


def differing(before: object, after: object) -> frozenset[str]:
    """Return the fields in which two values of one class differ, or the first words of clauses."""
    if isinstance(before, PlainObject) and isinstance(after, PlainObject):
        old, new = dict(before.clauses), dict(after.clauses)
        changed = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
        comment = ("comment",) if before.comment != after.comment else ()
        return frozenset({*(name.partition(" ")[0] for name in changed), *comment})
    names = (field.name for field in fields(before))  # type: ignore[arg-type]  # a dataclass
    return frozenset(name for name in names if getattr(before, name) != getattr(after, name))


def object_alters(before: AnyObject, after: AnyObject) -> bool:
    """Return whether an object other than a table or column can be altered in place."""
    if type(before) is not type(after):
        return False
    changed, in_place = differing(before, after), OBJECT_KINDS[after.kind].in_place
    match before, after:
        case ForeignKey(), ForeignKey():
            validates = after.validated or not before.validated
            return validates and changed <= {"comment", "deferrable", "validated"}
        case Check(), Check():
            validates = after.validated or not before.validated
            return validates and changed <= {"comment", "validated", "columns"}
        case _ if not changed <= in_place:
            return False
        case Index(), Index():
            return index_keys(before) == index_keys(after)
        case Enum(), Enum():
            rest = iter(after.values)  # all old values must remain, in the same order
            return all(value in rest for value in before.values)
        case CompositeType(), CompositeType():
            # The remaining attributes must keep their order and precede all new ones.
            old, new = ([item.name for item in type_.attributes] for type_ in (before, after))
            stay = [name for name in old if name in new]
            return new[: len(stay)] == stay
        case View(), View():
            # CREATE OR REPLACE VIEW can only append columns.
            was, now = (
                [(it.name, it.type, it.collation) for it in view.columns]
                for view in (before, after)
            )
            return bool(was) and now[: len(was)] == was
        case Policy(), Policy():
            kept = after.using is not None or before.using is None
            return kept and (after.check is not None or before.check is None)
        case _:
            return True


def index_keys(index: Index) -> tuple[IndexColumn, ...]:
    """Return the keys of an index without the statistics targets, which can change in place."""
    return tuple(replace(column, statistics=None) for column in index.columns)
