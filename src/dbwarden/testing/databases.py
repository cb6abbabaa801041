"""Provide migrated databases by copying a template for each test."""

import os
import shutil
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar, assert_never

from anyio.from_thread import start_blocking_portal

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.config.urls import parse_url
from dbwarden.operations.migrate import migrate

SERVER_VARIABLE = "DBWARDEN_TEST_SERVER"
"""The URL of a PostgreSQL server for test databases; without it an embedded server is started."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshDatabase:
    """A database with all migrations and only their rows; dropped after the test.

    ``name`` is that of the configured database, ``url`` that of this copy.
    """

    name: str
    url: str = field(repr=False)
    config: DatabaseConfig


def blocking(function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
    """Run *function* in an event loop of a new thread, because a test may have a running loop."""
    with start_blocking_portal() as portal:
        return portal.call(function, *arguments)


class Templates:
    """The templates of one test session and their PostgreSQL server."""

    def __init__(self, folder: Path) -> None:
        """Create no template yet; *folder* is for SQLite's files."""
        self._folder = folder
        self._migrated: dict[str, str] = {}
        self._server: Any = None
        self._templates: list[str] = []

    def fresh(self, config: DatabaseConfig) -> FreshDatabase:
        """Return a copy of the template of *config*, which is migrated on first use."""
        match config.database_type:
            case "sqlite":
                url = self._copy_sqlite(config)
            case "postgresql":
                url = self._copy_postgresql(config)
            case kind:
                assert_never(kind)
        return FreshDatabase(name=config.database_name, url=url, config=at(config, url))

    def drop(self, database: FreshDatabase) -> None:
        """Drop a copy and close connections to it."""
        match database.config.database_type:
            case "sqlite":
                path = parse_url(database.url).file
                for end in ("", "-wal", "-shm", "-journal"):
                    Path(f"{path}{end}").unlink(missing_ok=True)
            case "postgresql":
                self._drop(parse_url(database.url).database)
            case kind:
                assert_never(kind)

    def close(self) -> None:
        """Drop the templates and stop the server."""
        for name in self._templates:
            self._drop(name)
        if self._server is not None:
            self._server.stop()

    def _copy_sqlite(self, config: DatabaseConfig) -> str:
        template = self._folder / f"{config.database_name}.db"
        if config.database_name not in self._migrated:
            template.touch()
            blocking(migrate, at(config, f"sqlite:///{template}"))
            self._migrated[config.database_name] = str(template)
        copy = self._folder / f"{config.database_name}_{uuid.uuid4().hex[:12]}.db"
        shutil.copyfile(template, copy)
        return f"sqlite:///{copy}"

    def _copy_postgresql(self, config: DatabaseConfig) -> str:
        from dbwarden.dialects.postgresql.scratch.subscriptions import FORGET

        if config.database_name not in self._migrated:
            name = self._create(f"template_{config.database_name[:32]}", "template0")
            self._templates.append(name)
            blocking(migrate, at(config, self._url(name)))
            self._send(FORGET, name)  # copies have no subscriptions anyway
            self._migrated[config.database_name] = name
        return self._url(
            self._create(config.database_name[:32], self._migrated[config.database_name])
        )

    # -- the server ---------------------------------------------------------------------------

    def _create(self, prefix: str, template: str) -> str:
        name = f"{prefix}_{uuid.uuid4().hex[:12]}"
        self._send(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def _drop(self, name: str) -> None:
        self._send(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _send(self, sql: str, database: str = "postgres") -> None:
        from dbwarden.config.libpq import asyncpg_arguments
        from dbwarden.dialects.postgresql.migrate.connecting import connect

        url = parse_url(self._url(database))

        async def send() -> None:
            connection = await connect(asyncpg_arguments(url))
            try:
                await connection.execute(sql)
            finally:
                await connection.close()

        blocking(send)

    def _url(self, name: str) -> str:
        if given := os.environ.get(SERVER_VARIABLE):
            return replace(parse_url(given), database=name).render()
        if self._server is None:
            from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer

            self._server = EmbeddedServer()
            self._server.start()
        url: str = self._server.url(name)
        return url


def at(config: DatabaseConfig, url: str) -> DatabaseConfig:
    """Return *config* with *url* as its only URL."""
    return replace(config, database_url=url, migration_url=None, dev_database_url=None, dev=False)
