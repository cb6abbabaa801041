"""One read of a database returns its full status and changes nothing."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.postgresql.migrate.dialect import DIALECT
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer, embedded_server
from dbwarden.errors import AccessDenied, LedgerError, ReadOnlyDatabase
from dbwarden.migration_history import DatabaseStatus, ReplicaState, State
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
from tests.servers import streaming_replica, until_caught_up


async def read(config: DatabaseConfig, *, read_only: bool = True) -> DatabaseStatus:
    async with DIALECT.connect(config, read_only=read_only) as connection:
        return await connection.read()


@asynccontextmanager
async def role(server: EmbeddedServer, url: str, *grants: str) -> AsyncGenerator[str]:
    """The URL for a role that owns nothing and may do what *grants* say."""
    name = f"reader_{url.rsplit('_', 1)[1]}"
    async with admin(url) as connection:
        await connection.execute(f"CREATE ROLE {name} LOGIN")
        for grant in grants:
            await connection.execute(f"GRANT {grant} TO {name}")
    yield url.replace("postgres@", f"{name}@")
    async with admin(url) as connection:
        await connection.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


@pytest.mark.parametrize(
    "what", ["VIEW {} AS SELECT 1 AS x", "SEQUENCE {}", "TABLE t (a int); CREATE INDEX {} ON t (a)"]
)
async def test_a_foreign_table_with_the_historys_name_is_reported(
    postgres_config: DatabaseConfig, postgres_url: str, what: str
) -> None:
    async with admin(postgres_url) as connection:
        await connection.execute(f"CREATE {what.format('dbwarden_ledger')}")
    with pytest.raises(
        LedgerError, match='"dbwarden_ledger" is not a ledger of dbwarden'
    ) as caught:
        await read(postgres_config)
    assert "ledger_table=" in str(caught.value.next_step)


async def test_reading_an_empty_database_creates_no_history(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    for read_only in (True, False):
        reading = await read(postgres_config, read_only=read_only)
        assert reading.rows is None
        assert reading.namespace == "public"
        assert reading.holder is None
        assert reading.replica is None
        assert not reading.read_only

    assert await value(postgres_url, "SELECT to_regclass('dbwarden_ledger')") is None


async def test_the_servers_version_is_reported(
    postgres_config: DatabaseConfig, postgres_server: EmbeddedServer
) -> None:
    assert postgres_server.binaries is not None
    version = (await read(postgres_config)).server_version

    assert version.startswith(postgres_server.binaries.version)


async def test_rows_come_in_the_order_in_which_they_were_written(
    postgres_config: DatabaseConfig,
) -> None:
    await apply(postgres_config, work(2, "SELECT 1"), work(1, "SELECT 1"), work(3, "SELECT 1"))

    reading = await read(postgres_config)
    assert reading.rows is not None
    assert [row.key for row in reading.rows] == ["0002", "0001", "0003"]


async def test_every_field_of_a_row_comes_back_as_it_was_written(
    postgres_url: str, make_config: MakeConfig
) -> None:
    """In a session of any time zone and date style."""
    settings = "-c%20TimeZone%3DAsia/Kolkata%20-c%20DateStyle%3DGerman"
    config = make_config(postgres_url + f"?options={settings}")
    await apply(config, work(1, "SELECT 1"))
    (row,) = (await ledger_of(make_config(postgres_url))).values()
    assert await ledger_of(config) == {"0001": row}

    weird = "quo\"te ' back\\slash\nline\ttab :a %s ü 😀"
    async with admin(postgres_url) as connection:
        await connection.execute(
            "UPDATE dbwarden_ledger SET description = $1, running = $1, finished_at = NULL,"
            " duration_ms = NULL, state = 'upgrading', step = 3",
            weird,
        )
    row = (await ledger_of(config))["0001"]
    assert (row.description, row.running, row.finished_at, row.duration_ms) == (
        *(weird, weird, None, None),
    )
    assert (row.state, row.step) == (State.UPGRADING, 3)


async def test_a_role_that_may_only_read_can_check(
    postgres_server: EmbeddedServer, postgres_url: str, make_config: MakeConfig
) -> None:
    await apply(make_config(postgres_url), work(1, "SELECT 1"))
    async with role(postgres_server, postgres_url, "SELECT ON dbwarden_ledger") as url:
        assert set(await ledger_of(make_config(url))) == {"0001"}
        async with DIALECT.connect(make_config(url)) as connection:
            assert (await connection.read()).rows is not None


async def test_a_role_without_rights_reads_an_empty_database_too(
    postgres_server: EmbeddedServer, postgres_url: str, make_config: MakeConfig
) -> None:
    async with role(postgres_server, postgres_url) as url:
        assert (await read(make_config(url))).rows is None
        async with admin(postgres_url) as connection:
            await connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")  # as from 15 on
        with pytest.raises(LedgerError, match="cannot be created: permission denied") as caught:
            async with migrator(make_config(url)):
                pass

    assert "Grant" in (caught.value.next_step or "")


async def test_an_unreadable_history_is_an_error_and_not_empty(
    postgres_server: EmbeddedServer, postgres_url: str, make_config: MakeConfig
) -> None:
    await apply(make_config(postgres_url), work(1, "SELECT 1"))
    async with role(postgres_server, postgres_url) as url:
        with pytest.raises(LedgerError, match="cannot be read: permission denied") as caught:
            await read(make_config(url))

    assert caught.value.database == "primary"


async def test_a_role_without_monitoring_rights_still_sees_the_lock_holder(
    postgres_server: EmbeddedServer, postgres_url: str, make_config: MakeConfig
) -> None:
    config = make_config(postgres_url)
    async with (
        migrator(config),
        role(postgres_server, postgres_url, "SELECT ON dbwarden_ledger") as url,
    ):
        holder = (await read(make_config(url))).holder
        assert holder is not None
        assert holder.pid is not None
        assert holder.statement is None
        async with DIALECT.connect(make_config(url)) as connection:
            with pytest.raises(AccessDenied, match="refused to end"):
                await connection.terminate_holder(holder)


async def test_a_table_of_another_tool_is_not_the_history(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    async with admin(postgres_url) as connection:
        await connection.execute("CREATE TABLE dbwarden_ledger (version text)")

    with pytest.raises(LedgerError, match="cannot be read") as caught:
        await read(postgres_config)

    assert "ledger_table" in (caught.value.next_step or "")


# -- where the ledger lies ------------------------------------------------------------------------


async def test_the_history_may_have_its_own_namespace(
    postgres_url: str, make_config: MakeConfig
) -> None:
    config = make_config(postgres_url, ledger_schema='My "Ops"', ledger_table="done; --")

    before = await read(config)
    assert (before.rows, before.namespace) == (None, 'My "Ops"')
    await apply(config, work(1, "CREATE TABLE a ()"))
    await apply(config, work(2, "SELECT 1"))

    assert set(await ledger_of(config)) == {"0001", "0002"}
    assert await value(postgres_url, 'SELECT count(*) FROM "My ""Ops"""."done; --"') == 2
    assert await read(make_config(postgres_url)) != await read(config)


async def test_an_existing_namespace_needs_no_create_privilege(
    postgres_server: EmbeddedServer, postgres_url: str, make_config: MakeConfig
) -> None:
    async with admin(postgres_url) as connection:
        await connection.execute("CREATE SCHEMA ops")
    async with role(postgres_server, postgres_url, "CREATE, USAGE ON SCHEMA ops") as url:
        await apply(make_config(url, ledger_schema="ops"), work(1, "SELECT 1"))
        with pytest.raises(LedgerError, match="permission denied for database"):
            await apply(make_config(url, ledger_schema="nope"), work(1, "SELECT 1"))


async def test_the_history_is_found_along_the_search_path_and_created_at_its_head(
    postgres_url: str, make_config: MakeConfig
) -> None:
    async with admin(postgres_url) as connection:
        await connection.execute("CREATE SCHEMA app")
    await apply(make_config(postgres_url), work(1, "SELECT 1"))
    config = make_config(postgres_url + "?options=-c%20search_path%3Dapp,public")

    reading = await read(config)
    assert (reading.namespace, len(reading.rows or ())) == ("public", 1)
    await apply(config, work(2, "SELECT 1"))
    assert set(await ledger_of(make_config(postgres_url))) == {"0001", "0002"}

    fresh = make_config(postgres_url + "?options=-c%20search_path%3Dapp")
    assert (await read(fresh)).namespace == "app"
    await apply(fresh, work(1, "SELECT 1"))
    assert await value(postgres_url, "SELECT count(*) FROM app.dbwarden_ledger") == 1


async def test_two_owners_of_one_new_namespace_create_their_histories_together(
    postgres_url: str, make_config: MakeConfig
) -> None:
    configs = [
        make_config(postgres_url, ledger_schema="ops", ledger_table=f"ledger_{n}") for n in range(8)
    ]

    async with anyio.create_task_group() as tasks:
        for config in configs:
            tasks.start_soon(apply, config, work(1, "SELECT 1"))

    assert await tables(postgres_url) == {f"ledger_{n}" for n in range(8)}


# -- servers that take no writes ------------------------------------------------------------------


@pytest.mark.parametrize("read_only", [True, False])
async def test_a_database_with_read_only_settings_is_reported(
    postgres_config: DatabaseConfig, postgres_url: str, read_only: bool
) -> None:
    async with admin(postgres_url) as connection:
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")

    assert (await read(postgres_config, read_only=read_only)).read_only


async def test_a_read_only_role_is_reported(
    postgres_server: EmbeddedServer, postgres_url: str, make_config: MakeConfig
) -> None:
    async with role(postgres_server, postgres_url) as url:
        name = url.split("//")[1].split("@")[0]
        async with admin(postgres_url) as connection:
            await connection.execute(f"ALTER ROLE {name} SET default_transaction_read_only = on")
        assert (await read(make_config(url))).read_only
        assert not (await read(make_config(postgres_url))).read_only


async def test_a_replica_that_hides_its_lag_is_read_anyway(
    postgres_url: str, make_config: MakeConfig
) -> None:
    """As Aurora's do; here functions of the same names stand before the server's own."""
    await apply(make_config(postgres_url), work(1, "SELECT 1"))
    async with admin(postgres_url) as connection:
        await connection.execute(
            "CREATE SCHEMA aurora;"
            "CREATE FUNCTION aurora.pg_is_in_recovery() RETURNS bool LANGUAGE sql AS"
            " 'SELECT true';"
            "CREATE FUNCTION aurora.pg_last_wal_receive_lsn() RETURNS pg_lsn LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE feature_not_supported; END $$"
        )
    path = "?options=-c%20search_path%3Daurora,pg_catalog,public"

    reading = await read(make_config(postgres_url + path))

    assert reading.rows is not None
    assert reading.replica == ReplicaState(lag_seconds=None, replayed=None)
    assert reading.read_only


ODD = "a\ttab, a \\ and \\N, a\nnew line, 'quotes' and ünïcödé"


@pytest.mark.parametrize(
    "settings", ["", "?options=-c%20datestyle%3DGerman%20-c%20timezone%3DAsia/Tokyo"]
)
async def test_the_fields_of_a_row_are_read_as_written(
    postgres_url: str, make_config: MakeConfig, settings: str
) -> None:
    await apply(make_config(postgres_url), work(1, "SELECT 1"))
    async with admin(postgres_url) as connection:
        await connection.execute(
            "UPDATE dbwarden_ledger SET description = $1, rollback_checksum = '', running = NULL, "
            "started_at = '2026-02-03 04:05:06.789012+00', finished_at = NULL, duration_ms = 0.1",
            ODD,
        )

    (row,) = (await read(make_config(postgres_url + settings))).rows or ()

    assert row.description == ODD
    assert (row.rollback_checksum, row.running, row.finished_at) == ("", None, None)
    assert row.started_at == datetime(2026, 2, 3, 4, 5, 6, 789012, UTC)
    assert row.duration_ms == 0.1


async def test_an_empty_history_differs_from_a_missing_one(
    postgres_url: str, make_config: MakeConfig
) -> None:
    await apply(make_config(postgres_url), work(1, "SELECT 1"))
    async with admin(postgres_url) as connection:
        await connection.execute("DELETE FROM dbwarden_ledger")

    reading = await read(make_config(postgres_url))

    assert reading.rows == ()
    assert reading.namespace == "public"
    assert reading.server_version


async def test_a_row_of_a_newer_dbwarden_is_reported(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    await apply(postgres_config, work(1, "SELECT 1"))
    async with admin(postgres_url) as connection:
        await connection.execute("UPDATE dbwarden_ledger SET state = 'squashed'")

    with pytest.raises(LedgerError, match="squashed") as caught:
        await read(postgres_config)

    assert "update dbwarden" in (caught.value.next_step or "")


async def test_a_replica_reports_its_progress(make_config: MakeConfig) -> None:
    async with embedded_server(tcp=True) as primary:
        config = make_config(primary.url())
        await apply(config, work(1, "CREATE TABLE a ()"))
        async with streaming_replica(primary) as replica:
            there = make_config(replica.url())
            await apply(config, work(2, "CREATE TABLE b ()"))
            await until_caught_up(primary, replica)

            reading = await read(there)
            assert [row.key for row in reading.rows or ()] == ["0001", "0002"]
            assert reading.read_only
            assert reading.replica is not None
            assert reading.replica.lag_seconds == 0
            assert reading.replica.replayed
            with pytest.raises(ReadOnlyDatabase):
                async with DIALECT.connect(there) as connection:
                    await connection.run([work(3, "CREATE TABLE c ()")], Done())

            await anyio.to_thread.run_sync(primary.halt)
            alone = (await read(there)).replica
            assert alone is not None
            # Nobody delivers any more: what it does not know may be much.
            assert alone.lag_seconds is None or alone.lag_seconds > 0


# -- correcting rows ------------------------------------------------------------------------------


async def test_a_row_can_be_corrected_and_forgotten(postgres_config: DatabaseConfig) -> None:
    await apply(postgres_config, work(1, "SELECT 1"), work(2, "SELECT 1"))
    first, second = (await ledger_of(postgres_config)).values()

    async with migrator(postgres_config) as connection:
        await connection.update_row(
            first,
            replace(
                first,
                state=State.UPGRADING,
                step=3,
                upgrade_checksum=second.upgrade_checksum,
                rollback_checksum=None,
                steps_checksum=None,
            ),
        )
        await connection.delete_row(second)

    (row,) = (await ledger_of(postgres_config)).values()
    assert (row.id, row.state, row.step, row.finished_at) == (first.id, State.UPGRADING, 3, None)
    assert (row.upgrade_checksum, row.steps_checksum) == (second.upgrade_checksum, None)

    async with migrator(postgres_config) as connection:
        await connection.update_row(
            row,
            replace(
                row,
                state=State.APPLIED,
                step=1,
                upgrade_checksum=first.upgrade_checksum,
                rollback_checksum=first.rollback_checksum,
                steps_checksum=first.steps_checksum,
            ),
        )
    row = (await ledger_of(postgres_config))["0001"]
    assert (row.state, row.upgrade_checksum) == (State.APPLIED, first.upgrade_checksum)
    assert row.finished_at is not None


OTHERWISE = [
    {"id": 4711},
    {"state": State.ROLLING_BACK},
    {"step": 7},
    {"running": "VACUUM"},
]
"""What a row was read as, where it is something else by now."""


@pytest.mark.parametrize("read_as", OTHERWISE, ids=lambda read_as: next(iter(read_as)))
async def test_a_row_that_changed_since_it_was_read_is_not_written(
    postgres_config: DatabaseConfig, postgres_url: str, read_as: dict[str, Any]
) -> None:
    """Not by repair, and not by a migration, whose SQL then leaves nothing behind."""
    files = ("SELECT 1", "CREATE TABLE a ()")
    slow = ("SELECT 1", "VACUUM;\nCREATE TABLE a ()")
    await apply(postgres_config, work(1, *files))
    before = await ledger_of(postgres_config)
    row = replace(before["0001"], **read_as)

    async with migrator(postgres_config) as connection:
        for call in (
            connection.delete_row(row),
            connection.update_row(
                row,
                replace(
                    row,
                    state=State.ROLLED_BACK,
                    step=1,
                    upgrade_checksum=row.upgrade_checksum,
                    rollback_checksum=None,
                    steps_checksum=None,
                ),
            ),
            connection.run([work(1, *files, direction="rollback", row=row)], Done()),
            connection.run([work(1, *slow, direction="rollback", row=row)], Done()),
        ):
            with pytest.raises(LedgerError, match="a row has changed since it was read") as caught:
                await call
            assert "dbwarden history -d primary" in (caught.value.next_step or "")

    assert await tables(postgres_url) == set()
    assert await ledger_of(postgres_config) == before


async def test_two_live_rows_of_one_migration_cannot_be(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    await apply(postgres_config, work(1, "CREATE TABLE a ()"))

    with pytest.raises(LedgerError, match="duplicate key"):
        await apply(postgres_config, work(1, "CREATE TABLE b ()"))

    assert await tables(postgres_url) == {"a"}
