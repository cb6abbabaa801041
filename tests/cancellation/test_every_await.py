"""Everything that holds something is cancelled at its first await, at its second, and so on.

After each: nothing of ours runs on the server, no lock is held, ledger and schema agree, and no
task, connection or file handle is left over. At last it runs to its end.
"""

import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import pytest
from sqlalchemy import text

import dbwarden
from dbwarden import fleet
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.postgresql.scratch.authoring_dialect import PostgresAuthoringDialect
from dbwarden.engines.opening import Engines
from dbwarden.kinds import dialect_for
from tests.cancellation.conftest import LOCKS
from tests.conftest import MakeConfig

MIGRATIONS = {
    "0001_table": "CREATE TABLE t1 (id int);",
    "0002_index": "CREATE INDEX CONCURRENTLY i1 ON t1 (id);\nCREATE TABLE t2 (id int);",
    "0003_table": "CREATE TABLE t3 (id int);",
}
PORTABLE = {name: sql.replace("CONCURRENTLY", "") for name, sql in MIGRATIONS.items()}
MOST = 400
"""More awaits than any of these operations has."""

Operation = Callable[[], Awaitable[object]]


class Cancelled:
    """Awaits a coroutine, and cancels *scope* when it waits for the n-th time."""

    def __init__(self, awaitable: Awaitable[object], moment: int, cancel: Callable[[], None]):
        self._inner = awaitable.__await__()
        self._moment, self._cancel = moment, cancel
        self.waits = 0

    def __await__(self) -> Generator[Any, Any, object]:
        step: Callable[[], Any] = partial(self._inner.send, None)
        while True:
            try:
                waited_for = step()
            except StopIteration as stop:
                return stop.value
            if self.waits == self._moment:
                self._cancel()
            self.waits += 1
            try:
                yield waited_for
                step = partial(self._inner.send, None)
            except BaseException as error:
                step = partial(self._inner.throw, error)


async def at_each_await(operation: Operation, look: Callable[[], Awaitable[None]]) -> int:
    """Cancel *operation* at each of its awaits in turn and *look* each time; how many there are."""
    tasks, handles = running(), 0
    for moment in range(MOST):
        with anyio.CancelScope() as scope:
            cancelled = Cancelled(operation(), moment, scope.cancel)
            await cancelled
        await look()
        await anyio.lowlevel.checkpoint()
        assert running() == tasks, f"at await {moment}"
        handles = handles or open_handles()
        assert open_handles() <= handles, f"at await {moment}"
        if cancelled.waits <= moment:
            return moment
    raise AssertionError("it has no end")


def running() -> int:
    return len(anyio.get_running_tasks())


def open_handles() -> int:
    return len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0


def write(config: DatabaseConfig, migrations: dict[str, str]) -> None:
    for name, sql in migrations.items():
        path = config.migrations_dir / f"{config.database_name}__{name}.sql"
        down = "DROP TABLE t3;" if name.startswith("0003") else "SELECT 1;"
        path.write_text(f"-- upgrade\n{sql}\n-- rollback\n{down}\n")


# -- PostgreSQL ------------------------------------------------------------------------------------


class Server:
    """What is on the server, seen by a connection of the test's own."""

    def __init__(self, raw: asyncpg.Connection) -> None:
        self.raw = raw

    async def quiet(self) -> None:
        """At once nothing runs and no lock is held; soon nobody is there."""
        await self.nothing_runs()
        await self.nobody()

    async def nothing_runs(self) -> None:
        running = await self.raw.fetch(
            "SELECT query FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND state <> 'idle' AND query <> ''"
        )
        assert running == []
        assert await self.raw.fetch(LOCKS) == []

    async def nobody(self) -> None:
        with anyio.fail_after(10):
            while await self.raw.fetchval(  # noqa: ASYNC110  # the server tells nobody
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ):
                await anyio.sleep(0.001)

    async def agrees(self) -> None:
        """As ``quiet``; and every migration is there as a whole, or not at all."""
        await self.quiet()
        there = await self.relations()
        rows = {}
        if "dbwarden_ledger" in there:
            found = await self.raw.fetch(
                "SELECT key, state, step FROM dbwarden_ledger WHERE state <> 'rolled_back'"
            )
            rows = {row["key"]: (row["state"], row["step"]) for row in found}
        assert ("0001" in rows) == ("t1" in there)
        assert ("i1" in there) == (rows.get("0002", ("", 0))[1] >= 1)
        assert ("t2" in there) == (rows.get("0002", ("", 0))[0] == "applied")
        assert ("0003" in rows) == ("t3" in there)

    async def relations(self) -> set[str]:
        found = await self.raw.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        )
        return {row["relname"] for row in found}

    async def begin_again(self) -> None:
        await self.raw.execute("DROP TABLE IF EXISTS t1, t2, t3, dbwarden_ledger")


@asynccontextmanager
async def seen(url: str) -> AsyncGenerator[Server]:
    raw = await asyncpg.connect(url)
    try:
        yield Server(raw)
    finally:
        raw.terminate()


async def test_the_first_migrate(postgres_url: str, postgres_config: DatabaseConfig) -> None:
    """From nothing each time: look and claim, lock, ledger and migrations in one message."""
    write(postgres_config, MIGRATIONS)
    async with seen(postgres_url) as server:

        async def operation() -> None:
            with anyio.CancelScope(shield=True):
                await server.begin_again()
            await dbwarden.migrate(postgres_config)

        assert await at_each_await(operation, server.agrees) > 20
        assert {"t1", "i1", "t2", "t3"} <= await server.relations()


async def test_migrations_that_others_interrupted(
    postgres_url: str, postgres_config: DatabaseConfig
) -> None:
    """Each run goes on where the one before it was cancelled."""
    write(postgres_config, MIGRATIONS)
    async with seen(postgres_url) as server:
        await at_each_await(lambda: dbwarden.migrate(postgres_config), server.agrees)
        assert (await dbwarden.check(postgres_config)).clean


async def test_a_rollback(postgres_url: str, postgres_config: DatabaseConfig) -> None:
    write(postgres_config, MIGRATIONS)
    async with seen(postgres_url) as server:

        async def operation() -> None:
            with anyio.CancelScope(shield=True):
                await dbwarden.migrate(postgres_config)
            await dbwarden.rollback(postgres_config)

        assert await at_each_await(operation, server.agrees) > 10
        assert "t3" not in await server.relations()


@pytest.mark.parametrize("name", ["status", "check", "health", "lock_status", "wait", "history"])
async def test_commands_that_only_read(
    postgres_url: str, postgres_config: DatabaseConfig, name: str
) -> None:
    write(postgres_config, {"0001_table": MIGRATIONS["0001_table"]})
    await dbwarden.migrate(postgres_config)
    async with seen(postgres_url) as server:
        operation = getattr(dbwarden, name)
        assert await at_each_await(lambda: operation(postgres_config), server.agrees) > 4


async def test_a_fleet(postgres_url: str, make_config: MakeConfig) -> None:
    """The caller's own task group is cancelled while its databases are at work."""
    configs = [
        make_config(postgres_url, database_name=f"part{number}", ledger_table=f"ledger{number}")
        for number in range(3)
    ]
    for number, config in enumerate(configs):
        write(config, {"0001_table": f"CREATE TABLE part{number} ();"})
    async with seen(postgres_url) as server:

        async def look() -> None:
            await server.quiet()
            there = await server.relations()
            for number in range(3):
                assert (f"part{number}" in there) == (f"ledger{number}" in there)

        await at_each_await(lambda: fleet.migrate_all(configs), look)
        outcomes = await fleet.migrate_all(configs)
        assert all(outcome.succeeded for outcome in outcomes)


async def test_a_session(postgres_url: str, postgres_config: DatabaseConfig) -> None:
    async with seen(postgres_url) as server:

        async def operation() -> None:
            engines = Engines()
            try:
                async with engines.using(postgres_config) as it, it.engine.connect() as connection:
                    await connection.execute(text("SELECT 1"))
            finally:
                with anyio.CancelScope(shield=True):
                    await engines.close()

        # What SQLAlchemy asks of a new connection may still be at its end.
        assert await at_each_await(operation, server.nobody) > 4


async def test_a_scratch_database(postgres_url: str, make_config: MakeConfig) -> None:
    """On a server that is given; none of its databases stays."""
    config = make_config(postgres_url, scratch=postgres_url)
    authoring_dialect = PostgresAuthoringDialect()
    async with seen(postgres_url) as server:
        databases = await server.raw.fetch("SELECT datname FROM pg_database ORDER BY 1")

        async def operation() -> None:
            async with authoring_dialect.open(config) as scratch:
                await (await scratch.create()).execute(["CREATE TABLE t (id int)"])

        async def look() -> None:
            await server.nobody()  # a question about the catalog may still be at its end
            found = await server.raw.fetch("SELECT datname FROM pg_database ORDER BY 1")
            assert found == databases

        assert await at_each_await(operation, look) > 4


# -- SQLite ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["migrate", "check", "health"])
async def test_sqlite(tmp_path: Path, make_config: MakeConfig, name: str) -> None:
    config = make_config(f"sqlite:///{tmp_path}/app.db", database_type="sqlite")
    write(config, PORTABLE)
    if name != "migrate":
        await dbwarden.migrate(config)
    operation = getattr(dbwarden, name)

    async def look() -> None:
        async with dialect_for("sqlite").connect(config) as connection, connection.lock():
            reading = await connection.read()
        keys = [row.key for row in reading.rows or ()]
        assert keys == [f"{number:04d}" for number in range(1, len(keys) + 1)]

    await at_each_await(lambda: operation(config), look)
    assert (await dbwarden.check(config)).clean
