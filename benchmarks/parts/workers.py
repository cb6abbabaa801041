"""One fleet run on one process, on several worker processes, and sharded by hand."""

import shutil
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from benchmarks.measure import Bar, Figure, Report, Subject, Timing, measure
from benchmarks.ours import Project
from benchmarks.rivals import environment, program, run_process
from benchmarks.stage import Stage, distance, far_away
from dbwarden.fleet import PER_SERVER

PART = "workers"
ONE = "dbwarden, one process"
WORKERS, SHARDS = "dbwarden --workers {}", "{} shards by hand"
COUNTS = (2, 4)
FILES = 5
PLACES = {"in memory": Path("/dev/shm"), "on disk": Path("/var/tmp")}
AWAY = 20
ENOUGH = 200
"""The number of databases from which the start of the processes matters little."""

SQLITE = """\
import os

from dbwarden import tenant_databases

tenant_databases(
    name="tenant_{tenant_id}",
    database_url="sqlite:///data/{tenant_id}.db",
    tenants=[f"t{number:05}" for number in range(int(os.environ["BENCH_TENANTS"]))],
)
"""

MIGRATION = """\
-- upgrade
CREATE TABLE items_{number} (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE INDEX items_{number}_name ON items_{number} (name);

-- rollback
DROP TABLE items_{number};
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A fleet without migrations before each run, and the command that migrates it."""

    command: Callable[..., Coroutine[Any, Any, None]]
    prepare: Callable[[], Awaitable[None]]

    def subjects(self) -> list[Subject]:
        ways = [self._subject(WORKERS.format(2), partial(self._workers, 2))]
        ways.append(self._subject(ONE, self.command))
        ways.append(self._subject(SHARDS.format(2), partial(self._shards, 2)))
        ways.append(self._subject(WORKERS.format(4), partial(self._workers, 4)))
        ways.append(self._subject(SHARDS.format(4), partial(self._shards, 4)))
        return ways

    def _subject(self, name: str, run: Callable[[], Awaitable[None]]) -> Subject:
        return Subject(name=name, run=run, prepare=self.prepare)

    async def _workers(self, count: int) -> None:
        await self.command("--workers", str(count))

    async def _shards(self, count: int) -> None:
        async with anyio.create_task_group() as group:
            for index in range(1, count + 1):
                shard = ("--shard", f"{index}/{count}")
                # Together, the shards may use a server as much as one run does.
                group.start_soon(self.command, *shard, "--per-server", str(PER_SERVER // count))


async def workers(stage: Stage, report: Report, quick: bool) -> None:
    """``migrate --all`` of 1,000 SQLite files, and of 200 databases on a server 20 ms away."""
    rounds = 1 if quick else 3
    files = 100 if quick else 1000
    bars = [Bar(subject=WORKERS.format(2), compared_with=ONE, limit=1.5, kind="at least")]
    for place, parent in PLACES.items():
        if not parent.is_dir():
            continue
        with tempfile.TemporaryDirectory(prefix="dbwarden-bench-", dir=parent) as folder:
            timings = await measure(_sqlite(Path(folder), files).subjects(), rounds=rounds)
        case = f"migrate, {files} SQLite files {place}"
        _report(report, case, timings, files, [] if quick else bars)
    size = 20 if quick else min(200, stage.room())
    names = [f"tenant_w{number:03d}" for number in range(1, size + 1)]
    with far_away(stage, AWAY) as (port, _):
        timings = await measure(_server(stage, names, port).subjects(), rounds=rounds)
    _report(report, f"migrate, {size} databases {distance(AWAY)}", timings, size, [])
    await stage.drop(names)


def _sqlite(folder: Path, count: int) -> Scene:
    (folder / "dbwarden.py").write_text(SQLITE)
    (folder / "migrations" / "tenant").mkdir(parents=True)
    for number in range(1, FILES + 1):
        path = folder / "migrations" / "tenant" / f"tenant__{number:04}_items.sql"
        path.write_text(MIGRATION.format(number=number))

    async def command(*options: str) -> None:
        words = [program("dbwarden"), "migrate", "--all", *options]
        await run_process(words, cwd=folder, env=environment(BENCH_TENANTS=str(count)))

    return Scene(command=command, prepare=lambda: anyio.to_thread.run_sync(_empty, folder / "data"))


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()


def _server(stage: Stage, names: Sequence[str], port: int) -> Scene:
    project = Project(stage.new_folder("spread"), names, FILES, tenants=True)
    places = stage.places(names, port)

    async def command(*options: str) -> None:
        await project.command(places, "migrate", "--all", *options)

    async def prepare() -> None:
        await stage.make(names)
        await stage.quiet()

    return Scene(command=command, prepare=prepare)


def _report(
    report: Report, case: str, timings: dict[str, Timing], databases: int, bars: list[Bar]
) -> None:
    """Add the figure, and what the engine costs for each database."""
    every = [
        Bar(subject=WORKERS.format(count), compared_with=SHARDS.format(count), limit=1.15)
        for count in COUNTS
        if databases >= ENOUGH
    ]
    report.add(Figure(part=PART, case=case, timings=timings, bars=(*bars, *every)))
    for count in COUNTS:
        ours, theirs = timings[WORKERS.format(count)], timings[SHARDS.format(count)]
        cost = (ours.median - theirs.median) / databases * 1000
        report.remark(f"{case}: --workers {count} costs {cost:+.2f} ms a database over shards")
