"""The longest query of an application while a column changes its type: in place, and --online."""

import time
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from benchmarks.measure import Bar, Figure, Report, Timing
from benchmarks.rivals import program, run_process
from benchmarks.stage import Place, Stage
from tests.traffic import rows_sql, traffic

PART = "tables in use"
PLAIN, OURS = "ALTER TABLE", "dbwarden --online"
SIZES = {100_000: 3, 1_000_000: 3, 5_000_000: 1}
"""The rounds for each number of rows."""

TENTH = Bar(subject=OURS, compared_with=PLAIN, limit=0.1)
"""The bar from a million rows on. A smaller table is rewritten in a moment."""

UNNOTICED = 0.1
"""Seconds. Two shorter waits count as equal: a busy machine alone makes such differences."""

TABLE = (
    "CREATE TABLE orders (id serial PRIMARY KEY, amount {} NOT NULL, note text);\n"
    "CREATE INDEX ix_orders_amount ON orders (amount);\n"
)
CONFIGURATION = """\
from dbwarden import database_config

database_config(
    database_name="primary",
    database_type="postgresql",
    database_url={url!r},
    schema_paths=["schema.sql"],
    scratch={scratch!r},
    timeout=None,
)
"""


@dataclass(frozen=True, slots=True)
class Change:
    """The seconds of a change of the type, and those of the longest query in that time."""

    seconds: float
    longest: float


async def online(stage: Stage, report: Report, quick: bool) -> None:
    """Measure the longest query of four clients, for tables of several sizes."""
    sizes = {10_000: 1} if quick else SIZES
    ours: dict[int, Timing] = {}
    for rows, rounds in sizes.items():
        changes: dict[str, list[Change]] = {PLAIN: [], OURS: []}
        for _ in range(rounds):
            changes[PLAIN].append(await _change(stage, rows, in_use=False))
            changes[OURS].append(await _change(stage, rows, in_use=True))
        longest, whole = (
            {name: Timing(values=tuple(map(value, each))) for name, each in changes.items()}
            for value in (lambda one: one.longest, lambda one: one.seconds)
        )
        case, bars = f"while int becomes bigint, {rows:,} rows", (TENTH,) if rows >= 1e6 else ()
        report.add(Figure(part=PART, case=f"longest query {case}", timings=longest, bars=bars))
        report.add(Figure(part=PART, case=f"whole time {case}", timings=whole))
        ours[rows] = longest[OURS]
    if not quick:
        report.add(_growth(ours))


def _growth(ours: dict[int, Timing]) -> Figure:
    """Compare the waits for the smallest table and for larger ones."""
    names = {rows: f"{OURS}, {rows:,} rows" for rows in ours}
    smallest = names[min(ours)]
    return Figure(
        part=PART,
        case="longest query does not grow with the table",
        timings={names[rows]: timing for rows, timing in ours.items()},
        bars=tuple(
            Bar(subject=name, compared_with=smallest, limit=1.5, floor=UNNOTICED)
            for name in names.values()
            if name != smallest
        ),
    )


async def _change(stage: Stage, rows: int, *, in_use: bool) -> Change:
    """Change the type under traffic, with the commands that a user types."""
    (place,) = stage.places(["in_use"])
    await stage.make([place.name])
    folder = await _prepared(stage, place, rows)
    await _dbwarden(folder, "make-migrations", "-m", "bigger", *(["--online"] if in_use else []))
    started = time.perf_counter()
    async with traffic(place.url, rows) as clients:
        await _dbwarden(folder, "migrate")
        if in_use:
            await _dbwarden(folder, "backfill", "run")
            await _dbwarden(folder, "migrate")
        seconds = time.perf_counter() - started
        await clients.more()
    if clients.errors:
        raise AssertionError(clients.errors[0])
    await stage.drop([place.name])
    return Change(seconds, clients.longest)


async def _prepared(stage: Stage, place: Place, rows: int) -> Path:
    """Make the table with its rows, and a project with the schema that it is to get."""
    folder = stage.new_folder("in-use")
    scratch = Place(name="postgres", port=place.port).url
    (folder / "dbwarden.py").write_text(CONFIGURATION.format(url=place.url, scratch=scratch))
    (folder / "schema.sql").write_text(TABLE.format("bigint"))
    (folder / "migrations" / "primary").mkdir(parents=True)
    first = folder / "migrations" / "primary" / "primary__0001_orders.sql"
    first.write_text(f"-- upgrade\n{TABLE.format('int')}\n-- rollback\nDROP TABLE orders;\n")
    await _dbwarden(folder, "migrate")
    raw = await asyncpg.connect(place.url)
    await raw.execute(rows_sql(rows))
    await raw.execute("VACUUM ANALYZE orders")
    await raw.execute("CHECKPOINT")
    await raw.close()
    return folder


async def _dbwarden(folder: Path, *arguments: str) -> None:
    await run_process([program("dbwarden"), *arguments], cwd=folder)
