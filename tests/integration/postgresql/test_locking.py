"""One migrator runs at a time, others name it, and no lock stays."""

from typing import Any

import anyio
import pytest

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.postgresql.migrate import lock as locks
from dbwarden.dialects.postgresql.migrate.dialect import DIALECT
from dbwarden.errors import LedgerError, MigratorBusy
from dbwarden.migration_history import LockHolder
from dbwarden.telemetry import Event
from tests.conftest import MakeConfig
from tests.integration.postgresql.helpers import (
    Done,
    admin,
    apply,
    end,
    ledger_of,
    left_behind,
    migrator,
    tables,
    until,
    value,
    work,
)

LAST_ASKED = """
    SELECT max(query_start) FROM pg_stat_activity
    WHERE query LIKE '%pg_try_advisory_lock%' AND pid <> pg_backend_pid()
"""
HELD = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"


async def holder_of(config: DatabaseConfig) -> LockHolder | None:
    async with DIALECT.connect(config, read_only=True) as connection:
        return (await connection.read()).holder


async def test_the_lock_excludes_a_second_migrator_and_is_free_afterwards(
    postgres_url: str, make_config: MakeConfig
) -> None:
    config = make_config(postgres_url, migration_lock_timeout=0.1)

    async with migrator(config):
        with pytest.raises(MigratorBusy):
            async with migrator(config):
                raise AssertionError("two hold the lock")

    assert await value(postgres_url, HELD) == 0
    async with migrator(config):
        assert await value(postgres_url, HELD) == 1


async def test_giving_up_names_the_holder(postgres_url: str, make_config: MakeConfig) -> None:
    config = make_config(postgres_url, migration_lock_timeout=0.1)

    async with anyio.create_task_group() as tasks, migrator(config) as first:
        tasks.start_soon(first.run, [work(42, "SELECT pg_sleep(60)")], Done())
        await until(
            lambda: value(
                postgres_url, "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
            )
        )
        with pytest.raises(MigratorBusy) as caught:
            async with migrator(config):
                pass
        holder = await holder_of(config)
        tasks.cancel_scope.cancel()

    said = str(caught.value)
    assert holder is not None
    assert f"pid {holder.pid}" in said
    assert "running: migration 0042" in said
    assert "since 20" in said
    assert holder.application is not None
    assert holder.application.startswith("dbwarden primary ")
    assert holder.application.endswith(" 0042")
    assert "lock-status" in (caught.value.next_step or "")
    assert "unlock --force" in (caught.value.next_step or "")


async def test_a_waiting_migrator_continues_when_the_lock_is_free(
    postgres_config: DatabaseConfig, events: list[Event]
) -> None:
    order: list[str] = []

    async def second() -> None:
        async with migrator(postgres_config):
            order.append("second")

    async def waits() -> bool:
        return any(event.name == "waiting_for_lock" for event in events)

    async with anyio.create_task_group() as tasks, migrator(postgres_config):
        tasks.start_soon(second)
        await until(waits)
        order.append("first")

    assert order == ["first", "second"]


async def test_ten_migrators_at_once_apply_everything_once(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    """Each re-reads the ledger under the lock and does what is left."""
    works = [work(n, f"CREATE TABLE t{n} ()") for n in range(1, 6)]
    ran = Done()

    async def migrate() -> None:
        async with DIALECT.connect(postgres_config) as connection, connection.lock():
            there = {row.key for row in (await connection.read()).rows or ()}
            await connection.create_ledger()
            await connection.run([w for w in works if w.migration.key not in there], ran)

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(migrate)

    assert ran == [f"{n:04d}" for n in range(1, 6)]
    assert len(await tables(postgres_url)) == 5


async def test_a_reader_sees_the_holder_and_the_holder_not_itself(
    postgres_config: DatabaseConfig,
) -> None:
    assert await holder_of(postgres_config) is None
    async with migrator(postgres_config) as connection:
        assert (await connection.read()).holder is None
        assert await holder_of(postgres_config) is not None
    assert await holder_of(postgres_config) is None


async def test_ledgers_in_different_namespaces_have_different_locks(
    postgres_url: str, make_config: MakeConfig
) -> None:
    one = make_config(postgres_url, ledger_schema="one", migration_lock_timeout=0.1)
    two = make_config(postgres_url, ledger_schema="two", migration_lock_timeout=0.1)
    table = make_config(postgres_url, ledger_table="other", migration_lock_timeout=0.1)

    async with migrator(one), migrator(two), migrator(table):
        with pytest.raises(MigratorBusy):
            async with migrator(one):
                pass


async def test_a_history_found_by_search_path_shares_the_lock_of_a_named_one(
    postgres_url: str, make_config: MakeConfig
) -> None:
    found = make_config(postgres_url, migration_lock_timeout=0.1)
    named = make_config(postgres_url, ledger_schema="public", migration_lock_timeout=0.1)

    async with migrator(found):
        with pytest.raises(MigratorBusy):
            async with migrator(named):
                pass


async def waiting(events: list[Event], count: int) -> bool:
    """Whether *count* migrators have found that another one holds the lock."""
    return len([event for event in events if event.name == "waiting_for_lock"]) >= count


async def test_waiting_for_the_lock_does_not_deadlock_with_concurrently(
    postgres_config: DatabaseConfig, postgres_url: str, events: list[Event]
) -> None:
    """PEERS.md, finding 3: a waiter inside pg_advisory_lock() would be waited for."""
    await apply(postgres_config, work(1, "CREATE TABLE a (id int)"))
    async with anyio.create_task_group() as tasks, migrator(postgres_config) as connection:
        for _ in range(3):
            tasks.start_soon(apply, postgres_config)
        await until(lambda: waiting(events, 3))
        await connection.run([work(2, "CREATE INDEX CONCURRENTLY i ON a (id)")], Done())

    assert set(await ledger_of(postgres_config)) == {"0001", "0002"}


async def test_a_lock_timeout_of_the_role_does_not_cut_the_wait(
    postgres_url: str, make_config: MakeConfig, events: list[Event]
) -> None:
    config = make_config(postgres_url + "?options=-c%20lock_timeout%3D1")

    asked: set[Any] = set()

    async def asks_again() -> bool:
        asked.add(await value(postgres_url, LAST_ASKED))
        return len(asked - {None}) > 3

    async with anyio.create_task_group() as tasks, migrator(config):
        tasks.start_soon(apply, config, work(1, "SELECT 1"))
        await until(lambda: waiting(events, 1))
        await until(asks_again)  # so it has waited for longer than the role's millisecond

    assert set(await ledger_of(config)) == {"0001"}


async def test_a_migration_that_releases_the_lock_is_reported(
    postgres_config: DatabaseConfig, events: list[Event]
) -> None:
    await apply(postgres_config, work(1, "SELECT pg_advisory_unlock_all()"))

    assert [event.level for event in events if event.name == "lock_was_lost"] == ["error"]


async def test_the_holder_can_be_terminated(postgres_url: str, make_config: MakeConfig) -> None:
    config = make_config(postgres_url, migration_lock_timeout=0.1)
    async with migrator(config):
        holder = await holder_of(config)
        assert holder is not None
        async with DIALECT.connect(config) as other:
            assert await other.terminate_holder(holder) is True
            assert (await other.read()).holder is None
            assert await other.terminate_holder(holder) is False
            assert await other.terminate_holder(LockHolder(pid=None)) is False
        async with migrator(config):
            pass

    assert await left_behind(postgres_url) == []


async def test_the_lock_of_a_killed_connection_is_free(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    async with migrator(postgres_config):
        holder = await holder_of(postgres_config)
        assert holder is not None
        await end(postgres_url, holder.pid)
        async with migrator(postgres_config):
            pass


async def test_without_a_namespace_the_history_cannot_be_created(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    async with admin(postgres_url) as connection:
        await connection.execute("DROP SCHEMA public")

    async with DIALECT.connect(postgres_config) as connection:
        assert (await connection.read()).rows is None
        with pytest.raises(LedgerError, match="no namespace"):
            await connection.create_ledger()


def test_pauses_grow_and_differ() -> None:
    first = {locks.pause(0) for _ in range(20)}
    later = {locks.pause(50) for _ in range(20)}

    assert len(first) > 1
    assert max(first) < min(later)
    assert max(later) <= locks.LONGEST_PAUSE * 1.5
