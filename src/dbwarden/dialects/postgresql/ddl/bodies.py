"""Disable body checks for functions that refer to objects created later. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from dbwarden.diff.changes import Alter, Change, Create
from dbwarden.diff.statements import PlannedStatement
from dbwarden.schema import OBJECT_KINDS, ObjectKind, Routine

# Not SET LOCAL, which has no effect if psql runs the file statement by statement.
OFF = "SET check_function_bodies = off"
ON = "RESET check_function_bodies"
WHY = "A body refers to objects that are created below."
# PL/pgSQL resolves names in statements at run time, but the types of variables at once.
CHECKED = re.compile(
    r"^ LANGUAGE (sql|plpgsql(?=.*%\s*(row)?type\b))", re.MULTILINE | re.DOTALL | re.IGNORECASE
)
CALLED = frozenset({ObjectKind.COLUMN, *(kind for kind, row in OBJECT_KINDS.items() if row.grants)})
"""The kinds that a body may name."""


def routines_to_leave_unchecked(changes: Sequence[Change]) -> frozenset[Change]:
    """Return *changes* that create functions whose bodies name objects created later."""
    later: set[str] = set()
    found: set[Change] = set()
    for change in reversed(changes):
        routine = _routine(change)
        if routine is not None and later & _named(routine):
            found.add(change)
        if isinstance(change, Create) and (ref := change.ref).kind in CALLED:
            later.add(ref.part if ref.kind is ObjectKind.COLUMN and ref.part else ref.name)
    return frozenset(found)


def _routine(change: Change) -> Routine | None:
    match change:
        case Create(obj=Routine() as routine):
            return routine
        case Alter(before=Routine() as before, after=Routine() as routine):
            return routine if before.definition != routine.definition else None
        case _:
            return None


def _named(routine: Routine) -> set[str]:
    """Return the words of the body that the server resolves when it creates the function.

    The dependencies of an SQL-standard body (BEGIN ATOMIC) are recorded, so they come before.
    """
    head, body, text = routine.definition.partition("\nAS ")
    return set(re.findall(r"\w+", text)) if body and CHECKED.search(head + text) else set()


def with_unchecked_bodies(
    statements: Sequence[PlannedStatement], changes: frozenset[Change]
) -> Iterator[PlannedStatement]:
    """Yield *statements*, with body checks switched off for those of *changes*."""
    off: PlannedStatement | None = None
    for statement in statements:
        if statement.change in changes and off is None:
            off = replace(statement, text=OFF, why=WHY)
            yield off
        elif statement.change not in changes and off is not None:
            yield replace(off, text=ON, why=None)
            off = None
        yield statement
    if off is not None:
        yield replace(off, text=ON, why=None)
