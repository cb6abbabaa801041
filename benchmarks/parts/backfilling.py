"""The latency of an application's writes while a backfill or one UPDATE changes the whole table."""

import random
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import asyncpg

import dbwarden
from benchmarks.measure import Bar, Figure, Report, Timing
from benchmarks.stage import Stage
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.types import DatabaseName

PART = "backfills"
QUIET, OURS, UPDATE = "quiet", "dbwarden backfill", "one UPDATE"
ROWS = 1_000_000
ROUNDS = 3
WRITERS = 4
PAUSE = 0.002
"""Seconds between two writes of a writer: an application, not a flood."""


async def backfilling(stage: Stage, report: Report, quick: bool) -> None:
    rows, rounds = (20_000, 1) if quick else (ROWS, ROUNDS)
    await stage.make(["backfills"])
    (place,) = stage.places(["backfills"])
    config = DatabaseConfig(
        database_name=DatabaseName("backfills"),
        database_url=place.url,
        database_type="postgresql",
        root=stage.folder,
        migrations_dir=stage.new_folder("backfills"),
    )
    _write_files(config.migrations_dir, rows, rounds)
    await dbwarden.migrate(config)
    values: dict[str, list[float]] = {QUIET: [], OURS: [], UPDATE: []}
    for number in range(1, rounds + 1):
        table, key = f"t{number}", f"{number + 1:04d}"

        async def run_backfill(key: str = key) -> None:
            await dbwarden.backfill(config, key=key)

        async def run_update(table: str = table) -> None:
            raw = await asyncpg.connect(place.url)
            await raw.execute(f"UPDATE {table} SET filled = 2")
            await raw.close()

        values[QUIET].append(await _latency(place.url, table, rows, lambda: anyio.sleep(4)))
        values[OURS].append(await _latency(place.url, table, rows, run_backfill))
        values[UPDATE].append(await _latency(place.url, table, rows, run_update))
    timings = {name: Timing(values=tuple(each)) for name, each in values.items()}
    report.add(
        Figure(
            part=PART,
            case=f"p99 of writes, {rows:,} rows",
            timings=timings,
            bars=(Bar(subject=OURS, compared_with=QUIET, limit=2.0),),
            notes=(f"{WRITERS} writers change random rows of the table",),
        )
    )
    await stage.drop(["backfills"])


def _write_files(folder: Path, rows: int, rounds: int) -> None:
    tables = "".join(
        f"CREATE TABLE t{n} (id int PRIMARY KEY, filled int, written int) WITH (fillfactor = 80);\n"
        f"INSERT INTO t{n} SELECT i, NULL, 0 FROM generate_series(1, {rows}) i;\n"
        f"ANALYZE t{n};\n"
        for n in range(1, rounds + 1)
    )
    (folder / "backfills__0001_tables.sql").write_text(f"-- upgrade\n{tables}")
    for n in range(1, rounds + 1):
        (folder / f"backfills__{n + 1:04d}_fill.sql").write_text(
            f"-- dbwarden: backfill\n-- table: t{n}\n-- upgrade\n"
            f"UPDATE t{n} SET filled = 1 WHERE {{batch}};\n"
        )


async def _latency(url: str, table: str, rows: int, work: Callable[[], Awaitable[None]]) -> float:
    """Return the 99th percentile of the seconds of writes while *work* runs."""
    seconds: list[float] = []

    async def write(seed: int) -> None:
        chance = random.Random(seed)
        raw = await asyncpg.connect(url)
        update = await raw.prepare(f"UPDATE {table} SET written = written + 1 WHERE id = $1")
        while True:
            started = time.perf_counter()
            await update.fetch(chance.randint(1, rows))
            seconds.append(time.perf_counter() - started)
            await anyio.sleep(PAUSE)

    async with anyio.create_task_group() as tasks:
        for seed in range(WRITERS):
            tasks.start_soon(write, seed)
        await work()
        tasks.cancel_scope.cancel()
    return statistics.quantiles(seconds, n=100)[98]
