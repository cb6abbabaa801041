"""The effects that a migration file declares in its header. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Declarations:
    """The facts that the header of a file declares, as in ``-- dbwarden: loses users.email``.

    ``generated`` is true for a file that make-migrations wrote. ``loses`` names the tables and
    columns whose values a rollback does not restore, ``untried`` those for which no values could
    be generated; both as they are called before the upgrade. ``reason`` is the comment that
    explains why the upgrade fails on rows.
    """

    generated: bool = False
    loses: tuple[str, ...] = ()
    untried: tuple[str, ...] = ()
    fails_on_rows: bool = False
    rollback_fails_on_rows: bool = False
    reason: str = ""


def covers(declared: Iterable[str], name: str) -> bool:
    """Return whether one of the *declared* names is *name*, its table, or a pattern for it.

    ``*`` stands for everything and ``*.email`` for a column of any table.
    """
    table, _, column = name.rpartition(".")
    return not {name, table, f"*.{column}", "*"}.isdisjoint(declared)
