"""Match the history that another tool keeps in a database with imported files. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from dbwarden.files.migration import Migration

BASE = "base"
"""The id of an imported file that creates what existed before the other tool's first migration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignState:
    """What another tool has applied: ``applied`` files, and ``unknown`` ids that have no file."""

    applied: tuple[Migration, ...] = ()
    unknown: tuple[str, ...] = ()


def foreign_state(files: Sequence[Migration], tool: str, ids: Collection[str]) -> ForeignState:
    """Return the state of a database in which *tool* has recorded *ids*.

    Alembic records the newest revisions only: those that they follow are applied too. If a file
    stands for several migrations, those before it have no file of their own.
    """
    imported = {m.origin.id: m for m in files if m.origin is not None and m.origin.tool == tool}
    found: set[str] = set()
    waiting = list(ids)
    while waiting:
        one = waiting.pop()
        if one in imported and one not in found:
            found.add(one)
            origin = imported[one].origin
            waiting += origin.after if origin is not None else ()
    if found and BASE in imported:
        found.add(BASE)
    return ForeignState(
        applied=tuple(migration for name, migration in imported.items() if name in found),
        unknown=tuple(sorted(set(ids) - imported.keys())),
    )


def foreign_table(files: Sequence[Migration], tool: str) -> str | None:
    """Return the table in which *tool* keeps its history, if the newest file names one."""
    tables = [m.origin.table for m in files if m.origin is not None and m.origin.tool == tool]
    return tables[-1] if tables else None
