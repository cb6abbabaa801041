"""Print the schema as SQL, and write a first migration from an existing database."""

from dataclasses import dataclass, field
from pathlib import Path

import anyio.to_thread

from dbwarden.authoring.collect.current import files_source
from dbwarden.authoring.compare.comparison import SchemaComparison, read_adopted
from dbwarden.authoring.compare.left_out import LeftOut, buildable, names_of, unbuildable
from dbwarden.authoring.generate.plan import Plan, PlanRequest, plan
from dbwarden.authoring.prove.proving import prove
from dbwarden.authoring.prove.verdict import Verdict
from dbwarden.authoring.scratch_session import EMPTY, ScratchSession, open_scratch_session
from dbwarden.authoring.write.migration_text import Header, Note, migration_text, section_lines
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.base import Connection
from dbwarden.errors import UsageError
from dbwarden.files.folder import read_names
from dbwarden.files.migration import Migration
from dbwarden.operations.baseline import mark_applied, up_to
from dbwarden.operations.migrations_folder import write_next
from dbwarden.operations.operation import (
    dialect_of,
    forget_files,
    migration_files,
    operation,
    parse_file,
    refuse_read_only,
)
from dbwarden.schema import Schema
from dbwarden.types import DatabaseName, Version, format_version

FIRST = "0001"


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaResult:
    """The SQL that builds the schema of the files or of the live database.

    ``left_out`` lists objects that dbwarden does not write, and their dependents.
    """

    database: DatabaseName
    sql: str = field(repr=False)
    left_out: tuple[LeftOut, ...] = ()


@operation("schema")
async def schema_sql(config: DatabaseConfig, *, live: bool = False) -> SchemaResult:
    """Return the schema of the files as SQL.

    Args:
        config: The database, its name, or ``None`` for the default one.
        live: Return the schema of the live database instead.
    """
    async with open_scratch_session(config) as session:
        if live:
            adopted = await read_adopted(session)
            schema, left_out = await session.schema(adopted.source), adopted.left_out
        else:
            full = await session.schema(files_source(await migration_files(config)))
            schema, left_out = await without_unwritable(session, full)
        planned, comparison = await plan_from_nothing(session, schema)
    lines = section_lines(planned.upgrade, comparison.current.default_namespace)
    return SchemaResult(database=config.database_name, sql="\n".join(lines), left_out=left_out)


async def without_unwritable(
    session: ScratchSession, schema: Schema
) -> tuple[Schema, tuple[LeftOut, ...]]:
    """Return *schema* without objects that dbwarden does not write, and their names."""
    empty = await session.schema(EMPTY)
    return buildable(schema, empty), names_of(unbuildable(schema, empty), schema)


async def plan_from_nothing(
    session: ScratchSession, schema: Schema
) -> tuple[Plan, SchemaComparison]:
    """Return the plan that builds *schema* in an empty database, and the two schemas."""
    empty = await session.schema(EMPTY)
    comparison = SchemaComparison(source=EMPTY, current=empty, desired=schema)
    return await plan(session.authoring_dialect, PlanRequest(comparison=comparison)), comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptResult:
    """The first migration of an existing database, marked as applied.

    ``left_out`` lists objects that dbwarden does not write, and their dependents.
    """

    database: DatabaseName
    path: Path
    version: str
    marked: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()


@operation("baseline")
async def adopt(config: DatabaseConfig, *, message: str = "baseline") -> AdoptResult:
    """Write 0001 from the live database, prove it, and mark it as applied.

    Raises:
        UsageError: Migrations exist already, as files or in the history, or the database is empty.
        ReadOnlyDatabase: The server accepts no writes, so that nothing could be marked.
    """
    async with dialect_of(config).connect(config) as connection:
        await _refuse_adopted(config, connection)  # early; decided again under the lock
        async with connection.lock():
            await _refuse_adopted(config, connection)
            written, left_out = await _write_first(config, message)
            await forget_files(config)
            done = await mark_applied(config, connection, (written,), up_to(FIRST))
    return AdoptResult(
        database=config.database_name,
        path=written.path,
        version=FIRST,
        marked=done.marked,
        left_out=left_out,
    )


async def _refuse_adopted(config: DatabaseConfig, connection: Connection) -> None:
    """Raise if migrations exist already, as files or in the history."""
    # Bypass the cache of this run, which would miss a file that was written since.
    names = await anyio.to_thread.run_sync(read_names, config.migrations_dir, config.files_of)
    if names:
        newest = max((name.version for name in names if name.version is not None), default=1)
        raise UsageError(
            "there are migrations already",
            database=config.database_name,
            next_step="Mark those that the database already has: dbwarden baseline "
            f"-d {config.database_name} --to {format_version(Version(newest))} (or up to an older "
            "one).",
        )
    reading = await connection.read()
    refuse_read_only(config, reading)
    keys = [row.key for row in reading.rows or () if row.live]
    if keys:
        many = "a migration" if len(keys) == 1 else f"{len(keys)} migrations"
        raise UsageError(
            f"its migration history has {many} already, up to {keys[-1]}, but their files are not "
            f"in {config.migrations_dir}",
            database=config.database_name,
            next_step="Restore the files (git, another branch, migrations_dir). If they are lost, "
            "delete their rows from the history and start again: dbwarden repair "
            f"-d {config.database_name} {' '.join(f'--forget {key}' for key in keys[:3])}"
            + (" ..." if len(keys) > 3 else ""),
        )


async def _write_first(
    config: DatabaseConfig, message: str
) -> tuple[Migration, tuple[LeftOut, ...]]:
    async with open_scratch_session(config) as session:
        adopted = await read_adopted(session)
        schema = await session.schema(adopted.source)
        planned, comparison = await plan_from_nothing(session, schema)
        if not planned.upgrade:
            raise UsageError(
                "the database is empty",
                database=config.database_name,
                next_step="Start with: dbwarden make-migrations -m 'first'.",
            )
        header = Header(
            purpose=message,
            verdict=Verdict.EXACT,
            server=await session.server_version(),
            notes=tuple(Note(f"Left out: {item}") for item in adopted.left_out),
        )
        text = migration_text(header, planned, comparison.current.default_namespace)
        name = f"{config.files_of}__{FIRST}_baseline.sql"
        migration = parse_file(config, config.migrations_dir / name, text)
        await prove(session, comparison, [migration])
    await write_next(config, (), [(name, text)])
    return migration, adopted.left_out
