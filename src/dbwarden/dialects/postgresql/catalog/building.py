"""Build a schema result by result, while the server executes the next query. Pure."""

from collections.abc import Collection
from typing import Literal, assert_never, get_args

from dbwarden.dialects.postgresql.catalog import directory
from dbwarden.dialects.postgresql.catalog.code import add_objects, grants
from dbwarden.dialects.postgresql.catalog.columns import add_columns, add_defaults, make_columns
from dbwarden.dialects.postgresql.catalog.constraints import add_constraints
from dbwarden.dialects.postgresql.catalog.directory import Directory
from dbwarden.dialects.postgresql.catalog.indexes import add_indexes
from dbwarden.dialects.postgresql.catalog.parts import Parts
from dbwarden.dialects.postgresql.catalog.rows import Rows
from dbwarden.dialects.postgresql.catalog.tables import add_tables
from dbwarden.schema import QualifiedName, Schema, SchemaObject, Table

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
        """Return the schema, once all results are available; arguments as of ``read_schema``."""
        self.advance("tables")
        known, rows = self._known, self._rows
        found = add_objects(known, self._parts, rows, default_namespace)
        directory.add_members(known, rows.members)
        granted = tuple(sorted(grants(known, rows), key=_sort_key))
        return Schema(
            dialect="postgresql",
            default_namespace=default_namespace,
            server_version=server_version,
            tables=tuple(sorted(self._parts.tables, key=_sort_key)),
            objects=tuple(sorted((*found, *granted * privileges), key=_sort_key)),
            existing_grants=() if privileges else granted,
            dependencies=directory.dependencies(known, rows),
        )


def _sort_key(obj: SchemaObject | Table) -> tuple[str, str, str, str]:
    return obj.ref.sort_key
