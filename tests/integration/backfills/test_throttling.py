"""A backfill waits for replicas, for locks and for the user, and survives its server."""

import os
import signal
from collections.abc import Callable, Iterator

import anyio
import asyncpg
import pytest

import dbwarden
from dbwarden import telemetry
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer, embedded_server
from dbwarden.operations import backfill_start
from tests.conftest import MakeConfig
from tests.integration.backfills.conftest import (
    FILL,
    HEADER,
    USERS,
    add_users,
    execute,
    query,
    write,
)
from tests.servers import streaming_replica

pytestmark = pytest.mark.anyio


async def prepare(config: DatabaseConfig, monkeypatch: pytest.MonkeyPatch, rows: int = 950) -> None:
    monkeypatch.setattr(backfill_start, "SMALL", 10)
    write(config, "0001_users", USERS)
    await dbwarden.migrate(config)
    await add_users(config, 1, rows)
    write(config, "0002_fill", FILL, *HEADER)
    await dbwarden.migrate(config)


def hearing(name: str, do: Callable[[], None]) -> telemetry.Listener:
    """Do something when the event *name* is heard for the first time."""
    heard = False

    def hear(event: telemetry.Event) -> None:
        nonlocal heard
        if event.name == name and not heard:
            heard = True
            do()

    return hear


async def test_it_waits_while_the_user_says_so(
    config: DatabaseConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await prepare(config, monkeypatch)
    answers: Iterator[str | bool] = iter(["the queue is long", True])
    reasons = []

    async def pause_when() -> str | bool | None:
        return next(answers, None)

    def hear(event: telemetry.Event) -> None:
        if event.name == "backfill_waits":
            reasons.append(event.fields["reason"])

    with telemetry.listening(hear):
        result = await dbwarden.backfill(config, pause_when=pause_when)

    assert result.clean
    assert reasons == ["the queue is long"]


async def test_it_waits_while_sessions_wait_for_locks(
    postgres_url: str, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(postgres_url)
    await prepare(config, monkeypatch)
    await execute(config, "CREATE TABLE busy (id int)")
    holder = await asyncpg.connect(postgres_url)
    waiter = await asyncpg.connect(postgres_url)
    await holder.execute("BEGIN; LOCK TABLE busy")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait_for_lock_in_transaction, waiter)
        await until(holder, "SELECT count(*) FROM pg_locks WHERE NOT granted", 1)

        def release() -> None:
            tasks.start_soon(holder.execute, "COMMIT")

        with telemetry.listening(hearing("backfill_waits", release)):
            result = await dbwarden.backfill(config, max_lock_waits=0)
    holder.terminate()
    waiter.terminate()
    assert result.clean


async def wait_for_lock_in_transaction(raw: "asyncpg.Connection") -> None:
    await raw.execute("BEGIN; LOCK TABLE busy; COMMIT")


async def until(raw: "asyncpg.Connection", sql: str, value: object) -> None:
    """Wait until the query *sql* returns *value*."""
    with anyio.fail_after(30):
        while await raw.fetchval(sql) != value:  # noqa: ASYNC110  # the server has no event
            await anyio.sleep(0.01)


@pytest.mark.long
async def test_it_waits_for_a_replica_that_lags(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch, postgres_server: EmbeddedServer
) -> None:
    """A real standby stops replaying; the backfill goes on when it has caught up."""
    del postgres_server
    server = EmbeddedServer(tcp=True)
    await anyio.to_thread.run_sync(server.start)
    try:
        config = make_config(await server.create_database("lagging"))
        await prepare(config, monkeypatch, 5000)
        async with streaming_replica(server) as replica:
            standby = await asyncpg.connect(replica.url())
            await standby.execute("SELECT pg_wal_replay_pause()")
            await execute(config, "CREATE TABLE noise AS SELECT generate_series(1, 10000)")
            reasons = []
            async with anyio.create_task_group() as tasks:

                def hear(event: telemetry.Event) -> None:
                    if event.name == "backfill_waits":
                        reasons.append(event.fields["reason"])
                        tasks.start_soon(standby.execute, "SELECT pg_wal_replay_resume()")

                with telemetry.listening(hear):
                    result = await dbwarden.backfill(config, max_lag=1, rate=1000)
            standby.terminate()
        assert result.clean
        assert reasons
        assert "a replica is" in reasons[0]
        assert await query(config, "SELECT hits, count(*) FROM users GROUP BY 1") == [(1, 5000)]
    finally:
        await anyio.to_thread.run_sync(server.stop)


@pytest.mark.long
async def test_it_survives_a_crash_of_its_server(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The postmaster restarts all sessions when one of them dies by SIGKILL."""
    server = EmbeddedServer(tcp=True, settings={"synchronous_commit": "on"})
    await anyio.to_thread.run_sync(server.start)
    try:
        config = make_config(await server.create_database("crashing"))
        await prepare(config, monkeypatch, 5000)
        raw = await asyncpg.connect((await config.resolve_url()).render())
        victim: int = await raw.fetchval("SELECT pg_backend_pid()")
        seen = []

        def hear(event: telemetry.Event) -> None:
            seen.append(event.name)

        def crash() -> None:
            os.kill(victim, signal.SIGKILL)

        with (
            telemetry.listening(hear),
            telemetry.listening(hearing("backfill_batch", crash)),
        ):
            result = await dbwarden.backfill(config, rate=1000)
        raw.terminate()
        assert result.clean
        assert "backfill_reconnects" in seen
        assert await query(config, "SELECT hits, count(*) FROM users GROUP BY 1") == [(1, 5000)]
    finally:
        await anyio.to_thread.run_sync(server.stop)


async def test_it_survives_a_planned_restart_of_its_server(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ``pg_ctl restart -m fast``: for a while the server refuses each connection."""
    async with embedded_server(settings={"synchronous_commit": "on"}, tcp=True) as server:
        config = make_config(await server.create_database("restarting"))
        await prepare(config, monkeypatch, 2000)
        seen = []

        async def restart() -> None:
            await anyio.to_thread.run_sync(server.halt)
            await anyio.to_thread.run_sync(server.start)

        async with anyio.create_task_group() as tasks:

            def begin() -> None:
                tasks.start_soon(restart)

            with (
                telemetry.listening(lambda event: seen.append(event.name)),
                telemetry.listening(hearing("backfill_batch", begin)),
            ):
                result = await dbwarden.backfill(config, rate=1000)
        assert result.clean
        assert "backfill_reconnects" in seen
        assert await query(config, "SELECT hits, count(*) FROM users GROUP BY 1") == [(1, 2000)]


async def test_random_keys_and_rows_behind_the_cursor(
    postgres_url: str, make_config: MakeConfig
) -> None:
    """Half of the rows that come in meanwhile are behind the cursor."""
    config = make_config(postgres_url)
    write(
        config,
        "0001_events",
        "CREATE TABLE events (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), kind text);\n"
        "INSERT INTO events SELECT FROM generate_series(1, 3000);",
    )
    write(
        config,
        "0002_fill",
        "UPDATE events SET kind = 'old' WHERE kind IS NULL AND {batch};",
        *("dbwarden: backfill", "table: events", "batch: 50", "until: kind IS NOT NULL"),
    )
    inserted = 0

    async with anyio.create_task_group() as tasks:

        async def insert() -> None:
            await execute(config, "INSERT INTO events SELECT FROM generate_series(1, 20)")

        def hear(event: telemetry.Event) -> None:
            nonlocal inserted
            if event.name == "backfill_batch" and inserted < 5:
                inserted += 1
                tasks.start_soon(insert)

        with telemetry.listening(hear):
            await dbwarden.migrate(config)

    (progress,) = (await dbwarden.backfill_status(config)).backfills
    assert progress.state == "done"
    ((filled,),) = await query(config, "SELECT count(*) FROM events WHERE kind IS NOT NULL")
    # A row that arrives between the two queries of a batch is filled, but not counted.
    assert 3000 <= progress.rows <= filled <= 3000 + 20 * inserted
