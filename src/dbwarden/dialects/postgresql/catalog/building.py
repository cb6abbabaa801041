"""Build a schema from the results of the catalog queries. Pure."""

from collections.abc import Collection

from dbwarden.dialects.postgresql.catalog import directory
from dbwarden.dialects.postgresql.catalog.code import add_objects, grants
from dbwarden.dialects.postgresql.catalog.columns import add_columns, add_defaults
from dbwarden.dialects.postgresql.catalog.constraints import add_constraints
from dbwarden.dialects.postgresql.catalog.directory import Directory
from dbwarden.dialects.postgresql.catalog.indexes import add_indexes
from dbwarden.dialects.postgresql.catalog.parts import Parts
from dbwarden.dialects.postgresql.catalog.rows import Rows
from dbwarden.dialects.postgresql.catalog.tables import add_tables
from dbwarden.schema import QualifiedName, Schema, SchemaObject, Table


def build_schema(
    rows: Rows,
    exclude: Collection[QualifiedName],
    *,
    server_version: int,
    default_namespace: str,
    privileges: bool,
) -> Schema:
    """Return the schema of *rows*; the other arguments as of ``read_schema``."""
    known, parts = Directory(), Parts()
    directory.add_comments(known, rows.comments)
    directory.add_relations(known, rows.relations, frozenset(exclude))
    directory.add_types(known, rows.types)
    add_columns(known, parts, rows.columns)
    directory.add_sequences(known, rows.sequences)
    parts.add_identities(rows.sequences)
    add_constraints(known, parts, rows.constraints)
    parts.add_classes(rows.operator_classes, rows.index_collations)
    add_indexes(known, parts, rows.indexes)
    add_defaults(known, parts, rows.defaults)
    add_tables(known, parts, rows)
    found = add_objects(known, parts, rows, default_namespace)
    directory.add_members(known, rows.members)
    granted = tuple(sorted(grants(known, rows), key=_sort_key))
    return Schema(
        dialect="postgresql",
        default_namespace=default_namespace,
        server_version=server_version,
        tables=tuple(sorted(parts.tables, key=_sort_key)),
        objects=tuple(sorted((*found, *granted * privileges), key=_sort_key)),
        existing_grants=() if privileges else granted,
        dependencies=directory.dependencies(known, rows),
    )


def _sort_key(obj: SchemaObject | Table) -> tuple[str, str, str, str]:
    return obj.ref.sort_key
