"""What each trick saves: the same work with it and without it, in turn.

Run ``python -m benchmarks.tricks``. It prints the rows of "What each trick saves" in
docs/benchmarks.md: flights, or the CPU time of client and server, which a busy machine does not
change as it changes the time on the clock.
"""

import contextlib
import os
import statistics
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import anyio.to_thread

import dbwarden
from benchmarks.measure import Run
from benchmarks.ours import Project
from benchmarks.parts import authoring
from benchmarks.stage import Stage, far_away, open_stage
from dbwarden import diff
from dbwarden.authoring.collect import desired
from dbwarden.authoring.collect.desired_state import Compilation, DesiredState
from dbwarden.dialects.base import OnDone, PendingMigration
from dbwarden.dialects.postgresql.migrate import batching, history_queries
from dbwarden.dialects.postgresql.migrate.connection import PostgresConnection
from dbwarden.dialects.postgresql.migrate.history_queries import StatusQuery
from dbwarden.dialects.postgresql.scratch.authoring_dialect import AUTHORING_DIALECT
from dbwarden.dialects.postgresql.scratch.data_folder import server_pid
from dbwarden.migration_history import DatabaseStatus
from dbwarden.schema import Column, Index, IndexColumn, PrimaryKey, QualifiedName, Schema, Table
from dbwarden.types import DatabaseName

Patch = Callable[[], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _collecting(module: ModuleType) -> Patch:
    return lambda: _replaced(module, "garbage_collection_disabled", contextlib.nullcontext)


@contextlib.contextmanager
def without_claim() -> Iterator[None]:
    read = PostgresConnection.read

    async def plain(self: PostgresConnection, *, claim: bool = False) -> DatabaseStatus:
        return await read(self)

    with _replaced(PostgresConnection, "read", plain):
        yield


@contextlib.contextmanager
def without_first_message() -> Iterator[None]:
    async def run_first(
        self: PostgresConnection, migrations: Sequence[PendingMigration], on_done: OnDone
    ) -> None:
        await self.read()
        await self.create_ledger()
        await self.run(migrations, on_done)

    with _replaced(PostgresConnection, "run_first", run_first):
        yield


@contextlib.contextmanager
def with_unlock_alone() -> Iterator[None]:
    read_last = PostgresConnection.read_last

    async def plain(self: PostgresConnection, row_ids: Collection[int] = ()) -> DatabaseStatus:
        if not self._lock.held:
            return await read_last(self, row_ids)
        return (await self._read_status(StatusQuery(row_ids=tuple(row_ids)))).reading

    with _replaced(PostgresConnection, "read_last", plain):
        yield


@contextlib.contextmanager
def with_lock_table() -> Iterator[None]:
    history_queries.status_sql.cache_clear()
    with _replaced(history_queries, "_HELD_TRIED", history_queries._HELD):
        yield
    history_queries.status_sql.cache_clear()


@contextlib.contextmanager
def without_markers() -> Iterator[None]:
    with _replaced(batching, "_MARKER", ""):
        yield


def _row(label: str, ours: float, plain: float, unit: str) -> None:
    numbers = f"{ours:.3g} {unit} | {plain:.3g} {unit} | {1 - ours / plain:.0%}"
    print(f"| {label} | {numbers} |", flush=True)


async def _flights(stage: Stage) -> None:
    project = Project(stage.new_folder("tricks"), ["tricks"], 20)
    with far_away(stage, 1) as (port, proxy):
        assert proxy is not None
        (place,) = stage.places(["tricks"], port)

        async def count(patch: Patch) -> int:
            await stage.make(["tricks"])
            proxy.forget()
            with patch():
                await project.migrate([place], 1)
            while proxy.open():  # noqa: ASYNC110  # it is another process's event
                await anyio.sleep(0.01)
            return sum(counts.flights for counts in proxy.counts())

        ours = await count(contextlib.nullcontext)
        for label, patch in (
            ("a first migrate locks and reads in one query", without_claim),
            ("it creates the history and migrates in one message", without_first_message),
            ("it unlocks and reads in one query", with_unlock_alone),
        ):
            _row(label, ours, await count(patch), "flights")
    await stage.drop(["tricks"])


async def _cpu(stage: Stage, run: Run) -> float:
    """Milliseconds of CPU that *run* takes here and in backends, which end with it."""
    await stage.quiet()
    before = _of_backends(stage), time.process_time()
    await run()
    await stage.quiet()
    await anyio.sleep(0.2)  # the postmaster has to see that they ended
    return (_of_backends(stage) - before[0] + time.process_time() - before[1]) * 1000


def _of_backends(stage: Stage) -> float:
    fields = Path(f"/proc/{server_pid(stage.server.data)}/stat").read_text().rpartition(")")[2]
    ticks = sum(int(field) for field in fields.split()[13:15])  # of its children that ended
    return ticks / os.sysconf("SC_CLK_TCK")


async def _compare(
    stage: Stage, label: str, patch: Patch, run: Run, prepare: Run | None = None
) -> None:
    ours: list[float] = []
    plain: list[float] = []
    for number in range(6):
        for each, values in ((contextlib.nullcontext, ours), (patch, plain)):
            if prepare is not None:
                await prepare()
            with each():
                milliseconds = await _cpu(stage, run)
            if number:  # the first round is discarded
                values.append(milliseconds)
    _row(label, statistics.median(ours), statistics.median(plain), "ms of CPU")


async def _queries(stage: Stage) -> None:
    names = [f"trick_{number}" for number in range(10)]
    project = Project(stage.new_folder("queries"), names, 5)
    await stage.make(names)
    places = stage.places(names)
    await project.migrate(places, 10)

    async def check() -> None:
        for _ in range(20):
            await project.check(places, 10)

    await _compare(stage, "200 checks try the lock", with_lock_table, check)
    await stage.drop(names)


async def _markers(stage: Stage) -> None:
    project = Project(stage.new_folder("markers"), ["markers"], 200)
    (place,) = stage.places(["markers"])

    async def migrate() -> None:
        await project.migrate([place], 1)

    async def make() -> None:
        await stage.make(["markers"])

    await _compare(stage, "200 migrations have markers", without_markers, migrate, make)
    await stage.drop(["markers"])


async def _garbage(stage: Stage) -> None:
    folder = stage.new_folder("garbage")
    module = authoring._models(folder, 1000, 0)
    for label, work in (
        ("models of 1,000 tables are compiled without collection", _compile_models),
        ("1,000 tables with ten changes are compared without it", _compare_schemas),
    ):
        ours: list[float] = []
        plain: list[float] = []
        for _ in range(3):  # a command is a new process, whose heap is small
            for collecting, values in ((False, ours), (True, plain)):
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                    done = pool.submit(work, folder, module, collecting)
                    values.append(await anyio.to_thread.run_sync(done.result))
        _row(label, statistics.median(ours), statistics.median(plain), "ms of CPU")


def _compile_models(folder: Path, module: str, collecting: bool) -> float:
    with _collecting(desired)() if collecting else contextlib.nullcontext():
        started = time.process_time()
        _compiled(folder, module)
        return (time.process_time() - started) * 1000


def _compiled(folder: Path, module: str) -> DesiredState:
    sys.path.insert(0, str(folder))
    config = dbwarden.DatabaseConfig(
        database_name=DatabaseName("garbage"),
        database_type="postgresql",
        database_url="postgresql://127.0.0.1/garbage",
        root=folder,
        migrations_dir=folder,
        model_paths=(module,),
    )
    return desired.read_desired(Compilation(config=config, dialect=AUTHORING_DIALECT))


def _compare_schemas(folder: Path, module: str, collecting: bool) -> float:
    compiled = _compiled(folder, module)  # a command has them in memory
    before, after = (_schema(length) for length in (50, 80))
    with _collecting(diff)() if collecting else contextlib.nullcontext():
        started = time.process_time()
        diff.diff(before, after)
        milliseconds = (time.process_time() - started) * 1000
    assert compiled.statements
    return milliseconds


def _schema(length: int) -> Schema:
    """A thousand tables, ten of which have a column of this length."""
    return Schema(
        tables=tuple(
            Table(
                name=QualifiedName("public", f"table_{number:04d}"),
                columns=(
                    Column(name="id", type="bigint"),
                    Column(name="name", type=f"varchar({length if number < 10 else 50})"),
                    *(Column(name=f"c{i}", type="text") for i in range(4)),
                ),
                primary_key=PrimaryKey(name=f"pk_{number}", columns=("id",)),
                indexes=tuple(
                    Index(name=f"ix_{number}_{name}", columns=(IndexColumn(column=name),))
                    for name in ("name", "c0")
                ),
            )
            for number in range(1000)
        )
    )


async def main() -> None:
    print("| trick | with it | without it | saves |\n| --- | ---: | ---: | ---: |")
    parts = {"flights": _flights, "queries": _queries, "markers": _markers, "garbage": _garbage}
    async with open_stage() as stage:
        for name in sys.argv[1:] or parts:
            await parts[name](stage)


if __name__ == "__main__":
    anyio.run(main)
