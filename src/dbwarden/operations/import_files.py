"""Write migration files from the SQL of Flyway, dbmate, Prisma and Django."""

from pathlib import Path

import anyio.to_thread

from dbwarden import telemetry
from dbwarden.authoring.scratch_session import open_scratch_session
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.authoring import as_migration
from dbwarden.files.lexing import has_code
from dbwarden.files.migration import Origin
from dbwarden.imports.django.project import (
    TABLE,
    DjangoMigration,
    DjangoOptions,
    clean_sql,
    open_django,
    runs_python,
)
from dbwarden.imports.file_text import ImportedFile
from dbwarden.imports.proof import ExpectedSchemas
from dbwarden.imports.schemas import read_schema
from dbwarden.imports.sql_files import ForeignFile, SQLTool, read_files
from dbwarden.imports.statements import Text
from dbwarden.kinds import dialect_for
from dbwarden.operations.import_drafts import Drafts, ImportResult, Trial
from dbwarden.operations.operation import migration_files, operation

ADVICE = "Correct it in the other tool's file."


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
    # Without what separates the ids in a header.
    ids = {file.path: file.id.replace(" ", "_").replace(",", "_") for file in files}
    new = [file for file in files if ids[file.path] not in drafts.known]
    async with open_scratch_session(config, use_cache=False) as session:
        server = await session.scratch_server()
        trial = Trial(session, drafts, await server.create(), ADVICE)
        await trial.replay_existing()
        for number, file in enumerate(new, start=1):
            telemetry.doing(f"trying {file.path.name} ({number} of {len(new)})")
            origin = Origin(tool=tool, id=ids[file.path])
            path = drafts.path(file.name, repeatable=file.repeatable)
            await trial.add(path, _imported(config, file, origin), ExpectedSchemas(table=TABLE))
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
        trial = Trial(session, drafts, await server.create(), ADVICE)
        await trial.replay_existing()
        async with open_django(config, server, options) as project:
            for migration in project.migrations:
                upgrade, rollback = await project.apply(migration)
                if migration.id in drafts.known:
                    continue
                expected = ExpectedSchemas(
                    table=TABLE, after=await read_schema(project.database, TABLE)
                )
                file = _from_django(config, migration, upgrade, rollback)
                path = drafts.path(file.purpose)
                await trial.add(path, file, expected, reached=project.database)
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


__all__ = ["DjangoOptions", "import_django", "import_files"]
