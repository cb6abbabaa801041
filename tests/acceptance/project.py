"""A project on disk, as a user has it: one database, a schema file, migration files, a cache."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import UnsupportedChange
from dbwarden.operations.make_migrations import MakeMigrationsResult, make_migrations
from dbwarden.operations.migrate import migrate
from dbwarden.operations.rollback import rollback
from dbwarden.types import DatabaseName, DialectName


class Person:
    """A developer at a terminal, who allows every loss and knows of no other rename."""

    def yes(self, question: str) -> bool:
        return "Is " not in question

    def text(self, question: str) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class Project:
    """The project in *folder*, whose database is at *url*, and whose cache is in *root*."""

    root: Path
    folder: Path
    kind: DialectName
    url: str
    scratch: str = "auto"
    privileges: bool = False

    @property
    def config(self) -> DatabaseConfig:
        return DatabaseConfig(
            database_name=DatabaseName("primary"),
            database_type=self.kind,
            database_url=self.url,
            root=self.root,
            migrations_dir=self.folder / "migrations",
            schema_paths=(self.folder / "schema.sql",),
            scratch=self.scratch,
            compare_privileges=self.privileges,
            partitions="all",
            timeout=None,
        )

    async def make(self, schema: str, **options: Any) -> MakeMigrationsResult:
        """Write *schema* into the schema file, and the migration that leads there, proven."""
        await anyio.Path(self.folder / "schema.sql").write_text(schema or "-- empty\n")
        return await make_migrations(self.config, message="change", asker=Person(), **options)

    async def made(self, schema: str, **options: Any) -> MakeMigrationsResult:
        """The same, and again: there is nothing left to write."""
        return await self.proven(schema, await self.make(schema, **options))

    async def proven(self, schema: str, result: MakeMigrationsResult) -> MakeMigrationsResult:
        """Check that *result* leads to *schema*."""
        assert result.path is not None, "a change must write SQL"
        assert result.proven
        assert (await self.make(schema)).agree
        return result

    async def make_online(
        self, schema: str, in_use: list[str], **options: Any
    ) -> MakeMigrationsResult:
        """Write the files for tables in use; rename *in_use* in place where there is no other way.

        What would rewrite a table is refused.
        """
        try:
            return await self.make(schema, online=True, **options)
        except UnsupportedChange as refused:
            if "--allow-rename" not in (refused.next_step or ""):
                raise
            return await self.make(schema, online=True, allow_rename=in_use, **options)

    def upgrade_of(self, result: MakeMigrationsResult) -> str:
        """The header and the upgrade of what was written; a comment of several lines is one."""
        assert result.sql is not None
        return re.sub(r"\n--   ", " ", result.sql.partition("-- rollback\n")[0])

    def write(self, name: str, text: str) -> None:
        """Put a migration file into the project."""
        self.config.migrations_dir.mkdir(exist_ok=True)
        (self.config.migrations_dir / name).write_text(text, encoding="utf-8")

    async def migrate(self) -> None:
        await migrate(self.config)

    async def rollback(self) -> None:
        await rollback(self.config)
