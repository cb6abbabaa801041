"""Build a schema result by result, while the server executes the next query. Pure."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Literal, TypeVar, assert_never, get_args

from dbwarden.dialects.postgresql.catalog import directory
from dbwarden.dialects.postgresql.catalog.code import objects
from dbwarden.dialects.postgresql.catalog.columns import add_columns, add_defaults, make_columns
from dbwarden.dialects.postgresql.catalog.constraints import add_constraints
from dbwarden.dialects.postgresql.catalog.directory import Directory
from dbwarden.dialects.postgresql.catalog.indexes import add_indexes
from dbwarden.dialects.postgresql.catalog.parts import Parts
from dbwarden.dialects.postgresql.catalog.rows import Rows
from dbwarden.dialects.postgresql.catalog.tables import add_tables
from dbwarden.schema import (
    Aggregate,
    CompositeType,
    DefaultPrivileges,
    Domain,
    Enum,
    EventTrigger,
    Extension,
    Grant,
    MaterializedView,
    Namespace,
    Other,
    Policy,
    QualifiedName,
    Routine,
    Rule,
    Schema,
    Statistics,
    Table,
    Trigger,
    View,
)
from dbwarden.schema import Sequence as SchemaSequence
from dbwarden.schema.schema import SchemaObject

T = TypeVar("T")


Stage = Literal[
    "relations", "types", "columns", "sequences", "constraints", "indexes", "defaults", "tables"
]
STAGES: tuple[Stage, ...] = get_args(Stage)
"""The stages in order: each needs the results of the ones before it."""


class SchemaBuilder:
    """Processes the results in stages, each as soon as its rows are available."""

    def __init__(self, rows: Rows, exclude: Collection[QualifiedName]) -> None:
        self._rows = rows
        self._exclude = frozenset(exclude)
        self._known = Directory()
        self._parts = Parts()
        self._done = 0

    def advance(self, last: Stage) -> None:
        """Run all pending stages up to and including *last*."""
        end = STAGES.index(last) + 1
        for stage in STAGES[self._done : end]:
            self._work_on(stage)
        self._done = max(self._done, end)

    def _work_on(self, stage: Stage) -> None:
        known, parts, rows = self._known, self._parts, self._rows
        match stage:
            case "relations":
                directory.add_comments(known, rows.comments)
                directory.add_relations(known, rows.relations, self._exclude)
            case "types":
                directory.add_types(known, rows.types)
            case "columns":
                add_columns(known, parts, rows.columns)
            case "sequences":
                directory.add_sequences(known, rows.sequences)
                parts.add_identities(rows.sequences)
            case "constraints":
                add_constraints(known, parts, rows.constraints)
            case "indexes":
                parts.add_classes(rows.operator_classes, rows.index_collations)
                add_indexes(known, parts, rows.indexes)
            case "defaults":
                add_defaults(known, parts, rows.defaults)
                make_columns(known, parts, rows.relations)
            case "tables":
                add_tables(known, parts, rows)
            case _:
                assert_never(stage)

    def schema(self, *, server_version: int, default_namespace: str, privileges: bool) -> Schema:
        """Return the schema, once all results are available.

        Args:
            server_version: ``server_version_num``.
            default_namespace: The namespace that printed text omits.
            privileges: Whether grants are part of the schema, or only kept for recreated objects.
        """
        self.advance("tables")
        known, rows = self._known, self._rows
        directory.add_rest(known, rows)
        by_kind: defaultdict[type[SchemaObject], list[SchemaObject]] = defaultdict(list)
        for obj in objects(known, self._parts, rows, default_namespace):
            by_kind[type(obj)].append(obj)
        granted = _of(Grant, by_kind)
        return Schema(
            dialect="postgresql",
            default_namespace=default_namespace,
            server_version=server_version,
            namespaces=_of(Namespace, by_kind),
            extensions=_of(Extension, by_kind),
            enums=_of(Enum, by_kind),
            domains=_of(Domain, by_kind),
            composite_types=_of(CompositeType, by_kind),
            sequences=_of(SchemaSequence, by_kind),
            tables=tuple(sorted(self._parts.tables, key=_name_of)),
            views=_of(View, by_kind),
            materialized_views=_of(MaterializedView, by_kind),
            routines=_of(Routine, by_kind),
            aggregates=_of(Aggregate, by_kind),
            triggers=_of(Trigger, by_kind),
            event_triggers=_of(EventTrigger, by_kind),
            rules=_of(Rule, by_kind),
            policies=_of(Policy, by_kind),
            statistics=_of(Statistics, by_kind),
            grants=granted if privileges else (),
            existing_grants=() if privileges else granted,
            default_privileges=_of(DefaultPrivileges, by_kind),
            others=_of(Other, by_kind),
            dependencies=directory.dependencies(known, rows),
        )


def _of(kind: type[T], by_kind: Mapping[type, list[SchemaObject]]) -> tuple[T, ...]:
    found_objects = sorted(by_kind.get(kind, ()), key=lambda obj: obj.ref.sort_key)
    return tuple(obj for obj in found_objects if isinstance(obj, kind))


def _name_of(table: Table) -> tuple[str, str]:
    return (table.name.namespace or "", table.name.name)
