"""Migrations from models: reading a schema, runs without and with changes; and Alembic's."""

import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import anyio
import asyncpg

import dbwarden
from benchmarks.measure import Bar, Figure, Report, Run, Subject, Timing, measure
from benchmarks.rivals import environment, program, run_process
from benchmarks.stage import Place, Stage
from dbwarden.dialects.postgresql.catalog import read_database
from dbwarden.operations.diff import check_models
from dbwarden.types import DatabaseName

PART = "migrations from models"

# What somebody would write who only wants to know tables, columns and constraints.
BARE = (
    "SELECT c.oid, n.nspname, c.relname, c.relkind FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'i')",
    "SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,"
    " pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
    " JOIN pg_namespace n ON n.oid = c.relnamespace"
    " LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
    " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND a.attnum > 0"
    " AND NOT a.attisdropped",
    "SELECT k.conrelid, k.conname, k.contype, pg_get_constraintdef(k.oid) FROM pg_constraint k"
    " JOIN pg_namespace n ON n.oid = k.connamespace WHERE n.nspname = 'public'",
)

MODELS = """\
from sqlalchemy import (
    BigInteger, Column, DateTime, ForeignKey, Index, Integer, MetaData, String, Table, Text, func
)

metadata = MetaData()
changed = {changed}
for number in range({tables}):
    longer = 80 if number < changed else 50
    Table(
        f"table_{{number:04d}}",
        metadata,
        Column("id", BigInteger, primary_key=True),
        Column("name", String(longer), nullable=False, server_default="nobody", index=True),
        Column("size", Integer),
        Column("note", Text),
        Column("made", DateTime(timezone=True), server_default=func.now()),
        Column("parent", ForeignKey(f"table_{{max(number - 1, 0):04d}}.id")),
        Index(f"ix_size_{{number:04d}}", "size", "made"),
    )
"""

# Alembic's own comparison in a process that is warm: what its autogenerate does.
ALEMBIC_ENV = """\
import asyncio
import os

from alembic import context
from sqlalchemy.ext.asyncio import create_async_engine

import bench_models

def run(connection):
    context.configure(connection=connection, target_metadata=bench_models.metadata)
    with context.begin_transaction():
        context.run_migrations()

async def main():
    engine = create_async_engine(os.environ["BENCH_URL"])
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()

asyncio.run(main())
"""


async def authoring(stage: Stage, report: Report, quick: bool) -> None:
    sizes = (10, 100) if quick else (10, 100, 1000)
    for size in sizes:
        await _one_size(stage, report, size)
    await _one_column(stage, report, 50)


async def _one_size(stage: Stage, report: Report, size: int) -> None:
    name = f"models_{size}"
    await stage.make([name])
    (place,) = stage.places([name])
    folder = stage.new_folder(name)
    same, other = (_models(folder, size, changed) for changed in (0, 10))
    await _build(place, same)
    config = await _migrated(stage, folder, place, same)
    strict = size == 1000  # the bars are set for so many
    timings = await measure(
        [
            Subject(name="dbwarden", run=lambda: _read(place)),
            Subject(name="three bare queries", run=lambda: _bare(place)),
        ],
        rounds=5,
    )
    bars: tuple[Bar, ...] = (
        (Bar(subject="dbwarden", compared_with="three bare queries", limit=2),) if strict else ()
    )
    report.add(
        Figure(part=PART, case=f"read {size:,} tables of a live schema", timings=timings, bars=bars)
    )
    for case, module, changes in (("nothing changed", same, 0), ("ten changes", other, 10)):
        bars = ()
        if strict and not changes:
            bars = (
                Bar(subject="dbwarden", compared_with="Alembic", limit=1),
                Bar(subject="dbwarden, cached", compared_with="Alembic", limit=3, kind="at least"),
            )
        timings = await measure(
            [
                Subject(
                    name="dbwarden",
                    run=_comparing(config, module),
                    prepare=_forgetting(folder),
                ),
                Subject(name="dbwarden, cached", run=_comparing(config, module)),
                Subject(name="Alembic", run=_alembic(place, module, changes)),
            ],
            rounds=3,
        )
        report.add(
            Figure(part=PART, case=f"{size:,} tables compared, {case}", timings=timings, bars=bars)
        )
    await stage.drop([name])


def _models(folder: Path, tables: int, changed: int) -> str:
    """Write a module with so many tables; its name."""
    module = f"bench_models_{tables}_{changed}"
    (folder / f"{module}.py").write_text(MODELS.format(tables=tables, changed=changed))
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return module


async def _build(place: Place, module: str) -> None:
    """``metadata.create_all``, in batches that fit the lock table."""
    from importlib import import_module

    from sqlalchemy.ext.asyncio import create_async_engine

    metadata = import_module(module).metadata
    engine = create_async_engine(place.alchemy_url)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all, checkfirst=False)
    await engine.dispose()


async def _migrated(
    stage: Stage, folder: Path, place: Place, module: str
) -> dbwarden.DatabaseConfig:
    """The project's configuration, with one migration that makes all tables."""
    config = dbwarden.DatabaseConfig(
        database_name=DatabaseName("models"),
        database_type="postgresql",
        database_url=place.url,
        root=folder,
        migrations_dir=folder / "migrations" / "models",
        model_paths=(module,),
        scratch="embedded",  # as a user has it: a server that has to start
        timeout=None,
    )
    await dbwarden.make_migrations(config, message="all tables")
    return config


def _comparing(config: dbwarden.DatabaseConfig, module: str) -> Run:
    """Files against models, as ``make-migrations`` does before it writes."""
    from dataclasses import replace

    asked = replace(config, model_paths=(module,))

    async def run() -> None:
        await check_models(asked)

    return run


def _forgetting(folder: Path) -> Run:
    """Remove what was kept of earlier readings."""

    async def run() -> None:
        for path in (folder / ".dbwarden" / "cache").glob("*"):
            path.unlink()

    return run


def _alembic(place: Place, module: str, changes: int) -> Run:
    """``compare_metadata`` with a database that is there."""
    from importlib import import_module

    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlalchemy.ext.asyncio import create_async_engine

    metadata = import_module(module).metadata

    async def run() -> None:
        engine = create_async_engine(place.alchemy_url)
        async with engine.connect() as connection:
            found = await connection.run_sync(
                lambda sync: compare_metadata(MigrationContext.configure(sync), metadata)
            )
        await engine.dispose()
        if len(found) < changes:
            raise RuntimeError(f"Alembic found {len(found)} changes, not {changes}")

    return run


async def _connect(place: Place) -> asyncpg.Connection:
    return await asyncpg.connect(place.url, server_settings={"search_path": "public"})


async def _read(place: Place) -> None:
    connection = await _connect(place)
    try:
        await read_database(connection, "public")
    finally:
        connection.terminate()


async def _bare(place: Place) -> None:
    connection = await _connect(place)
    try:
        for query in BARE:
            await connection.fetch(query)
    finally:
        connection.terminate()


# -- whole commands -----------------------------------------------------------------------------


async def _one_column(stage: Stage, report: Report, size: int) -> None:
    """One changed column: our command with a server of its own, theirs with one that runs."""
    await stage.make(["one_column"])
    (place,) = stage.places(["one_column"])
    folder = stage.new_folder("one-column")
    same, other = (_models(folder, size, changed) for changed in (0, 1))
    await _build(place, same)
    await _migrated(stage, folder, place, same)
    (folder / "dbwarden.py").write_text(
        textwrap.dedent(
            f"""\
            from dbwarden import database_config

            database_config(
                database_name="models",
                database_type="postgresql",
                database_url="{place.url}",
                model_paths=["{other}"],
                scratch="embedded",
            )
            """
        )
    )
    _alembic_project(folder, other)
    ours = [program("dbwarden"), "make-migrations", "-m", "longer", "--sql"]
    theirs = [program("alembic"), "revision", "--autogenerate", "-m", "longer"]
    timings = await measure(
        [
            Subject(
                name="dbwarden", run=_process(ours, folder, place), prepare=_forgetting(folder)
            ),
            Subject(name="Alembic", run=_process(theirs, folder, place)),
        ],
        rounds=3,
    )
    lead = Timing(
        values=tuple(
            mine - his
            for mine, his in zip(timings["dbwarden"].values, timings["Alembic"].values, strict=True)
        )
    )
    report.add(
        Figure(part=PART, case=f"the whole command, one column of {size} tables", timings=timings)
    )
    report.add(
        Figure(
            part=PART,
            case="the whole command, more than Alembic's",
            timings={"dbwarden": lead},
            bars=(Bar(subject="dbwarden", compared_with=None, limit=1),),
        )
    )
    await stage.drop(["one_column"])


def _process(command: Sequence[str], folder: Path, place: Place) -> Run:
    async def run() -> None:
        for path in (folder / "versions").glob("*.py"):
            await anyio.Path(path).unlink()
        env = environment(BENCH_URL=place.alchemy_url, PYTHONPATH=str(folder))
        await run_process(command, cwd=folder, env=env)

    return run


def _alembic_project(folder: Path, module: str) -> None:
    (folder / "alembic.ini").write_text("[alembic]\nscript_location = .\npath_separator = os\n")
    (folder / "env.py").write_text(ALEMBIC_ENV.replace("bench_models", module))
    (folder / "script.py.mako").write_text(
        '"""${message}"""\nfrom alembic import op\nimport sqlalchemy as sa\n'
        "revision = ${repr(up_revision)}\ndown_revision = ${repr(down_revision)}\n"
        "def upgrade() -> None:\n    ${upgrades or 'pass'}\n"
        "def downgrade() -> None:\n    ${downgrades or 'pass'}\n"
    )
    (folder / "versions").mkdir()
