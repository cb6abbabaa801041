"""Build a schema from the results of the catalog queries. Pure."""

from collections.abc import Collection

from dbwarden.dialects.postgresql.catalog import directory
from dbwarden.dialects.postgresql.catalog.code import add_objects, grants
from dbwarden.dialects.postgresql.catalog.columns import add_columns, add_defaults
from dbwarden.dialects.postgresql.catalog.constraints import add_constraints
from dbwarden.dialects.postgresql.catalog.directory import Directory
from dbwarden.dialects.postgresql.catalog.indexes import add_indexes
from dbwarden.dialects.postgresql.catalog.parts import Parts
from dbwarden.dialects.postgresql.catalog.rows import CatalogRows
from dbwarden.dialects.postgresql.catalog.tables import tables_of
from dbwarden.schema import QualifiedName, Schema, SchemaObject, Table


def build_schema(
    rows: CatalogRows,
    exclude: Collection[QualifiedName],
    *,
    server_version: int,
    default_namespace: str,
    privileges: bool,
) -> Schema:
    """Return the schema of *rows*; the other arguments as of ``read_schema``."""
    known = Directory(
        comments={(row["class"], row["oid"], row["part"]): row["text"] for row in rows.comments}
    )
    identities = (row for row in rows.sequences if row["ownership"] == "i")
    parts = Parts(
        identities={(row["owner"], row["owner_column"]): row for row in identities},
        classes={row["oid"]: row for row in rows.operator_classes},
        collations={row["oid"]: row["name"] for row in rows.index_collations},
    )
    directory.add_relations(known, rows.relations, frozenset(exclude))
    directory.add_types(known, rows.types)
    add_columns(known, parts, rows.columns)
    directory.add_sequences(known, rows.sequences)
    add_constraints(known, parts, rows.constraints)
    add_indexes(known, parts, rows.indexes)
    add_defaults(known, parts, rows.defaults)
    found = add_objects(known, parts, rows, default_namespace)
    directory.add_members(known, rows.members)
    granted = tuple(sorted(grants(known, rows), key=_sort_key))
    return Schema(
        dialect="postgresql",
        default_namespace=default_namespace,
        server_version=server_version,
        tables=tuple(sorted(tables_of(known, parts, rows), key=_sort_key)),
        objects=tuple(sorted((*found, *granted * privileges), key=_sort_key)),
        existing_grants=() if privileges else granted,
        dependencies=directory.dependencies(known, rows),
    )


def _sort_key(obj: SchemaObject | Table) -> tuple[str, str, str, str]:
    return obj.ref.sort_key
