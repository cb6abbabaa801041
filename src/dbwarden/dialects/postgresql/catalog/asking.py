"""Decide which catalog queries are sent, and in which order. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import LiteralString

from dbwarden.dialects.postgresql.catalog import presence, queries
from dbwarden.dialects.postgresql.catalog import privileges as privilege_queries
from dbwarden.dialects.postgresql.catalog.building import Stage
from dbwarden.dialects.postgresql.catalog.plain_objects import plain_objects
from dbwarden.dialects.postgresql.catalog.rows import Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedQuery:
    """A query, and the work to do while the server executes it.

    Attributes:
        field: The field of ``Rows`` that takes the result.
        sql: The query.
        ready: The last build stage whose rows are all available.
    """

    field: str
    sql: LiteralString
    ready: Stage | None = None


def plan_queries(rows: Rows, version: int, *, privileges: bool) -> Iterator[PlannedQuery]:
    """Yield the queries; long queries run while the client has much to process.

    *rows* are the results of all queries so far; the other arguments as of ``read_schema``.
    """
    yield PlannedQuery(field="frequent", sql=presence.FREQUENT)
    (present,) = rows.frequent
    members = present["extensions"] or present["members"]
    yield PlannedQuery(field="comments", sql=queries.COMMENTS)
    yield PlannedQuery(field="relations", sql=queries.relations(members=members))
    yield PlannedQuery(field="constraints", sql=queries.constraints(version), ready="relations")
    if present["types"] or any(row["kind"] == "c" for row in rows.relations):
        yield PlannedQuery(field="types", sql=queries.TYPES)
    if present["indexes"]:
        yield PlannedQuery(field="operator_classes", sql=queries.OPERATOR_CLASSES)
        yield PlannedQuery(field="index_collations", sql=queries.INDEX_COLLATIONS)
    yield PlannedQuery(field="columns", sql=queries.columns(version), ready="types")
    if present["sequences"]:
        yield PlannedQuery(
            field="sequences", sql=queries.sequences(members=members), ready="columns"
        )
    if present["indexes"]:
        yield PlannedQuery(field="indexes", sql=queries.indexes(version), ready="constraints")
    yield PlannedQuery(field="defaults", sql=queries.DEFAULTS, ready="indexes")
    if present["inheritance"]:
        yield PlannedQuery(field="inheritance", sql=queries.INHERITANCE)
    yield PlannedQuery(field="rare", sql=presence.RARE, ready="defaults")
    yield PlannedQuery(field="dependencies", sql=queries.DEPENDENCIES, ready="tables")
    yield PlannedQuery(field="namespaces", sql=queries.NAMESPACES)
    if present["extensions"]:
        yield PlannedQuery(field="extensions", sql=queries.EXTENSIONS)
        yield PlannedQuery(field="members", sql=queries.MEMBERS)
    yield from _rare(rows, version)
    if privileges or _granted(rows):
        yield PlannedQuery(field="grants", sql=privilege_queries.GRANTS)
    if privileges:
        yield PlannedQuery(field="default_privileges", sql=privilege_queries.DEFAULT_PRIVILEGES)


def _rare(rows: Rows, version: int) -> Iterator[PlannedQuery]:
    (present,) = rows.rare
    if present["routines"]:
        yield PlannedQuery(field="routines", sql=queries.ROUTINES)
        yield PlannedQuery(field="aggregates", sql=queries.AGGREGATES)
    rare: Mapping[str, LiteralString] = {
        "triggers": queries.TRIGGERS,
        "rules": queries.RULES,
        "policies": queries.POLICIES,
        "statistics": queries.STATISTICS,
        "plain_objects": plain_objects(version),
    }
    yield from (PlannedQuery(field=name, sql=sql) for name, sql in rare.items() if present[name])


def _granted(rows: Rows) -> bool:
    """Return whether an object that may have to be recreated has grants."""
    results = (rows.relations, rows.sequences, rows.columns, rows.routines, rows.aggregates)
    return any(row["granted"] for rows_of_kind in (*results, rows.types) for row in rows_of_kind)
