"""The facts that a migration file declares in its header. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Fact = Literal[
    "irreversible",
    "generated",
    "loses",
    "fails-on-rows",
    "rollback-fails-on-rows",
    "untried",
    "rollback-differs",
    "backfill",
]


@dataclass(frozen=True, slots=True)
class Declarations:
    """The facts in a header, as in ``-- dbwarden: loses users.email``, each with its names.

    ``generated`` is the fact of a file that make-migrations wrote. ``loses`` names the tables and
    columns whose values a rollback does not restore, ``untried`` those for which no values could
    be generated; both as they are called before the upgrade. ``rollback-differs`` names the objects
    that an imported rollback does not restore as they were. ``reason`` is the comment that
    explains why the upgrade fails on rows.
    """

    facts: Mapping[Fact, tuple[str, ...]] = field(default_factory=dict, hash=False)
    reason: str = ""

    def __contains__(self, fact: Fact) -> bool:
        return fact in self.facts

    def covers(self, fact: Fact, name: str) -> bool:
        """Return whether *fact* is declared for *name*."""
        return covers(self.facts.get(fact, ()), name)


def covers(declared: Iterable[str], name: str) -> bool:
    """Return whether one of the *declared* names is *name*, its table, or a pattern for it.

    ``*`` stands for everything and ``*.email`` for a column of any table.
    """
    table, _, column = name.rpartition(".")
    return not {name, table, f"*.{column}", "*"}.isdisjoint(declared)
