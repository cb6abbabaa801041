"""Define what a scratch database tells about a migration. Pure.

A dialect runs a file statement by statement and returns these facts. Rules decide on them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TypeVar

from dbwarden.files.migration import Migration
from dbwarden.linting.changes import Added, Dropped, ObservedChange
from dbwarden.linting.sizes import LiveStats
from dbwarden.linting.tables import ColumnFacts, ConstraintFacts, IndexFacts, TableFacts, TableId

P = TypeVar("P", TableFacts, ColumnFacts, ConstraintFacts, IndexFacts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A table lock: its name as people know it, and whether it blocks writes and reads."""

    name: str
    strength: int
    blocks_writes: bool
    blocks_reads: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TableUse:
    """The effect of one statement on a table that existed before the file.

    ``name`` is its name before the file. ``lock`` is the strongest lock that the statement took
    and its transaction did not hold yet, ``held`` the strongest that the transaction holds.
    ``scanned`` is true if every row was read, ``changes_rows`` if rows were inserted, updated or
    deleted, ``changes_all`` if the rows to change were searched without an index.
    """

    key: TableId
    name: str
    lock: Lock | None = None
    held: Lock | None = None
    rewritten: bool = False
    scanned: bool = False
    changes_rows: bool = False
    changes_all: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementFacts:
    """One statement, its place, and its effects.

    ``step`` is the number of its transaction. ``uses`` are the tables of before the file.
    ``truncated`` are the server's notices about names that it shortens. ``unsafe_value`` is true
    if the statement uses an enum value that its transaction added, which the server refuses.
    ``fault`` is a sentence about a statement with an unwanted effect.
    """

    text: str
    line: int
    column: int
    step: int = 1
    uses: tuple[TableUse, ...] = ()
    changes: tuple[ObservedChange, ...] = ()
    truncated: tuple[str, ...] = ()
    unsafe_value: bool = False
    fault: str | None = None

    def use_of(self, table: TableFacts) -> TableUse | None:
        """Return the use of *table*, if it existed before the file and was used."""
        return next((use for use in self.uses if use.key == table.key), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """The facts of one file: its statements, and the tables before and after it."""

    statements: tuple[StatementFacts, ...] = ()
    before: Mapping[TableId, TableFacts] = field(default_factory=dict)
    after: Mapping[TableId, TableFacts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """A migration and its facts.

    ``unmet`` are sentences about requirements that no file of the project meets. ``naming`` are
    the patterns of names, by kind of object. ``stats`` are the sizes of a live database.
    ``loses`` are columns whose values the new type of the column changes.
    """

    migration: Migration
    observed: Observed
    unmet: tuple[str, ...] = ()
    naming: Mapping[str, str] = field(default_factory=dict)
    stats: LiveStats | None = None
    loses: tuple[str, ...] = ()

    @property
    def statements(self) -> tuple[StatementFacts, ...]:
        """The statements of the upgrade."""
        return self.observed.statements

    @property
    def steps(self) -> Iterator[Sequence[StatementFacts]]:
        """The statements of each transaction."""
        for _, statements in groupby(self.statements, key=lambda statement: statement.step):
            yield tuple(statements)

    @property
    def changes(self) -> Iterator[tuple[StatementFacts, ObservedChange]]:
        """The changes of the tables, each with the statement that made it."""
        return ((one, change) for one in self.statements for change in one.changes)

    def parts(
        self, way: type[Added] | type[Dropped], kind: type[P]
    ) -> Iterator[tuple[StatementFacts, TableFacts, P]]:
        """Yield the new or dropped parts of a *kind*, with statement and table."""
        for statement, change in self.changes:
            if isinstance(change, way) and isinstance(change.part, kind):
                yield statement, change.table, change.part

    @property
    def uses(self) -> Iterator[tuple[StatementFacts, TableUse]]:
        """The uses of tables, each with its statement."""
        return ((one, use) for one in self.statements for use in one.uses)

    def old(self, table: TableFacts) -> TableFacts | None:
        """Return *table* as it was before the file, ``None`` if the file created it."""
        return self.observed.before.get(table.key)

    def describe(self, table: str) -> str:
        """Return the name of *table*, with its size if it is known."""
        return table if self.stats is None else self.stats.describe(table)

    @property
    def waits(self) -> str:
        """A clause about a long transaction of the live database; usually empty."""
        return self.stats.waits if self.stats is not None else ""
