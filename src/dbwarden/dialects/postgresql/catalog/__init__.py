"""Read a :class:`~dbwarden.schema.Schema` from PostgreSQL 14 to 18."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import Any, LiteralString, Protocol

from dbwarden.dialects.postgresql.catalog.building import build_schema
from dbwarden.dialects.postgresql.catalog.query_order import plan_queries
from dbwarden.dialects.postgresql.catalog.rows import CatalogRow, CatalogRows
from dbwarden.schema import QualifiedName, Schema


class CatalogStatement(Protocol):
    """A prepared query."""

    async def fetch(self) -> Sequence[CatalogRow]:
        """Send the query in one message and return its rows."""
        ...


Prepare = Callable[[LiteralString], Awaitable[CatalogStatement]]
"""Prepares one query: asyncpg's ``connection.prepare``, for example.

Each query is sent before the next is prepared, so an unnamed statement suffices.
"""


async def read_database(
    raw: Any, namespace: str, exclude: Sequence[QualifiedName] = (), *, privileges: bool = False
) -> Schema:
    """Read the schema of the database behind *raw* in one consistent snapshot."""
    async with raw.transaction(isolation="repeatable_read", readonly=True):
        number = await raw.fetchval("SELECT current_setting('server_version_num')::int")
        return await read_schema(
            partial(
                raw.prepare, name=""
            ),  # leaves no prepared statement behind, even with a pooler
            server_version=number,
            default_namespace=namespace,
            exclude=exclude,
            privileges=privileges,
        )


async def read_schema(
    prepare: Prepare,
    *,
    server_version: int,
    default_namespace: str = "public",
    exclude: Collection[QualifiedName] = (),
    privileges: bool = False,
) -> Schema:
    """Read the whole schema of the database behind *prepare*.

    The connection's search_path decides which names print without a namespace; it should contain
    *default_namespace* alone. For a consistent result, call it in a REPEATABLE READ transaction.

    Args:
        prepare: Prepares one query.
        server_version: ``server_version_num``, such as 150018.
        default_namespace: The namespace that printed text omits.
        exclude: Tables to leave out with their sequences: the ledger.
        privileges: Whether grants and default privileges are part of the schema.
    """
    rows = CatalogRows()
    for field, query in plan_queries(rows, server_version, privileges=privileges):
        statement = await prepare(query)
        setattr(rows, field, await statement.fetch())
    return build_schema(
        rows,
        exclude,
        server_version=server_version,
        default_namespace=default_namespace,
        privileges=privileges,
    )
