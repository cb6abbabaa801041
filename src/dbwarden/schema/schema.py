"""The full description of one database."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from dbwarden.schema.code import (
    Aggregate,
    DefaultPrivileges,
    EventTrigger,
    Grant,
    MaterializedView,
    Other,
    Policy,
    Routine,
    Rule,
    Statistics,
    Trigger,
    View,
)
from dbwarden.schema.names import QualifiedName, Ref
from dbwarden.schema.tables import Table
from dbwarden.schema.types import CompositeType, Domain, Enum, Extension, Namespace, Sequence
from dbwarden.types import DialectName

SchemaObject = (
    Namespace
    | Extension
    | Enum
    | Domain
    | CompositeType
    | Sequence
    | View
    | MaterializedView
    | Routine
    | Aggregate
    | Trigger
    | EventTrigger
    | Rule
    | Policy
    | Statistics
    | Grant
    | DefaultPrivileges
    | Other
)
"""Any top-level object except a table; tables have changes of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The full description of one database.

    Each tuple is sorted by name; the columns of a table keep the order of the database.
    ``dependencies`` are pairs of an object and one that it needs, as recorded by the server. They
    and the server's version affect how a schema is changed, not its content, so comparisons ignore
    them. ``existing_grants`` are kept for recreated objects when grants are not compared.
    ``broken`` are views and triggers that exist but cannot be used, with the server's
    message. ``default_namespace`` is the namespace that printed text omits.
    """

    dialect: DialectName = "postgresql"
    default_namespace: str | None = field(default="public", compare=False)
    server_version: int = field(default=180000, compare=False)
    namespaces: tuple[Namespace, ...] = ()
    extensions: tuple[Extension, ...] = ()
    enums: tuple[Enum, ...] = ()
    domains: tuple[Domain, ...] = ()
    composite_types: tuple[CompositeType, ...] = ()
    sequences: tuple[Sequence, ...] = ()
    tables: tuple[Table, ...] = ()
    views: tuple[View, ...] = ()
    materialized_views: tuple[MaterializedView, ...] = ()
    routines: tuple[Routine, ...] = ()
    aggregates: tuple[Aggregate, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    event_triggers: tuple[EventTrigger, ...] = ()
    rules: tuple[Rule, ...] = ()
    policies: tuple[Policy, ...] = ()
    statistics: tuple[Statistics, ...] = ()
    grants: tuple[Grant, ...] = ()
    default_privileges: tuple[DefaultPrivileges, ...] = ()
    others: tuple[Other, ...] = ()
    dependencies: tuple[tuple[Ref, Ref], ...] = field(default=(), compare=False)
    existing_grants: tuple[Grant, ...] = field(default=(), compare=False)
    broken: tuple[tuple[Ref, str], ...] = field(default=(), compare=False)

    @property
    def objects(self) -> Iterator[SchemaObject]:
        """Yield all objects except tables."""
        yield from self.namespaces
        yield from self.extensions
        yield from self.enums
        yield from self.domains
        yield from self.composite_types
        yield from self.sequences
        yield from self.routines
        yield from self.aggregates
        yield from self.views
        yield from self.materialized_views
        yield from self.statistics
        yield from self.triggers
        yield from self.event_triggers
        yield from self.rules
        yield from self.policies
        yield from self.grants
        yield from self.default_privileges
        yield from self.others

    def table(self, name: QualifiedName) -> Table | None:
        """Return the table *name*, or ``None``."""
        return next((table for table in self.tables if table.name == name), None)

    def needs(self) -> Mapping[Ref, tuple[Ref, ...]]:
        """Return the objects that each object needs."""
        return _grouped(self.dependencies)

    def needed_by(self) -> Mapping[Ref, tuple[Ref, ...]]:
        """Return the objects that need each object."""
        return _grouped((needed, user) for user, needed in self.dependencies)


def _grouped(
    pairs: "Iterator[tuple[Ref, Ref]] | tuple[tuple[Ref, Ref], ...]",
) -> Mapping[Ref, tuple[Ref, ...]]:
    found: defaultdict[Ref, list[Ref]] = defaultdict(list)
    for first, second in pairs:
        found[first].append(second)
    return {ref: tuple(sorted(refs, key=lambda ref: ref.sort_key)) for ref, refs in found.items()}
