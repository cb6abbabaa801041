"""Write migration files from the SQL of Flyway, dbmate, Prisma and Django."""

from dataclasses import dataclass, replace
from pathlib import Path

import anyio.to_thread

from dbwarden import telemetry
from dbwarden.authoring.labels import shorten
from dbwarden.authoring.scratch_session import ScratchSession, open_scratch_session
from dbwarden.config.model import DatabaseConfig
from dbwarden.dialects.authoring import ScratchDatabase, as_migration
from dbwarden.errors import ImportFailed, MigrationFileError, ScratchRefused
from dbwarden.files.lexing import has_code, lexis_of
from dbwarden.files.migration import Migration, Origin
from dbwarden.imports.django.project import (
    TABLE,
    DjangoMigration,
    DjangoOptions,
    clean_sql,
    open_django,
    runs_python,
)
from dbwarden.imports.file_text import ImportedFile, file_text
from dbwarden.imports.proof import Expected, parse_file, try_file
from dbwarden.imports.schemas import describe, read_schema
from dbwarden.imports.sql_files import ForeignFile, SQLTool, read_files
from dbwarden.imports.statements import Text
from dbwarden.kinds import dialect_for
from dbwarden.operations.import_drafts import Drafts, ImportResult
from dbwarden.operations.operation import migration_files, operation
from dbwarden.schema import Schema


@operation("import")
async def import_files(config: DatabaseConfig, *, tool: SQLTool, folder: Path) -> ImportResult:
    """Write a file for each SQL file of another tool that has none yet, and try all of them.

    Args:
        config: The database, its name, or ``None`` for the default one.
        tool: The other tool.
        folder: Where its files are.

    Raises:
        UsageError: The folder has no such file, or there are migrations that were not imported.
    """
    files = await anyio.to_thread.run_sync(read_files, tool, folder)
    drafts = Drafts(config, tool, await migration_files(config))
    new = [file for file in files if file.id not in drafts.known]
    async with open_scratch_session(config, use_cache=False) as session:
        server = await session.scratch_server()
        trial = _Trial(session, drafts, await server.create())
        await trial.replay_existing()
        for number, file in enumerate(new, start=1):
            telemetry.doing(f"trying {file.path.name} ({number} of {len(new)})")
            origin = Origin(tool=tool, id=file.id.replace(" ", "_").replace(",", "_"))
            await trial.add(_imported(config, file, origin), repeatable=file.repeatable)
    return await drafts.write(server.version, len(drafts.known))


@operation("import")
async def import_django(
    config: DatabaseConfig,
    *,
    options: DjangoOptions = DjangoOptions(),  # noqa: B008
) -> ImportResult:
    """Write a file for each migration of a Django project that has none yet.

    The SQL is that of ``sqlmigrate``. The project runs in a process of its own.

    Args:
        config: The database, its name, or ``None`` for the default one.
        options: Where the project is.

    Raises:
        ImportFailed: The project or a migration cannot be run in an empty database.
        UsageError: There are migrations that were not imported.
    """
    drafts = Drafts(config, "django", await migration_files(config))
    async with open_scratch_session(config, use_cache=False) as session:
        server = await session.scratch_server()
        trial = _Trial(session, drafts, await server.create())
        await trial.replay_existing()
        async with open_django(config, server, options) as project:
            for migration in project.migrations:
                upgrade, rollback = await project.apply(migration)
                if migration.id in drafts.known:
                    continue
                after = await read_schema(project.database, TABLE)
                file = _from_django(config, migration, upgrade, rollback)
                await trial.add(file, after=after, reached=project.database)
    return await drafts.write(server.version, len(drafts.known))


def _imported(config: DatabaseConfig, file: ForeignFile, origin: Origin) -> ImportedFile:
    back = file.rollback if file.rollback is not None and has_code(file.rollback) else None
    return ImportedFile(
        purpose=file.name,
        origin=origin,
        upgrade=_texts(config, file.upgrade, autocommit=file.autocommit),
        rollback=None
        if back is None
        else _texts(config, back, autocommit=file.rollback_autocommit),
        reviews=file.reviews,
    )


def _from_django(
    config: DatabaseConfig, migration: DjangoMigration, upgrade: str, rollback: str | None
) -> ImportedFile:
    python = [
        f"{where}it runs Python, which is not in this file"
        for where, sql in (("", upgrade), ("in the rollback, ", rollback or ""))
        if runs_python(sql)
    ]
    outside = not migration.atomic
    return ImportedFile(
        purpose=f"{migration.app} {migration.name.replace('_', ' ')}",
        origin=Origin(tool="django", id=migration.id, after=migration.after),
        upgrade=_texts(config, clean_sql(upgrade), autocommit=outside),
        rollback=None
        if rollback is None
        else _texts(config, clean_sql(rollback), autocommit=outside),
        reviews=python,
    )


def _texts(config: DatabaseConfig, sql: str, *, autocommit: bool) -> tuple[Text, ...]:
    """Return *sql* as one text, or as one for each statement if it has no transaction."""
    if not has_code(sql):
        return ()
    if not autocommit:
        return (Text(sql),)
    migration = as_migration(Path("statements.sql"), sql, config.files_of)
    steps = dialect_for(config.database_type).steps(migration, migration.upgrade)
    statements = [statement for step in steps for statement in step.statements]
    return tuple(Text(statement.text, autocommit=True) for statement in statements)


@dataclass(slots=True)
class _Trial:
    """Runs files one after the other in a scratch database."""

    session: ScratchSession
    drafts: Drafts
    database: ScratchDatabase

    async def replay_existing(self) -> None:
        """Run the files that exist."""
        for migration in self.drafts.existing:
            await self.database.replay(migration, migration.upgrade)

    async def add(
        self,
        file: ImportedFile,
        *,
        repeatable: bool = False,
        after: Schema | None = None,
        reached: ScratchDatabase | None = None,
    ) -> None:
        """Try *file* and add it; *reached* is where the other tool arrived, with schema *after*."""
        config = self.session.config
        path = self.drafts.path(file.purpose, repeatable=repeatable)
        before = await read_schema(self.database, TABLE)
        expected = Expected(after=after, restored=None, table=TABLE)
        text, migration, problems = await try_file(
            self.session, self.database, path, file, expected
        )
        if migration is None:
            raise ImportFailed(
                f"{file.origin.id} cannot be written as a file: {problems[0]}",
                database=config.database_name,
                next_step="Correct it in the other tool's file.",
            )
        if problems and reached is not None:
            server = await self.session.scratch_server()
            self.database = await server.create(copy_of=reached)
        elif not problems:
            differs, problems = await self._try_rollback(migration, before)
            file = replace(file, reviews=[*file.reviews, *problems])
            if differs:
                file = replace(file, facts={"rollback-differs": differs})
            text = file_text(file, lexis_of(config.database_type))
            migration = parse_file(config, path, text)
        self.drafts.add(migration, text, file.origin.id, problems)

    async def _try_rollback(
        self, migration: Migration, before: Schema
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Run the rollback in a copy; return the objects that it does not restore, and problems."""
        if migration.rollback is None:
            return (), ()
        server = await self.session.scratch_server()
        copy = await server.create(copy_of=self.database)
        try:
            await copy.replay(migration, migration.rollback)
            return await describe(self.session, await read_schema(copy, TABLE), before), ()
        except (ScratchRefused, MigrationFileError) as error:
            return (), (f"the rollback fails: {shorten([error.message])}",)
        finally:
            await server.discard(copy)


__all__ = ["DjangoOptions", "import_django", "import_files"]
