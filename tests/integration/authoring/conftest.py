"""Projects with models, on a scratch server that all tests share."""

import itertools
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import asyncpg
import pytest

from dbwarden.authoring.compare.left_out import LeftOut
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from dbwarden.operations.make_migrations import MakeMigrationsResult, make_migrations
from dbwarden.operations.migrate import migrate
from dbwarden.types import DatabaseName

NUMBERS = itertools.count(1)
IMPORTS = """
import enum
from sqlalchemy import *
from sqlalchemy.orm import *
from sqlalchemy.dialects.postgresql import ARRAY, DOMAIN, JSONB

class Base(DeclarativeBase):
    pass
"""


class WithLeftOut(Protocol):
    """A result that lists objects which were not compared or written."""

    @property
    def left_out(self) -> tuple[LeftOut, ...]: ...


@dataclass
class Project:
    """A folder with models and migrations of one database on a live server."""

    root: Path
    server: EmbeddedServer
    database: str
    options: dict[str, Any] = field(default_factory=dict)

    def needs(self, major: int) -> None:
        """Skip the test on a server that is older than that."""
        assert self.server.binaries is not None
        if self.server.binaries.major < major:
            pytest.skip(f"needs PostgreSQL {major}")

    @property
    def config(self) -> DatabaseConfig:
        return DatabaseConfig(
            database_name=DatabaseName("primary"),
            database_type="postgresql",
            database_url=self.server.url(self.database),
            root=self.root,
            migrations_dir=self.root / "migrations" / "primary",
            **{"scratch": self.server.url("postgres"), "timeout": None, **self.options},
        )

    def models(self, text: str, *, base: str = IMPORTS) -> None:
        """Put new models into the project, as a developer who edits and starts anew."""
        package = f"models_{next(NUMBERS)}_of_{self.database}"
        self.file(f"{package}.py", base + textwrap.dedent(text))
        self.options["model_paths"] = (package,)

    def file(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def migration(self, version: int, text: str) -> Path:
        return self.file(f"migrations/primary/primary__{version:04d}_by_hand.sql", text)

    async def make(self, message: str = "change", **more: Any) -> MakeMigrationsResult:
        return await make_migrations(self.config, message=message, **more)

    async def migrate(self) -> None:
        await migrate(self.config)

    async def made(self, message: str = "change", **more: Any) -> str:
        """Make a migration, apply it, see that there is nothing more to make; its text."""
        result = await self.make(message, **more)
        assert result.path is not None, result
        assert result.proven
        await self.migrate()
        assert (await self.make("nothing")).agree
        return result.path.read_text(encoding="utf-8")

    async def fetch(self, sql: str) -> list[Any]:
        raw = await asyncpg.connect(self.server.url(self.database))
        try:
            return list(await raw.fetch(sql))
        finally:
            await raw.close()

    async def execute(self, sql: str) -> None:
        raw = await asyncpg.connect(self.server.url(self.database))
        try:
            await raw.execute(sql)
        finally:
            await raw.close()

    def with_options(self, **options: Any) -> "Project":
        return replace(self, options={**self.options, **options})


@pytest.fixture
async def project(tmp_path: Path, postgres_server: EmbeddedServer) -> Any:
    name = f"authoring_{next(NUMBERS)}"
    await postgres_server.create_database(name)
    before = set(sys.modules)
    path = list(sys.path)
    yield Project(root=tmp_path, server=postgres_server, database=name)
    sys.path[:] = path
    for module in set(sys.modules) - before:
        if module.startswith(("models_", "dbwarden_models_", "shop")):
            del sys.modules[module]
    await postgres_server.drop_database(name)


Made = Callable[..., Iterator[Project]]
