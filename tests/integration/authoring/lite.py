"""A project on SQLite, for tests that write migrations."""

import contextlib
import itertools
import sqlite3
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.operations.diff import drift
from dbwarden.operations.make_migrations import MakeMigrationsResult, make_migrations
from dbwarden.operations.migrate import migrate
from dbwarden.types import DatabaseName

NUMBERS = itertools.count(1)

IMPORTS = """
import enum
from datetime import datetime
from decimal import Decimal
from sqlalchemy import *
from sqlalchemy.orm import *

class Base(DeclarativeBase):
    pass
"""


@dataclass
class Lite:
    """A folder with models, migrations and a SQLite file."""

    root: Path
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return self.root / "app.db"

    @property
    def config(self) -> DatabaseConfig:
        return DatabaseConfig(
            database_name=DatabaseName("app"),
            database_type="sqlite",
            root=self.root,
            migrations_dir=self.root / "migrations" / "app",
            **{"database_url": "sqlite:///app.db", "timeout": None, **self.options},
        )

    def models(self, text: str) -> None:
        """Put new models into the project, as a developer who edits and starts anew."""
        package = f"models_{next(NUMBERS)}_lite"
        path = self.root / f"{package}.py"
        path.write_text(IMPORTS + textwrap.dedent(text), encoding="utf-8")
        self.options["model_paths"] = (package,)

    def migration(self, version: int, text: str) -> None:
        path = self.root / "migrations" / "app" / f"app__{version:04d}_by_hand.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")

    async def make(self, message: str = "change", **more: Any) -> MakeMigrationsResult:
        return await make_migrations(self.config, message=message, **more)

    async def made(self, message: str = "change", **more: Any) -> str:
        """Make a migration, apply it, see that there is nothing more to make; its text."""
        result = await self.make(message, **more)
        assert result.path is not None, result
        assert result.proven
        await migrate(self.config)
        assert (await self.make("nothing")).agree
        assert (await drift(self.config)).clean
        return result.path.read_text(encoding="utf-8")

    def run(self, sql: str) -> list[Any]:
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None)) as database:
            if ";" in sql:
                database.executescript(sql)
                return []
            return database.execute(sql).fetchall()
