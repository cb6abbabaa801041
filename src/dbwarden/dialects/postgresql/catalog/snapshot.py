"""Read the schema of a database in one consistent snapshot."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from dbwarden.dialects.postgresql.catalog import read_schema
from dbwarden.schema import QualifiedName, Schema


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
