"""The longest query of an application while a column changes its type: in place, and --online."""

from pathlib import Path

import asyncpg

from benchmarks.measure import Bar, Figure, Report, Timing
from benchmarks.stage import Place, Stage
from dbwarden.config.model import DatabaseConfig
from dbwarden.operations.backfill import backfill
from dbwarden.operations.make_migrations import make_migrations
from dbwarden.operations.migrate import migrate
from dbwarden.types import DatabaseName
from tests.traffic import rows_sql, traffic

PART = "tables in use"
TABLE = (
    "CREATE TABLE orders (id serial PRIMARY KEY, amount {} NOT NULL, note text);\n"
    "CREATE INDEX ix_orders_amount ON orders (amount);\n"
)


async def online(stage: Stage, report: Report, quick: bool) -> None:
    """Measure the longest query of four clients, for tables of several sizes."""
    for rows in (10_000,) if quick else (100_000, 1_000_000):
        timings = {}
        for subject, in_use in (("ALTER TABLE", False), ("dbwarden --online", True)):
            (place,) = stage.places(["in_use"])
            await stage.make([place.name])
            config = await _prepared(stage, place, rows)
            await make_migrations(config, message="bigger", online=in_use)
            async with traffic(place.url, rows) as clients:
                await migrate(config)
                if in_use:
                    await backfill(config, target=0.1)  # writers wait that long for a row
                    await migrate(config)
                await clients.more()
            if clients.errors:
                raise AssertionError(clients.errors[0])
            timings[subject] = Timing(values=(clients.longest,))
            await stage.drop([place.name])
        # A tenth of the plain form where that takes long: small tables are rewritten in a moment.
        bar = Bar(subject="dbwarden --online", compared_with="ALTER TABLE", limit=0.1)
        report.add(
            Figure(
                part=PART,
                case=f"longest query while int becomes bigint, {rows:,} rows",
                timings=timings,
                bars=(bar,) if rows >= 1_000_000 else (),
            )
        )


async def _prepared(stage: Stage, place: Place, rows: int) -> DatabaseConfig:
    """Make the table with its rows, and the schema that it is to get."""
    folder = stage.new_folder("in-use")
    config = DatabaseConfig(
        database_name=DatabaseName("primary"),
        database_type="postgresql",
        database_url=place.url,
        root=folder,
        migrations_dir=folder / "migrations",
        schema_paths=(folder / "schema.sql",),
        scratch=Place(name="postgres", port=place.port).url,
        timeout=None,
    )
    _write(config.migrations_dir / "primary__0001_orders.sql", TABLE.format("int"))
    (folder / "schema.sql").write_text(TABLE.format("bigint"))
    await migrate(config)
    raw = await asyncpg.connect(place.url)
    await raw.execute(rows_sql(rows))
    await raw.execute("VACUUM ANALYZE orders")
    await raw.close()
    return config


def _write(path: Path, sql: str) -> None:
    path.parent.mkdir()
    path.write_text(f"-- upgrade\n{sql}\n-- rollback\nDROP TABLE orders;\n")
