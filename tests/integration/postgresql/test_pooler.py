"""Behind a pooler, reading works and migrating is refused in advance."""

import pytest

from dbwarden.dialects.postgresql.migrate.dialect import DIALECT
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from dbwarden.errors import ConnectError, DatabaseMissing, PoolerDetected
from tests.conftest import MakeConfig
from tests.integration.postgresql.helpers import (
    Done,
    admin,
    apply,
    ledger_of,
    migrator,
    tables,
    value,
    work,
)
from tests.servers import NO_PGBOUNCER, PGBOUNCER, pgbouncer

pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason=NO_PGBOUNCER)

HELD = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"


def through(url: str, server: EmbeddedServer, port: int) -> str:
    return url.replace(f":{server.port}/", f":{port}/")


@pytest.mark.parametrize("mode", ["transaction", "statement", "session"])
async def test_reading_works_behind_a_pooler(
    postgres_server: EmbeddedServer, postgres_url: str, make_config: MakeConfig, mode: str
) -> None:
    """PgBouncer refuses settings at the start that it does not know; we ask for none."""
    await apply(make_config(postgres_url), work(1, "SELECT 1"))
    async with pgbouncer(postgres_server, mode) as port:
        config = make_config(through(postgres_url, postgres_server, port))
        for _ in range(3):
            assert set(await ledger_of(config)) == {"0001"}


@pytest.mark.parametrize("round_robin", [0, 1])
@pytest.mark.parametrize("mode", ["transaction", "statement"])
async def test_a_transaction_pooler_is_detected_before_anything_is_done(
    postgres_server: EmbeddedServer,
    postgres_url: str,
    make_config: MakeConfig,
    mode: str,
    round_robin: int,
) -> None:
    async with pgbouncer(postgres_server, mode, server_round_robin=round_robin) as port:
        config = make_config(through(postgres_url, postgres_server, port))
        with pytest.raises(PoolerDetected) as caught:
            async with migrator(config):
                raise AssertionError("it got a lock that others share")
        direct = make_config(postgres_url, ledger_table="other")
        await apply(direct, work(1, "SELECT 1"))
        row = (await ledger_of(direct))["0001"]
        async with DIALECT.connect(config) as connection:
            for call in (
                connection.create_ledger(),
                connection.run([work(1, "CREATE TABLE a ()")], Done()),
                connection.delete_row(row),
            ):
                with pytest.raises(PoolerDetected):
                    await call

        assert "migration_url" in (caught.value.next_step or "")
        assert await value(postgres_url, HELD) == 0
        assert await value(postgres_url, "SELECT to_regclass('dbwarden_ledger')") is None


async def test_migration_url_bypasses_the_pooler(
    postgres_server: EmbeddedServer, postgres_url: str, make_config: MakeConfig
) -> None:
    async with pgbouncer(postgres_server, "transaction") as port:
        pooled = through(postgres_url, postgres_server, port)
        config = make_config(pooled, migration_url=postgres_url)
        assert await apply(config, work(1, "CREATE TABLE a ()")) == ["0001"]
        assert set(await ledger_of(config)) == {"0001"}
    assert await tables(postgres_url) == {"a"}


async def test_a_session_pooler_can_migrate(
    postgres_server: EmbeddedServer, postgres_url: str, make_config: MakeConfig
) -> None:
    async with pgbouncer(postgres_server, "session") as port:
        config = make_config(through(postgres_url, postgres_server, port))
        assert await apply(config, work(1, "CREATE TABLE a ()"), work(2, "VACUUM a")) == [
            *("0001", "0002")
        ]
    assert await tables(postgres_url) == {"a"}


async def test_no_setting_leaks_to_other_sessions_of_the_pool(
    postgres_server: EmbeddedServer, postgres_url: str, make_config: MakeConfig
) -> None:
    async with pgbouncer(postgres_server, "transaction", default_pool_size=1) as port:
        pooled = through(postgres_url, postgres_server, port)
        config = make_config(pooled)
        await ledger_of(config)
        with pytest.raises(PoolerDetected):
            async with migrator(config):
                pass
        async with admin(postgres_url) as connection:
            rows = await connection.fetch(
                "SELECT state FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid()"
            )
    assert {row["state"] for row in rows} <= {"idle"}


async def test_a_setting_of_the_url_that_the_pooler_refuses_is_reported(
    postgres_server: EmbeddedServer, postgres_url: str, make_config: MakeConfig
) -> None:
    async with pgbouncer(postgres_server, "transaction") as port:
        pooled = through(postgres_url, postgres_server, port)
        config = make_config(pooled + "?options=-c%20search_path%3Dapp")
        with pytest.raises(ConnectError, match="search_path") as caught:
            await ledger_of(config)

    assert "ignore_startup_parameters" in (caught.value.next_step or "")


async def test_a_read_through_the_pool_leaves_other_sessions_writable(
    postgres_server: EmbeddedServer, postgres_url: str, make_config: MakeConfig
) -> None:
    async with pgbouncer(postgres_server, "transaction", default_pool_size=1) as port:
        pooled = through(postgres_url, postgres_server, port)
        await ledger_of(make_config(pooled))
        async with admin(pooled) as other:
            await other.execute("CREATE TABLE a ()")

    assert await tables(postgres_url) == {"a"}


async def test_a_missing_database_is_reported_through_the_pooler_too(
    postgres_server: EmbeddedServer, make_config: MakeConfig
) -> None:
    async with pgbouncer(postgres_server, "session") as port:
        config = make_config(f"postgresql://postgres@127.0.0.1:{port}/nowhere")
        with pytest.raises(DatabaseMissing):
            await ledger_of(config)
