"""Decide which catalog queries are sent, and in which order. Pure.

Two cheap queries detect which object kinds a database has, and save a dozen empty ones. Their
results may contain false positives (an extension's function is a function), but no false negatives.
OIDs below 16384 belong to the server.
"""

from collections.abc import Iterator
from typing import LiteralString

from dbwarden.dialects.postgresql.catalog import privileges as privilege_queries
from dbwarden.dialects.postgresql.catalog import queries
from dbwarden.dialects.postgresql.catalog.plain_objects import plain_objects
from dbwarden.dialects.postgresql.catalog.rows import CatalogRows

Queries = Iterator[tuple[str, LiteralString]]
"""Queries, each with the field of ``CatalogRows`` that takes the result."""

_FREQUENT: dict[str, LiteralString] = {
    "extensions": "FROM pg_extension WHERE oid >= 16384",
    # LATERAL and LIMIT make the server find each extension's first member by its index.
    "members": "FROM pg_extension x, LATERAL (SELECT FROM pg_depend WHERE refclassid = 3079"
    " AND refobjid = x.oid AND deptype = 'e' AND objid >= 16384 LIMIT 1) m",
    "types": "FROM pg_type WHERE oid >= 16384"
    " AND (typtype IN ('e', 'd') OR (typtype = 'b' AND typelem = 0))",
    "indexes": "FROM pg_index WHERE indexrelid >= 16384",
    "sequences": "FROM pg_sequence",
    "inheritance": "FROM pg_inherits",
}
_RARE: dict[str, LiteralString] = {
    "routines": "FROM pg_proc WHERE oid >= 16384",
    "triggers": "FROM pg_trigger WHERE NOT tgisinternal",
    "rules": "FROM pg_rewrite WHERE oid >= 16384",
    "policies": "FROM pg_policy",
    "statistics": "FROM pg_statistic_ext",
}
_PLAIN_OBJECTS: tuple[LiteralString, ...] = (
    *("pg_operator", "pg_opclass", "pg_collation", "pg_conversion", "pg_ts_config"),
    *("pg_ts_dict", "pg_cast", "pg_foreign_server", "pg_foreign_data_wrapper", "pg_language"),
    *(
        "pg_am",
        "pg_event_trigger",
        "pg_publication",
        "pg_opfamily",
        "pg_transform",
        "pg_ts_parser",
        "pg_ts_template",
    ),
)


def _each(conditions: dict[str, LiteralString]) -> LiteralString:
    return ", ".join([f'EXISTS (SELECT {text}) AS "{name}"' for name, text in conditions.items()])


def _plain_objects() -> LiteralString:
    others = " OR ".join(
        [f"EXISTS (SELECT FROM {name} WHERE oid >= 16384)" for name in _PLAIN_OBJECTS]
    )
    return (
        f"({others} OR EXISTS (SELECT subname FROM pg_subscription)"
        " OR EXISTS (SELECT FROM pg_range WHERE rngtypid >= 16384)"
        " OR EXISTS (SELECT FROM pg_trigger WHERE tgenabled <> 'O')"
        " OR EXISTS (SELECT FROM pg_constraint WHERE contype = 'n'"
        " AND (connoinherit OR NOT convalidated))) AS plain_objects"
    )


_COMMON_KINDS: LiteralString = f"SELECT {_each(_FREQUENT)}"
_RARE_KINDS: LiteralString = f"SELECT {_each(_RARE)}, {_plain_objects()}"


def plan_queries(rows: CatalogRows, version: int, *, privileges: bool) -> Queries:
    """Yield the queries.

    *rows* are the results of all queries so far; the other arguments as of ``read_schema``.
    """
    yield "frequent", _COMMON_KINDS
    (present,) = rows.frequent
    members = present["extensions"] or present["members"]
    yield "comments", queries.COMMENTS
    yield "relations", queries.relations(members=members)
    yield "constraints", queries.constraints(version)
    if present["types"] or any(row["kind"] == "c" for row in rows.relations):
        yield "types", queries.TYPES
    yield "columns", queries.columns(version)
    if present["sequences"]:
        yield "sequences", queries.sequences(members=members)
    if present["indexes"]:
        yield "operator_classes", queries.OPERATOR_CLASSES
        yield "index_collations", queries.INDEX_COLLATIONS
        yield "indexes", queries.indexes(version)
    yield "defaults", queries.DEFAULTS
    if present["inheritance"]:
        yield "inheritance", queries.INHERITANCE
    yield "dependencies", queries.DEPENDENCIES
    yield "namespaces", queries.NAMESPACES
    if present["extensions"]:
        yield "extensions", queries.EXTENSIONS
        yield "members", queries.MEMBERS
    yield "rare", _RARE_KINDS
    (present,) = rows.rare
    if present["routines"]:
        yield "routines", queries.ROUTINES
        yield "aggregates", queries.AGGREGATES
    rare: dict[str, LiteralString] = {
        "triggers": queries.TRIGGERS,
        "rules": queries.RULES,
        "policies": queries.POLICIES,
        "statistics": queries.STATISTICS,
        "plain_objects": plain_objects(version),
    }
    yield from ((name, sql) for name, sql in rare.items() if present[name])
    results = (rows.relations, rows.sequences, rows.columns, rows.types)
    readable = (*results, rows.routines, rows.aggregates)
    # Grants of objects that may have to be recreated.
    if privileges or any(row["granted"] for result in readable for row in result):
        yield "grants", privilege_queries.GRANTS
    if privileges:
        yield "default_privileges", privilege_queries.DEFAULT_PRIVILEGES
