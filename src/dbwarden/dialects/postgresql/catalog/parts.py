"""Collect the parts of tables from the query results. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter

from dbwarden.dialects.postgresql.catalog.rows import CatalogRow
from dbwarden.schema import Constraint, Index

DEFAULT_COLLATION = 100


@dataclass(slots=True)
class Parts:
    """Parts by the OID of the relation, and the number of the column."""

    columns: defaultdict[int, list[CatalogRow]] = field(default_factory=lambda: defaultdict(list))
    generated: set[tuple[int, int]] = field(default_factory=set)
    defaults: dict[int, dict[int, str]] = field(default_factory=dict)
    """For generated columns, the generation expressions."""
    constraints: defaultdict[int, list[Constraint]] = field(
        default_factory=lambda: defaultdict(list)
    )
    indexes: defaultdict[int, list[Index]] = field(default_factory=lambda: defaultdict(list))
    identity_indexes: dict[int, str] = field(default_factory=dict)
    identities: dict[tuple[int, int], CatalogRow] = field(default_factory=dict)
    """The sequences behind identity columns."""
    classes: dict[int, CatalogRow] = field(default_factory=dict)
    """The operator classes of index columns."""
    collations: dict[int, str] = field(default_factory=dict)
    """The collations of index columns."""
    column_collations: dict[tuple[int, int], int] = field(default_factory=dict)
    index_attributes: dict[int, dict[int, CatalogRow]] = field(default_factory=dict)
    """The index columns with options or a statistics target."""

    def columns_of(self, relation: int) -> Sequence[CatalogRow]:
        """Return the columns of a relation, in order."""
        return sorted(self.columns.get(relation, ()), key=itemgetter("number"))

    def indexes_of(self, relation: int) -> tuple[Index, ...]:
        """Return the indexes of a table or materialized view, sorted by name."""
        return tuple(sorted(self.indexes.get(relation, ()), key=attrgetter("name")))

    def collation(self, relation: int, column: int, chosen: int) -> str | None:
        """Return the name of an index column's collation if it is not the column's own."""
        own = self.column_collations.get((relation, column), DEFAULT_COLLATION)
        return self.collations.get(chosen) if chosen not in (0, own) else None
