"""Decide which catalog queries are sent, and in which order. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import LiteralString

from dbwarden.dialects.postgresql.catalog import presence, queries
from dbwarden.dialects.postgresql.catalog import privileges as privilege_queries
from dbwarden.dialects.postgresql.catalog.building import Stage
from dbwarden.dialects.postgresql.catalog.others import others
from dbwarden.dialects.postgresql.catalog.rows import Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A query, and the work to do while the server executes it.

    Attributes:
        field: The field of ``Rows`` that takes the result.
        sql: The query.
        ready: The last build stage whose rows are all available.
    """

    field: str
    sql: LiteralString
    ready: Stage | None = None


def questions(rows: Rows, version: int, *, privileges: bool) -> Iterator[Question]:
    """Yield the queries; long queries run while the client has much to process.

    Args:
        rows: The results of all queries so far.
        version: ``server_version_num``.
        privileges: Whether grants and default privileges are part of the schema.
    """
    yield Question(field="frequent", sql=presence.FREQUENT)
    (there,) = rows.frequent
    members = there["extensions"] or there["members"]
    yield Question(field="comments", sql=queries.COMMENTS)
    yield Question(field="relations", sql=queries.relations(version, members=members))
    yield Question(field="constraints", sql=queries.constraints(version), ready="relations")
    if there["types"] or any(row["kind"] == "c" for row in rows.relations):
        yield Question(field="types", sql=queries.types(version))
    if there["indexes"]:
        yield Question(field="operator_classes", sql=queries.OPERATOR_CLASSES)
        yield Question(field="index_collations", sql=queries.INDEX_COLLATIONS)
    yield Question(field="columns", sql=queries.columns(version), ready="types")
    if there["sequences"]:
        yield Question(field="sequences", sql=queries.sequences(members=members), ready="columns")
    if there["indexes"]:
        yield Question(field="indexes", sql=queries.indexes(version), ready="constraints")
    yield Question(field="defaults", sql=queries.DEFAULTS, ready="indexes")
    if there["inheritance"]:
        yield Question(field="inheritance", sql=queries.INHERITANCE)
    yield Question(field="rare", sql=presence.RARE, ready="defaults")
    yield Question(field="dependencies", sql=queries.DEPENDENCIES, ready="tables")
    yield Question(field="namespaces", sql=queries.NAMESPACES)
    if there["extensions"]:
        yield Question(field="extensions", sql=queries.EXTENSIONS)
        yield Question(field="members", sql=queries.MEMBERS)
    yield from _rare(rows, version)
    if privileges or _granted(rows):
        yield Question(field="grants", sql=privilege_queries.grants(version))
    if privileges:
        yield Question(field="default_privileges", sql=privilege_queries.DEFAULT_PRIVILEGES)


def _rare(rows: Rows, version: int) -> Iterator[Question]:
    (there,) = rows.rare
    if there["routines"]:
        yield Question(field="routines", sql=queries.routines(version))
        yield Question(field="aggregates", sql=queries.aggregates(version))
    rare: Mapping[str, LiteralString] = {
        "triggers": queries.triggers(version),
        "event_triggers": queries.EVENT_TRIGGERS,
        "rules": queries.RULES,
        "policies": queries.POLICIES,
        "statistics": queries.statistics(version),
        "others": others(version),
    }
    yield from (Question(field=name, sql=sql) for name, sql in rare.items() if there[name])


def _granted(rows: Rows) -> bool:
    """Return whether an object that may have to be recreated has grants."""
    answers = (rows.relations, rows.sequences, rows.columns, rows.routines, rows.aggregates)
    return any(row["granted"] for answer in (*answers, rows.types) for row in answer)
