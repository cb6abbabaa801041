"""Read a :class:`~dbwarden.schema.Schema` from a live PostgreSQL, 10 to 18."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import LiteralString, TypeVar

from dbwarden.dialects.postgresql.catalog import presence, queries
from dbwarden.dialects.postgresql.catalog import privileges as privilege_queries
from dbwarden.dialects.postgresql.catalog.code import things
from dbwarden.dialects.postgresql.catalog.directory import dependencies, directory_of
from dbwarden.dialects.postgresql.catalog.others import others
from dbwarden.dialects.postgresql.catalog.rows import Row, Rows
from dbwarden.dialects.postgresql.catalog.tables import tables
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
    Trigger,
    View,
)
from dbwarden.schema import Sequence as SequenceThing
from dbwarden.schema.garbage import collecting_no_garbage

T = TypeVar("T")

Fetch = Callable[[LiteralString], Awaitable[Sequence[Row]]]
"""Sends one query and returns its rows: asyncpg's ``connection.fetch``, for example."""


async def read_schema(
    fetch: Fetch,
    *,
    server_version: int,
    default_namespace: str = "public",
    exclude: Collection[QualifiedName] = (),
    privileges: bool = False,
) -> Schema:
    """Read the whole schema of the database behind *fetch*.

    The connection's search_path decides what prints without its namespace: it should name
    *default_namespace* alone. For one consistent picture, call it inside a REPEATABLE READ
    transaction.

    Args:
        fetch: Sends one query.
        server_version: ``server_version_num``, such as 150018.
        default_namespace: The namespace that printed text leaves out.
        exclude: Tables that are not part of the schema, with their sequences: the ledger.
        privileges: Whether grants and default privileges are part of the schema.
    """
    (there,) = await fetch(presence.PRESENT)
    rows = Rows(
        namespaces=await fetch(queries.NAMESPACES),
        relations=await fetch(queries.relations(server_version)),
        columns=await fetch(queries.columns(server_version)),
        constraints=await fetch(queries.constraints(server_version)),
        comments=await fetch(queries.COMMENTS),
        dependencies=await fetch(queries.DEPENDENCIES),
        **{name: await fetch(sql) for name, sql in _asked(there, server_version)},
        grants=await fetch(privilege_queries.grants(server_version))
        if privileges or there["grants"]
        else (),
        default_privileges=await fetch(privilege_queries.DEFAULT_PRIVILEGES) if privileges else (),
    )
    return build_schema(
        rows,
        server_version=server_version,
        default_namespace=default_namespace,
        exclude=exclude,
        privileges=privileges,
    )


def _asked(there: Row, version: int) -> Iterator[tuple[str, LiteralString]]:
    """The queries for what not every database has, by the field of Rows that each fills."""
    if there["extensions"]:
        yield "extensions", queries.EXTENSIONS
        yield "members", queries.MEMBERS
    if there["indexes"]:
        yield "indexes", queries.indexes(version)
        yield "operator_classes", queries.OPERATOR_CLASSES
        yield "index_collations", queries.INDEX_COLLATIONS
    if there["routines"]:
        yield "routines", queries.routines(version)
        yield "aggregates", queries.aggregates(version)
    rare: Mapping[str, LiteralString] = {
        "types": queries.TYPES,
        "index_attributes": queries.INDEX_ATTRIBUTES,
        "inheritance": queries.INHERITANCE,
        "sequences": queries.SEQUENCES,
        "triggers": queries.triggers(version),
        "event_triggers": queries.EVENT_TRIGGERS,
        "rules": queries.RULES,
        "policies": queries.POLICIES,
        "statistics": queries.statistics(version),
        "others": others(version),
    }
    yield from ((name, sql) for name, sql in rare.items() if there[name])


def build_schema(
    rows: Rows,
    *,
    server_version: int,
    default_namespace: str,
    exclude: Collection[QualifiedName] = (),
    privileges: bool = False,
) -> Schema:
    """Make the Schema that *rows* describe. Pure."""
    with collecting_no_garbage():
        found = _build(rows, server_version, default_namespace, exclude)
    return found if privileges else replace(found, grants=(), standing=found.grants)


def _build(
    rows: Rows, server_version: int, default_namespace: str, exclude: Collection[QualifiedName]
) -> Schema:
    found = directory_of(rows, exclude)
    made = sorted(things(found, rows, default_namespace), key=lambda thing: thing.ref.sort_key)
    return Schema(
        dialect="postgresql",
        default_namespace=default_namespace,
        server_version=server_version,
        namespaces=_of(Namespace, made),
        extensions=_of(Extension, made),
        enums=_of(Enum, made),
        domains=_of(Domain, made),
        composite_types=_of(CompositeType, made),
        sequences=_of(SequenceThing, made),
        tables=tables(found, rows),
        views=_of(View, made),
        materialized_views=_of(MaterializedView, made),
        routines=_of(Routine, made),
        aggregates=_of(Aggregate, made),
        triggers=_of(Trigger, made),
        event_triggers=_of(EventTrigger, made),
        rules=_of(Rule, made),
        policies=_of(Policy, made),
        statistics=_of(Statistics, made),
        grants=_of(Grant, made),
        default_privileges=_of(DefaultPrivileges, made),
        others=_of(Other, made),
        dependencies=dependencies(found, rows),
    )


def _of(kind: type[T], made: Iterable[object]) -> tuple[T, ...]:
    return tuple(thing for thing in made if isinstance(thing, kind))
