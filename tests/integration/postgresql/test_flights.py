"""How many flights an operation takes, counted at the proxy, and what the saved ones still promise.

Trust authentication, no TLS: the start, what the operation asks, and the goodbye, for which nobody
waits.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

import dbwarden
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.base import LedgerAppeared
from dbwarden.dialects.postgresql.migrate.dialect import DIALECT
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from dbwarden.errors import LedgerError, ReadOnlyDatabase, StatementFailed
from dbwarden.operations.migrate import MigrateResult
from tests.conftest import MakeConfig
from tests.integration.postgresql.helpers import (
    Done,
    admin,
    apply,
    left_behind,
    tables,
    value,
    work,
)
from tests.proxy import Proxy

LOCKS = """SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""


def write(config: DatabaseConfig, version: int, upgrade: str) -> Path:
    path = config.migrations_dir / f"primary__{version:04d}_step.sql"
    path.write_text(f"-- upgrade\n{upgrade}\n-- rollback\nSELECT 1;\n")
    return path


@asynccontextmanager
async def counted(
    server: EmbeddedServer, url: str, make_config: MakeConfig
) -> AsyncGenerator[tuple[Proxy, DatabaseConfig]]:
    async with Proxy(server.port) as proxy:
        through = url.replace(f":{server.port}/", f":{proxy.port}/")
        yield proxy, make_config(f"{through}?sslmode=disable")


async def flights(proxy: Proxy, operation: Any) -> int:
    proxy.forget()
    await operation
    await proxy.until_open(0)
    (counts,) = proxy.counts()
    return counts.flights


async def test_no_flight_is_wasted(
    postgres_server: EmbeddedServer, postgres_url: str, make_config: MakeConfig
) -> None:
    async with counted(postgres_server, postgres_url, make_config) as (proxy, config):
        for version in range(1, 21):
            write(config, version, f"CREATE TABLE t{version} ();")
        # start, no ledger, look and lock, ledger and migrations, look and unlock, goodbye
        assert await flights(proxy, dbwarden.migrate(config)) == 6
        assert await flights(proxy, dbwarden.check(config)) == 3
        assert await flights(proxy, dbwarden.migrate(config)) == 3
        write(config, 21, "CREATE TABLE t21 ();")
        # start, look, lock, look again, migrations, look and unlock, goodbye
        assert await flights(proxy, dbwarden.migrate(config)) == 7
        assert await flights(proxy, dbwarden.rollback(config)) == 7
    assert len(await tables(postgres_url)) == 21


async def test_a_history_created_after_the_first_read_is_read_again(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    works = [work(n, f"CREATE TABLE t{n} ()") for n in (1, 2)]
    async with DIALECT.connect(postgres_config) as connection:
        assert (await connection.read()).rows is None
        await apply(postgres_config, works[0])
        done = Done()
        async with connection.lock():
            with pytest.raises(LedgerAppeared):
                await connection.run_first(works, done)
            assert done == []
            assert [row.key for row in (await connection.read()).rows or ()] == ["0001"]
            await connection.run(works[1:], done)
            assert [row.key for row in (await connection.read_last()).rows or ()] == [
                "0001",
                "0002",
            ]
            assert await value(postgres_url, LOCKS) == 0
    assert await tables(postgres_url) == {"t1", "t2"}


async def test_a_claiming_read_excludes_others_until_it_closes(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    async with DIALECT.connect(postgres_config) as connection:
        await connection.read(claim=True)
        assert await value(postgres_url, LOCKS) == 1
        async with connection.lock():
            assert await value(postgres_url, LOCKS) == 1
        assert await value(postgres_url, LOCKS) == 0
        await connection.read(claim=True)
        async with DIALECT.connect(postgres_config) as other:
            # Somebody has it already: the look itself does not wait.
            reading = await other.read(claim=True)
            assert reading.holder is not None
    assert await value(postgres_url, LOCKS) == 0


async def test_a_fault_in_a_first_migrate_leaves_earlier_migrations(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    write(postgres_config, 1, "CREATE TABLE a ();")
    write(postgres_config, 2, "CREATE TABLE b ();\nSELECT 1 / 0;")
    with pytest.raises(StatementFailed) as caught:
        await dbwarden.migrate(postgres_config)
    assert str(caught.value.location).endswith("0002_step.sql:3:1")
    assert await tables(postgres_url) == {"a"}
    # Now the server refuses to read the message at all; the first is there already.
    write(postgres_config, 2, "CREATE TABLE b ();\nSELEC 1;")
    with pytest.raises(StatementFailed) as caught:
        await dbwarden.migrate(postgres_config)
    assert str(caught.value.location).endswith("0002_step.sql:3:1")


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("CREATE TABLE a (id nosuch);", 'type "nosuch" does not exist'),
        ("CREATE TABLE nosuch.a (id int);", 'schema "nosuch" does not exist'),
        ("INSERT INTO a VALUES (1);", 'relation "a" does not exist'),
        ("DO $$ BEGIN RAISE 'no'; END $$;", "no"),
    ],
)
async def test_a_failing_first_migration_is_located_and_not_blamed_on_the_history(
    postgres_config: DatabaseConfig, sql: str, said: str
) -> None:
    write(postgres_config, 1, f"CREATE TABLE b ();\n{sql}")
    with pytest.raises(StatementFailed, match=said) as caught:
        await dbwarden.migrate(postgres_config)
    place = caught.value.location
    assert place is not None
    assert (place.path.name, place.line) == ("primary__0001_step.sql", 3)


async def test_a_first_message_with_a_fault_runs_the_migrations_before_it(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    write(postgres_config, 1, "CREATE TABLE a ();")
    write(postgres_config, 2, "SELEC 1;")
    with pytest.raises(StatementFailed, match="syntax error"):
        await dbwarden.migrate(postgres_config)
    assert await tables(postgres_url) == {"a"}
    status = await dbwarden.status(postgres_config)
    assert (status.applied, status.pending) == (("0001",), ("0002",))


async def test_a_first_migrate_that_begins_outside_a_transaction(
    postgres_url: str, make_config: MakeConfig
) -> None:
    config = make_config(postgres_url, ledger_schema="Own Place")
    write(config, 1, "CREATE TABLE a (id int);\nCREATE INDEX CONCURRENTLY i ON a (id);")
    result = await dbwarden.migrate(config)
    assert [run.key for run in result.applied] == ["0001"]
    assert await value(postgres_url, 'SELECT state FROM "Own Place".dbwarden_ledger') == "applied"


async def test_a_user_without_the_right_to_create_the_history_gets_an_error(
    postgres_url: str, make_config: MakeConfig
) -> None:
    async with admin(postgres_url) as other:
        role = f"guest_{abs(hash(postgres_url)) % 10**9}"
        await other.execute(f"CREATE ROLE {role} LOGIN")
        await other.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")  # as from 15 on
        config = make_config(postgres_url.replace("postgres@", f"{role}@"))
        write(config, 1, "SELECT 1;")
        with pytest.raises(LedgerError, match="cannot be created"):
            await dbwarden.migrate(config)
        assert await left_behind(postgres_url) == []
        await other.execute(f"DROP ROLE {role}")


async def test_a_database_that_takes_no_writes_keeps_no_lock(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    write(postgres_config, 1, "SELECT 1;")
    async with admin(postgres_url) as other:
        await other.execute("SET default_transaction_read_only = off")
        name = await other.fetchval("SELECT current_database()")
        await other.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        with pytest.raises(ReadOnlyDatabase):
            await dbwarden.migrate(postgres_config)
        assert await other.fetchval(LOCKS) == 0


@pytest.mark.parametrize("number", [2, 5, 10])
async def test_migrators_that_start_together_run_every_migration_once(
    postgres_config: DatabaseConfig, postgres_url: str, number: int
) -> None:
    for version in range(1, 6):
        write(postgres_config, version, f"CREATE TABLE t{version} ();")
    results: list[MigrateResult] = []

    async def one() -> None:
        results.append(await dbwarden.migrate(postgres_config))

    async with anyio.create_task_group() as group:
        for _ in range(number):
            group.start_soon(one)
    ran = [run.key for result in results for run in result.applied]
    assert sorted(ran) == [f"{version:04d}" for version in range(1, 6)]
    assert {result.version for result in results} == {"0005"}
    assert await left_behind(postgres_url) == []
