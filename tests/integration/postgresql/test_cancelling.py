"""A cancelled operation leaves no statement and no lock on the server."""

import functools
import math
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.postgresql.migrate.dialect import DIALECT
from dbwarden.errors import TimedOut
from dbwarden.migration_history import State
from tests.conftest import MakeConfig
from tests.integration.postgresql.helpers import (
    Done,
    admin,
    apply,
    indexes,
    ledger_of,
    left_behind,
    migrator,
    tables,
    until_running,
    work,
)

SLEEP = "CREATE TABLE b (); SELECT pg_sleep(3600)"


async def test_a_cancelled_statement_does_not_run_on(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    done = Done()
    async with anyio.create_task_group() as tasks:

        async def migrate() -> None:
            async with migrator(postgres_config) as connection:
                await connection.run([work(1, "CREATE TABLE a ()"), work(2, SLEEP)], done)

        tasks.start_soon(migrate)
        await until_running(postgres_url, "0002")
        tasks.cancel_scope.cancel()

    # Not "soon": when the cancelled call has returned, the server has stopped.
    assert await left_behind(postgres_url) == []
    assert await tables(postgres_url) == {"a"}
    assert set(await ledger_of(postgres_config)) == {"0001"}


async def test_a_deadline_stops_the_statement_on_the_server(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    with pytest.raises(TimeoutError):
        with anyio.fail_after(0.5):
            await apply(postgres_config, work(1, SLEEP))

    assert await left_behind(postgres_url) == []
    assert await tables(postgres_url) == set()


async def test_a_statement_that_waits_for_a_lock_is_stopped(
    postgres_url: str, make_config: MakeConfig
) -> None:
    config = make_config(postgres_url, lock_timeout=None)
    await apply(config, work(1, "CREATE TABLE a ()"))
    async with admin(postgres_url) as other, other.transaction():
        await other.execute("LOCK TABLE a")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(apply, config, work(2, "ALTER TABLE a ADD late int"))
            await until_running(postgres_url, "late")
            tasks.cancel_scope.cancel()
        assert await left_behind(postgres_url) == []


async def test_a_server_that_ignores_the_cancel_request_is_left_by_ending_the_session(
    postgres_config: DatabaseConfig, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dbwarden.dialects.postgresql.migrate.connecting.GRACE", 1.0)
    ignore = (
        "DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(3600); "
        "EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$"
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(apply, postgres_config, work(1, ignore))
        await until_running(postgres_url, "query_canceled")
        tasks.cancel_scope.cancel()

    assert await left_behind(postgres_url) == []


async def test_a_cancelled_wait_for_the_lock_leaves_nothing(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    async with migrator(postgres_config), anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(apply, postgres_config)
        await anyio.sleep(0.1)
        tasks.cancel_scope.cancel()

    assert await left_behind(postgres_url) == []
    async with migrator(postgres_config):
        pass


async def test_a_cancelled_read_leaves_nothing(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    await apply(postgres_config, work(1, "SELECT 1"))
    async with admin(postgres_url) as other, other.transaction():
        await other.execute("LOCK TABLE dbwarden_ledger")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ledger_of, postgres_config)
            await until_running(postgres_url, "dbwarden_ledger")
            tasks.cancel_scope.cancel()
        assert await left_behind(postgres_url) == []


@pytest.mark.parametrize("moment", range(24))
async def test_cancelled_at_any_moment_nothing_stays(
    postgres_config: DatabaseConfig, postgres_url: str, moment: int
) -> None:
    """The operation is cancelled at its n-th wait; what is on the server is whole or not there."""
    works = [work(1, "CREATE TABLE a (id int)"), work(2, "CREATE INDEX CONCURRENTLY i ON a (id)")]
    await cancelled_at(moment, lambda: apply(postgres_config, *works, work(3, "SELECT 1")))

    assert await left_behind(postgres_url) == []
    rows = await ledger_of(postgres_config)
    there = await tables(postgres_url)
    assert ("0001" in rows) == (there == {"a"})
    assert all(row.state is State.APPLIED for row in rows.values())
    if there:
        assert await indexes(postgres_url, "a") == ({"i": True} if "0002" in rows else {})


async def cancelled_at(moment: int, operation: Callable[[], Any]) -> None:
    """Run *operation*, and cancel it when its task waits for the n-th time."""

    class Counting:
        def __init__(self, coroutine: Any, scope: anyio.CancelScope) -> None:
            self._coroutine, self._scope, self._waits = coroutine, scope, 0

        def __await__(self) -> Any:
            inner = self._coroutine.__await__()
            step: Callable[[], Any] = functools.partial(inner.send, None)
            while True:
                try:
                    waited_for = step()
                except StopIteration as stop:
                    return stop.value
                if self._waits == moment:
                    self._scope.cancel()
                self._waits += 1
                try:
                    yield waited_for
                    step = functools.partial(inner.send, None)
                except BaseException as error:
                    step = functools.partial(inner.throw, error)

    with anyio.CancelScope() as scope:
        await Counting(operation(), scope)


# -- statements outside a transaction -------------------------------------------------------------


INDEX = "CREATE INDEX CONCURRENTLY i ON a (id)"
BEGUN = 2.0
"""Seconds in which even a busy machine begins to create an index."""


async def test_a_concurrent_index_is_finished_before_a_cancellation_counts(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    await apply(postgres_config, work(1, "CREATE TABLE a (id int)"))
    done = Done()
    async with admin(postgres_url) as writer:
        transaction = writer.transaction()
        await transaction.start()
        await writer.execute("INSERT INTO a VALUES (1)")
        async with anyio.create_task_group() as tasks:

            async def migrate() -> None:
                async with migrator(postgres_config) as connection:
                    await connection.run([work(2, INDEX + "; SELECT 1"), work(3, "SELECT 1")], done)

            tasks.start_soon(migrate)
            await until_running(postgres_url, INDEX)
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.2)
                assert await until_running(postgres_url, INDEX)
                await transaction.rollback()

    assert await indexes(postgres_url, "a") == {"i": True}
    assert await left_behind(postgres_url) == []
    rows = await ledger_of(postgres_config)
    assert (rows["0002"].state, rows["0002"].step) == (State.UPGRADING, 1)
    assert "0003" not in rows
    assert done == []


async def test_a_concurrent_index_is_stopped_at_the_deadline_and_the_next_run_builds_it(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    await apply(postgres_config, work(1, "CREATE TABLE a (id int)"))
    async with admin(postgres_url) as writer, writer.transaction():
        await writer.execute("INSERT INTO a VALUES (1)")
        with pytest.raises((TimeoutError, TimedOut)):
            with anyio.fail_after(BEGUN):
                await apply(postgres_config, work(2, INDEX))
        assert await left_behind(postgres_url) == []

    row = (await ledger_of(postgres_config))["0002"]
    assert (row.state, row.step, row.running) == (State.UPGRADING, 0, INDEX)
    assert await indexes(postgres_url, "a") == {"i": False}

    await apply(postgres_config, work(2, INDEX, interrupted=True, row=row))

    assert await indexes(postgres_url, "a") == {"i": True}
    assert (await ledger_of(postgres_config))["0002"].state is State.APPLIED


async def test_a_time_limit_lifted_by_the_step_still_ends_it(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    """The limit that a step began with counts; nobody else is there to say that it is over."""
    await apply(postgres_config, work(1, "CREATE TABLE a (id int)"))
    async with admin(postgres_url) as writer, writer.transaction():
        await writer.execute("INSERT INTO a VALUES (1)")
        with anyio.move_on_after(BEGUN) as scope:
            async with anyio.create_task_group() as tasks:

                async def lift() -> None:
                    await until_running(postgres_url, INDEX)
                    scope.deadline = math.inf

                tasks.start_soon(lift)
                with pytest.raises(TimedOut):
                    await apply(postgres_config, work(2, INDEX))
        assert await left_behind(postgres_url) == []


async def test_a_connection_that_is_left_early_is_closed(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    with pytest.raises(ValueError, match="ours"):
        async with DIALECT.connect(postgres_config) as connection, connection.lock():
            raise ValueError("ours")

    assert await left_behind(postgres_url) == []
