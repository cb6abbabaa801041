"""Implement the authoring dialect of PostgreSQL, and choose its scratch server."""

import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, LiteralString
from urllib.parse import quote

import anyio
import anyio.to_thread
import asyncpg

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.config.urls import DatabaseURL, parse_url
from dbwarden.dialects.authoring import ScratchAddress, TimeUnit
from dbwarden.dialects.postgresql import ddl
from dbwarden.dialects.postgresql.catalog import read_database
from dbwarden.dialects.postgresql.ddl.bodies import OFF, ON
from dbwarden.dialects.postgresql.ddl.safer_forms import safer_form
from dbwarden.dialects.postgresql.migrate.connect_errors import SCRATCH
from dbwarden.dialects.postgresql.migrate.connecting import dial
from dbwarden.dialects.postgresql.scratch.binaries import find_binaries
from dbwarden.dialects.postgresql.scratch.client import client_of
from dbwarden.dialects.postgresql.scratch.expressions import replace_synonyms
from dbwarden.dialects.postgresql.scratch.namespaces import default_namespace, make_namespace
from dbwarden.dialects.postgresql.scratch.place import Place
from dbwarden.dialects.postgresql.scratch.quick_diff import surely_differ
from dbwarden.dialects.postgresql.scratch.scratch_database import (
    PostgresScratchServer,
)
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer, embedded_server
from dbwarden.dialects.postgresql.scratch.sizes import read_sizes
from dbwarden.dialects.postgresql.sql.loops import repeat
from dbwarden.dialects.postgresql.sql.quoting import value_literal
from dbwarden.errors import DBWardenError, UsageError
from dbwarden.linting.sizes import LiveStats
from dbwarden.migration_history import backfill_table
from dbwarden.quoting import quoted
from dbwarden.schema import QualifiedName, Schema
from dbwarden.types import DialectName

PRODUCTION = ("production", "prod", "live")

NOW: Mapping[TimeUnit, LiteralString] = {
    "instant": "CURRENT_TIMESTAMP",
    "seconds": "CAST(floor(extract(epoch FROM CURRENT_TIMESTAMP)) AS bigint)",
    "milliseconds": "CAST(floor(extract(epoch FROM CURRENT_TIMESTAMP) * 1000) AS bigint)",
}


class PostgresAuthoringDialect:
    """The authoring dialect of PostgreSQL; see ``AuthoringDialect``."""

    name: DialectName = "postgresql"
    sqlalchemy_url = "postgresql+asyncpg://"
    online_forms = True
    unchecked_bodies = (OFF, ON)
    render = staticmethod(ddl.render)
    replace_synonyms = staticmethod(replace_synonyms)
    literal = staticmethod(value_literal)
    now = staticmethod(NOW.__getitem__)
    repeat = staticmethod(repeat)
    namespace = staticmethod(make_namespace)
    safer_form = staticmethod(safer_form)
    client = staticmethod(client_of)

    async def identity(self, config: DatabaseConfig) -> str | None:
        """Return the version of the scratch server without starting it."""
        if config.scratch not in ("auto", "embedded"):
            return None
        try:
            binaries = await anyio.to_thread.run_sync(find_binaries)
        except UsageError:
            return None
        return f"PostgreSQL {binaries.version}"

    def has_virtual_columns(self, version: str) -> bool:
        """Return whether the server has virtual columns: since PostgreSQL 18."""
        return int(version.split()[1].partition(".")[0]) >= 18

    @asynccontextmanager
    async def open(self, config: DatabaseConfig) -> AsyncGenerator[PostgresScratchServer]:
        """Open a scratch server: a configured, the embedded, or the database's own server."""
        if config.scratch not in ("auto", "embedded"):
            url = parse_url(config.scratch, root=config.root)
            async with _on_server(url, config, SCRATCH) as scratch:
                yield scratch
            return
        try:
            await anyio.to_thread.run_sync(find_binaries)
        except UsageError as error:
            if config.scratch == "embedded":
                raise
            async with _on_own_server(config, error) as scratch:
                yield scratch
            return
        async with (
            embedded_server() as server,
            _opened(_embedded_place(server), "postgres", config, exclusive=True) as scratch,
        ):
            yield scratch

    async def read_live(self, config: DatabaseConfig) -> Schema:
        """Read the schema of the configured database, without the migration history."""
        async with _live(config) as raw:
            namespace = default_namespace(config)
            _check_default_namespace(config, namespace, await raw.fetchrow(_WHERE))
            await raw.execute(f"SET search_path TO {quoted(namespace)}")
            place = config.ledger_schema or namespace
            names = (config.ledger_table, backfill_table(config.ledger_table))
            ours = [QualifiedName(place, name) for name in names]
            return await read_database(raw, namespace, ours, privileges=config.compare_privileges)

    async def read_sizes(self, config: DatabaseConfig) -> LiveStats:
        """Read the sizes and the traffic of the configured database's tables."""
        async with _live(config) as raw:
            return await read_sizes(raw, default_namespace(config))

    def match_names(self, current: Schema, desired: Schema) -> Schema:
        """Return *desired*, because PostgreSQL compares names exactly."""
        del current
        return desired

    def are_equivalent(self, one: object, other: object) -> bool | None:
        """Return ``False`` if they surely differ; otherwise only the server can tell."""
        return False if surely_differ(one, other) else None


AUTHORING_DIALECT = PostgresAuthoringDialect()

_WHERE: LiteralString = (
    "SELECT pg_catalog.current_schema(), setting FROM pg_catalog.pg_settings"
    " WHERE name = 'search_path' AND source NOT IN ('client', 'session')"
)
"""Returns no row if the URL sets the search_path."""


@asynccontextmanager
async def _live(config: DatabaseConfig) -> AsyncGenerator[asyncpg.Connection]:
    url = await config.resolve_url(migrating=True)
    raw = await dial(url, config, config.url_setting(migrating=True))
    try:
        yield raw
    finally:
        raw.terminate()


def _check_default_namespace(
    config: DatabaseConfig, scratch_namespace: str, row: Sequence[Any] | None
) -> None:
    """Raise if the live database and scratch databases have different default namespaces.

    Raises:
        UsageError: The role or the database sets a search_path, which scratch databases lack.
    """
    live_namespace, path = row or (None, "")
    if live_namespace is not None and live_namespace != scratch_namespace:
        raise UsageError(
            f"the live database's default namespace is {live_namespace} (its search_path is "
            f"{path}), but that of scratch databases is {scratch_namespace}",
            database=config.database_name,
            next_step="Set it in the URL, which applies to both: add "
            f"?options=-csearch_path%3D{quote(live_namespace)} to database_url.",
        )


def _embedded_place(server: EmbeddedServer) -> Place:
    folder = str(server.folder)

    async def dial_database(database: str) -> asyncpg.Connection:
        return await asyncpg.connect(
            host=folder, port=server.port, user="postgres", database=database
        )

    address = ScratchAddress(kind="postgresql", host=folder, port=server.port, user="postgres")
    return Place(dial_database, address)


@asynccontextmanager
async def _opened(
    place: Place, database: str, config: DatabaseConfig, *, exclusive: bool
) -> AsyncGenerator[PostgresScratchServer]:
    admin = await place.dial(database)
    scratch = PostgresScratchServer(place, admin, config, exclusive=exclusive)
    try:
        if not exclusive:
            await scratch.sweep()
        yield scratch
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(10):
            await scratch.close()


@asynccontextmanager
async def _on_server(
    url: DatabaseURL, config: DatabaseConfig, setting: str
) -> AsyncGenerator[PostgresScratchServer]:
    async def dial_database(database: str) -> asyncpg.Connection:
        return await dial(replace(url, database=database), config, setting)

    host, port = url.hosts[0] if url.hosts else ("localhost", 5432)
    address = ScratchAddress(
        kind="postgresql", host=host, port=port, user=url.user, password=url.password
    )
    place = Place(dial_database, address)
    async with _opened(place, url.database, config, exclusive=False) as scratch:
        yield scratch


CHOICES = (
    "Either install the embedded server (pip install 'dbwarden[scratch]'), or name a server for "
    "scratch databases with scratch='postgresql://...' in database_config, or let the role of "
    "database_url create databases (ALTER ROLE ... CREATEDB) on a server that is not production."
)


@asynccontextmanager
async def _on_own_server(
    config: DatabaseConfig, missing: UsageError
) -> AsyncGenerator[PostgresScratchServer]:
    """Open the configured database's server, unless this is production."""
    environment = os.environ.get("ENVIRONMENT", "")
    if environment.lower() in PRODUCTION:
        raise _no_scratch(config, f"{missing.message}, and ENVIRONMENT is {environment}")
    setting = config.url_setting(migrating=True)
    try:
        url = await config.resolve_url(migrating=True)
        raw = await dial(url, config, setting)
    except DBWardenError as error:
        raise _no_scratch(config, f"{missing.message}, and {error.message}") from error
    may = await raw.fetchval(
        "SELECT rolcreatedb OR rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user"
    )
    raw.terminate()
    if not may:
        raise _no_scratch(config, f"{missing.message}, and the role may not create databases")
    async with _on_server(url, config, setting) as scratch:
        yield scratch


def _no_scratch(config: DatabaseConfig, why: str) -> UsageError:
    return UsageError(
        f"no server for scratch databases was found: {why}",
        database=config.database_name,
        next_step=CHOICES,
    )
