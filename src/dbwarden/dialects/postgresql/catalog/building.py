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


class Building:
    """Processes the results in stages, each as soon as its rows are available."""

    def __init__(self, rows: Rows, exclude: Collection[QualifiedName]) -> None:
        self._rows = rows
        self._exclude = frozenset(exclude)
        self._found = Directory()
        self._parts = Parts()
        self._done = 0

    def advance(self, last: Stage) -> None:
        """Run all pending stages up to and including *last*."""
        end = STAGES.index(last) + 1
        for stage in STAGES[self._done : end]:
            self._work_on(stage)
        self._done = max(self._done, end)

    def _work_on(self, stage: Stage) -> None:
        found, parts, rows = self._found, self._parts, self._rows
        match stage:
            case "relations":
                directory.add_comments(found, rows.comments)
                directory.add_relations(found, rows.relations, self._exclude)
            case "types":
                directory.add_types(found, rows.types)
            case "columns":
                add_columns(found, parts, rows.columns)
            case "sequences":
                directory.add_sequences(found, rows.sequences)
                parts.add_identities(rows.sequences)
            case "constraints":
                add_constraints(found, parts, rows.constraints)
            case "indexes":
                parts.add_classes(rows.operator_classes, rows.index_collations)
                add_indexes(found, parts, rows.indexes)
            case "defaults":
                add_defaults(found, parts, rows.defaults)
                make_columns(found, parts, rows.relations)
            case "tables":
                add_tables(found, parts, rows)
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
        found, rows = self._found, self._rows
        directory.add_rest(found, rows)
        made: defaultdict[type[SchemaObject], list[SchemaObject]] = defaultdict(list)
        for obj in objects(found, self._parts, rows, default_namespace):
            made[type(obj)].append(obj)
        granted = _of(Grant, made)
        return Schema(
            dialect="postgresql",
            default_namespace=default_namespace,
            server_version=server_version,
            namespaces=_of(Namespace, made),
            extensions=_of(Extension, made),
            enums=_of(Enum, made),
            domains=_of(Domain, made),
            composite_types=_of(CompositeType, made),
            sequences=_of(SchemaSequence, made),
            tables=tuple(sorted(self._parts.tables, key=_name_of)),
            views=_of(View, made),
            materialized_views=_of(MaterializedView, made),
            routines=_of(Routine, made),
            aggregates=_of(Aggregate, made),
            triggers=_of(Trigger, made),
            event_triggers=_of(EventTrigger, made),
            rules=_of(Rule, made),
            policies=_of(Policy, made),
            statistics=_of(Statistics, made),
            grants=granted if privileges else (),
            standing=() if privileges else granted,
            default_privileges=_of(DefaultPrivileges, made),
            others=_of(Other, made),
            dependencies=directory.dependencies(found, rows),
        )


def _of(kind: type[T], made: Mapping[type, list[SchemaObject]]) -> tuple[T, ...]:
    things_ = sorted(made.get(kind, ()), key=lambda obj: obj.ref.sort_key)
    return tuple(obj for obj in things_ if isinstance(obj, kind))


def _name_of(table: Table) -> tuple[str, str]:
    return (table.name.namespace or "", table.name.name)
