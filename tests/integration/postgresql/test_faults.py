"""After connections stall, break or die, the history is true and the next run continues."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import pytest

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.postgresql.migrate.dialect import DIALECT
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer, embedded_server
from dbwarden.errors import ConnectError, ConnectionLost
from dbwarden.migration_history import State
from tests.conftest import MakeConfig
from tests.integration.postgresql.helpers import (
    Done,
    admin,
    apply,
    end,
    indexes,
    ledger_of,
    left_behind,
    migrator,
    tables,
    until,
    until_running,
    work,
)
from tests.proxy import POSTGRES_READY, Fault, Proxy


@asynccontextmanager
async def proxied(
    server: EmbeddedServer, url: str, make_config: MakeConfig, **options: object
) -> AsyncGenerator[tuple[Proxy, DatabaseConfig]]:
    """A proxy before the server, and the configuration of the way through it."""
    async with Proxy(server.port) as proxy:
        through = url.replace(f":{server.port}/", f":{proxy.port}/")
        yield proxy, make_config(through, **options)


async def settled(url: str) -> None:
    """Wait until the server has noticed that its clients are gone."""

    async def look() -> bool:
        return not await left_behind(url)

    await until(look)


async def test_a_backend_that_is_killed_in_mid_migration(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    done = Done()
    works = [work(1, "CREATE TABLE a ()"), work(2, "CREATE TABLE b (); SELECT pg_sleep(3600)")]
    async with anyio.create_task_group() as tasks:

        async def kill() -> None:
            pid = await until_running(postgres_url, "0002")
            await end(postgres_url, pid)

        tasks.start_soon(kill)
        with pytest.raises(ConnectionLost, match="terminating connection") as caught:
            async with migrator(postgres_config) as connection:
                await connection.run(works, done)

    assert "Run the command again" in (caught.value.next_step or "")
    assert await left_behind(postgres_url) == []
    assert await tables(postgres_url) == {"a"}
    assert set(await ledger_of(postgres_config)) == {"0001"}


async def test_a_server_that_restarts_in_mid_migration(make_config: MakeConfig) -> None:
    async with embedded_server(tcp=True) as server:
        config = make_config(server.url())
        async with anyio.create_task_group() as tasks:

            async def restart() -> None:
                await until_running(server.url(), "pg_sleep")
                await anyio.to_thread.run_sync(server.crash)
                await anyio.to_thread.run_sync(server.start)

            tasks.start_soon(restart)
            with pytest.raises(ConnectionLost):
                await apply(config, work(1, "CREATE TABLE a (); SELECT pg_sleep(3600)"))

        assert await tables(server.url()) == set()
        await apply(config, work(1, "CREATE TABLE a ()"))
        assert set(await ledger_of(config)) == {"0001"}


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.CLOSE])
@pytest.mark.parametrize("moment", [b"CREATE TABLE t2", b"pg_advisory_unlock", b"advisory_lock"])
async def test_a_connection_that_breaks_before_the_server_heard_the_message(
    postgres_server: EmbeddedServer,
    postgres_url: str,
    make_config: MakeConfig,
    fault: Fault,
    moment: bytes,
) -> None:
    works = [work(n, f"CREATE TABLE t{n} ()") for n in range(1, 4)]
    async with proxied(postgres_server, postgres_url, make_config) as (proxy, config):
        trap = proxy.trap(fault, pattern=moment)
        if moment == b"pg_advisory_unlock":  # all is done: the lock goes with the connection
            await apply(config, *works)
        else:
            with pytest.raises(ConnectionLost):
                await apply(config, *works)
        assert trap.sprung.is_set()

    await settled(postgres_url)
    there = {f"t{n}" for n in range(1, 4)} if moment == b"pg_advisory_unlock" else set()
    assert await tables(postgres_url) == there


async def test_a_connection_that_breaks_at_the_commit_is_looked_up_by_the_next_run(
    postgres_server: EmbeddedServer, postgres_url: str, make_config: MakeConfig
) -> None:
    """The server did it all, and nobody heard so."""
    works = [work(n, f"CREATE TABLE t{n} ()") for n in range(1, 4)]
    done = Done()
    async with proxied(postgres_server, postgres_url, make_config) as (proxy, config):
        proxy.trap(Fault.LOSE_ANSWER, pattern=b"CREATE TABLE t1", answer=POSTGRES_READY)
        with pytest.raises(ConnectionLost):
            async with migrator(config) as connection:
                await connection.run(works, done)

    assert done == []
    await settled(postgres_url)
    assert set(await ledger_of(make_config(postgres_url))) == {"0001", "0002", "0003"}
    assert await tables(postgres_url) == {"t1", "t2", "t3"}


@pytest.mark.parametrize("answered", [True, False])
async def test_a_concurrent_index_whose_connection_breaks_is_resumed(
    postgres_server: EmbeddedServer, postgres_url: str, make_config: MakeConfig, answered: bool
) -> None:
    direct = make_config(postgres_url)
    text = "CREATE INDEX CONCURRENTLY i ON a (id)"
    await apply(direct, work(1, "CREATE TABLE a (id int)"))
    async with proxied(postgres_server, postgres_url, make_config) as (proxy, config):
        # The text passes twice: first in the journal, then to be run.
        fault = Fault.LOSE_ANSWER if answered else Fault.RESET
        trap = proxy.trap(fault, pattern=text.encode(), nth=2, answer=POSTGRES_READY)
        with pytest.raises(ConnectionLost):
            await apply(config, work(2, text))
        assert trap.sprung.is_set()
    await settled(postgres_url)
    row = (await ledger_of(direct))["0002"]
    assert (row.state, row.step, row.running) == (State.UPGRADING, 0, text)
    assert await indexes(postgres_url, "a") == ({"i": True} if answered else {})

    await apply(direct, work(2, text, interrupted=True, row=row))

    assert await indexes(postgres_url, "a") == {"i": True}
    assert (await ledger_of(direct))["0002"].state is State.APPLIED


async def test_a_silent_connection_is_abandoned_and_its_statement_ended_by_another(
    postgres_server: EmbeddedServer,
    postgres_url: str,
    make_config: MakeConfig,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dbwarden.dialects.postgresql.migrate.connecting.GRACE", 1.0)
    async with proxied(postgres_server, postgres_url, make_config) as (proxy, config):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(apply, config, work(1, "CREATE TABLE a (); SELECT pg_sleep(3600)"))
            await until_running(postgres_url, "pg_sleep")
            for connection in proxy.open_connections:
                connection.stall()
            tasks.cancel_scope.cancel()

        assert await left_behind(postgres_url) == []
    assert await tables(postgres_url) == set()


async def test_a_lost_network_does_not_block_a_cancellation_forever(
    postgres_server: EmbeddedServer,
    postgres_url: str,
    make_config: MakeConfig,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dbwarden.dialects.postgresql.migrate.connecting.GRACE", 0.4)
    async with proxied(postgres_server, postgres_url, make_config) as (proxy, config):
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(apply, config, work(1, "SELECT pg_sleep(3600)"))
                await until_running(postgres_url, "pg_sleep")
                proxy.stall()
                tasks.cancel_scope.cancel()


async def test_a_server_that_accepts_and_stays_silent_is_an_error_within_the_timeout(
    postgres_server: EmbeddedServer, postgres_url: str, make_config: MakeConfig
) -> None:
    options = {"connect_timeout": 0.2}
    async with proxied(postgres_server, postgres_url, make_config, **options) as (proxy, config):
        proxy.stall()
        with anyio.fail_after(20):
            with pytest.raises(ConnectError, match=r"did not answer within 0\.2 s"):
                await ledger_of(config)


async def test_a_connection_lost_while_reading_is_reported(
    postgres_server: EmbeddedServer, postgres_url: str, make_config: MakeConfig
) -> None:
    way = proxied(postgres_server, postgres_url, make_config)
    async with way as (proxy, config), DIALECT.connect(config) as connection:
        proxy.cut()
        with pytest.raises(ConnectionLost) as caught:
            await connection.read()
        with pytest.raises(ConnectionLost):
            await connection.read()
    assert caught.value.database == "primary"


# -- flights ---------------------------------------------------------------------------------------


async def test_a_check_takes_three_flights(
    postgres_server: EmbeddedServer, postgres_url: str, make_config: MakeConfig
) -> None:
    """The probe for TLS, the start, the ledger."""
    async with proxied(postgres_server, postgres_url, make_config) as (proxy, config):
        await apply(make_config(postgres_url), work(1, "SELECT 1"))
        await ledger_of(config)

        (counts,) = proxy.counts()
        assert counts.round_trips == 3
        # The goodbye does not wait for an answer.
        assert counts.flights <= 4


async def test_a_hundred_migrations_take_one_flight(
    postgres_server: EmbeddedServer, postgres_url: str, make_config: MakeConfig
) -> None:
    works = [work(n, f"CREATE TABLE t{n} ()") for n in range(1, 201)]
    way = proxied(postgres_server, postgres_url, make_config)
    async with way as (proxy, config), migrator(config) as connection:
        before = proxy.counts()[0].round_trips
        await connection.run(works, Done())
        assert proxy.counts()[0].round_trips - before == 2


async def test_no_file_handle_stays(postgres_config: DatabaseConfig, postgres_url: str) -> None:
    async with admin(postgres_url):
        pass
    await anyio.sleep(0.05)
    before = open_handles()
    for n in range(1, 6):
        await apply(postgres_config, work(n, "SELECT 1"))
    await anyio.sleep(0.05)

    assert open_handles() <= before


def open_handles() -> int:
    return len(os.listdir("/proc/self/fd"))
