"""The full description of one database."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from dbwarden.schema.code import (
    Aggregate,
    DefaultPrivileges,
    Grant,
    MaterializedView,
    PlainObject,
    Policy,
    Routine,
    Rule,
    Statistics,
    Trigger,
    View,
)
from dbwarden.schema.kinds import ObjectKind
from dbwarden.schema.names import QualifiedName, Ref
from dbwarden.schema.tables import Column, Constraint, Index, Table
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
    | Rule
    | Policy
    | Statistics
    | Grant
    | DefaultPrivileges
    | PlainObject
)
"""Any top-level object except a table, which :class:`Schema` holds separately."""
AnyObject = SchemaObject | Table | Column | Constraint | Index
"""Whatever a change can be about: a column, constraint or index, too."""

T = TypeVar("T", bound=SchemaObject)


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
    tables: tuple[Table, ...] = ()
    objects: tuple[SchemaObject, ...] = ()
    dependencies: tuple[tuple[Ref, Ref], ...] = field(default=(), compare=False)
    existing_grants: tuple[Grant, ...] = field(default=(), compare=False)
    broken: tuple[tuple[Ref, str], ...] = field(default=(), compare=False)

    def of(self, type_: type[T]) -> tuple[T, ...]:
        """Return the objects of this class."""
        return tuple([obj for obj in self.objects if isinstance(obj, type_)])

    @property
    def others(self) -> tuple[PlainObject, ...]:
        """The objects that dbwarden reads but cannot change."""
        return tuple(obj for obj in self.of(PlainObject) if obj.kind is ObjectKind.OTHER)

    def with_objects(self, objects: Iterable[SchemaObject]) -> "Schema":
        """Return this schema with these *objects* instead of its own."""
        return replace(self, objects=tuple(sorted(objects, key=lambda obj: obj.ref.sort_key)))

    def table(self, name: QualifiedName) -> Table | None:
        """Return the table *name*, or ``None``."""
        return next((table for table in self.tables if table.name == name), None)

    @property
    def indexed(self) -> tuple[Table | MaterializedView, ...]:
        """The tables and materialized views, which can have indexes."""
        return (*self.tables, *self.of(MaterializedView))

    def names_in_use(self) -> Iterator[str]:
        """Yield the names of all objects, constraints and indexes."""
        for obj in (*self.objects, *self.tables):
            yield obj.ref.part or obj.ref.name
        for relation in self.indexed:
            yield from (it.name for it in relation.parts if it.name and not isinstance(it, Column))

    def needs(self) -> Mapping[Ref, tuple[Ref, ...]]:
        """Return the objects that each object needs."""
        return _grouped(self.dependencies)

    def needed_by(self) -> Mapping[Ref, tuple[Ref, ...]]:
        """Return the objects that need each object."""
        return _grouped((needed, user) for user, needed in self.dependencies)


def _grouped(pairs: Iterable[tuple[Ref, Ref]]) -> Mapping[Ref, tuple[Ref, ...]]:
    grouped: defaultdict[Ref, list[Ref]] = defaultdict(list)
    for first, second in pairs:
        grouped[first].append(second)
    return {ref: tuple(sorted(refs, key=lambda ref: ref.sort_key)) for ref, refs in grouped.items()}
