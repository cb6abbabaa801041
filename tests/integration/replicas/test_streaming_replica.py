"""check, status and health of a real streaming replica."""

import socket
from dataclasses import replace

import anyio
import anyio.to_thread
import pytest

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.postgresql.scratch.server import embedded_server
from dbwarden.errors import ConnectError
from dbwarden.operations.check import CheckResult, check
from dbwarden.operations.health import health
from dbwarden.operations.migrate import migrate
from dbwarden.operations.rollback import rollback
from dbwarden.operations.status import status
from dbwarden.planning.replicas import ReplicaStatus
from dbwarden.types import DatabaseName
from tests.commands import dbwarden
from tests.integration.replicas.conftest import MakePair, Servers
from tests.servers import streaming_replica
from tests.urls import revealed


def codes(result: CheckResult) -> list[str]:
    return [finding.code for finding in result.findings]


def known(result: CheckResult) -> ReplicaStatus:
    assert result.status.replica is not None
    return result.status.replica


async def test_a_replica_equals_its_primary_falls_behind_and_catches_up(
    make_pair: MakePair, replicated: Servers
) -> None:
    async with make_pair(replicated) as servers:
        result = await check(servers.replica)
        assert result.clean
        assert known(result) == ReplicaStatus(
            primary=DatabaseName("primary"), writable=False, caught_up=True, lag_seconds=0.0
        )
        assert (await health(servers.replica)).status == "ok"

        servers.add(2)
        await migrate(servers.primary)
        await servers.caught_up()
        async with servers.paused():
            servers.add(3)
            servers.add(4)
            await migrate(servers.primary)
            result = await until_lag_is_seen(servers.replica)
            assert codes(result) == ["replica_behind"]
            assert known(result).behind == ("0003", "0004")
            assert known(result).caught_up is False
            assert (result.status.version, result.status.pending) == ("0002", ("0003", "0004"))
            ill = await health(servers.replica)
            assert (ill.status, ill.connected, ill.pending_migrations) == ("degraded", True, 2)
            assert ill.error == "replica: 2 migrations behind"
        await servers.caught_up()
        assert (await check(servers.replica)).clean


async def until_lag_is_seen(config: DatabaseConfig) -> CheckResult:
    """The replica receives, and so knows that it is late, a moment after the primary wrote."""
    with anyio.fail_after(30):
        while True:
            result = await check(config)
            if known(result).lag_seconds:
                return result
            await anyio.sleep(0.01)


async def test_a_rollback_on_the_primary_is_still_missing_on_the_replica(
    make_pair: MakePair, replicated: Servers
) -> None:
    async with make_pair(replicated) as servers:
        servers.add(2)
        await migrate(servers.primary)
        await servers.caught_up()
        async with servers.paused():
            await rollback(servers.primary)
            result = await check(servers.replica)
        # The file is pending on the primary again, and this one still has it.
        assert codes(result) == ["replica_behind"]
        assert known(result).behind == ("0002",)


async def test_migrations_missing_everywhere_are_pending_on_the_primary(
    make_pair: MakePair, replicated: Servers
) -> None:
    async with make_pair(replicated) as servers:
        servers.add(2)
        result = await check(servers.replica)
        assert codes(result) == ["pending"]
        assert result.findings[0].next_step == "Apply with: dbwarden migrate -d primary"
        assert known(result).caught_up is True


async def test_failures_of_primary_and_replica_are_reported_separately(make_pair: MakePair) -> None:
    async with (
        embedded_server(tcp=True) as primary,
        streaming_replica(primary) as replica,
        make_pair((primary, replica)) as servers,
    ):
        # The primary takes the call and says nothing.
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"postgresql://postgres@127.0.0.1:{silent.getsockname()[1]}/postgres"
            quiet = replace(servers.primary, database_url=url, connect_timeout=60.0)
            result = await check(replace(servers.replica, primary=quiet, timeout=5.0))
        assert result.clean
        assert known(result).caught_up is None
        assert known(result).primary_error == "it did not answer within 4 s"

        # The primary is down.
        await anyio.to_thread.run_sync(primary.halt)
        result = await check(servers.replica)
        assert result.clean
        assert "nothing listens on" in (known(result).primary_error or "")
        assert (await health(servers.replica)).status == "ok"

        # The replica becomes a primary.
        await servers.on_replica("SELECT pg_promote()")
        result = await check(servers.replica)
        assert codes(result) == ["replica_writable"]
        assert known(result).lag_seconds is None
        ill = await health(servers.replica)
        assert (ill.status, ill.error) == ("degraded", "replica: accepts writes")

        # The replica is down, its primary is back.
        await anyio.to_thread.run_sync(replica.halt)
        await anyio.to_thread.run_sync(primary.start)
        with pytest.raises(ConnectError) as caught:
            await check(servers.replica)
        assert caught.value.database == "replica"
        ill = await health(servers.replica)
        assert (ill.status, ill.connected, ill.error) == ("error", False, "cannot connect")
        assert (await check(servers.primary)).clean
        assert (await status(servers.primary)).replica is None


async def test_the_commands_skip_a_replica_and_report_it(
    make_pair: MakePair, replicated: Servers
) -> None:
    async with make_pair(replicated) as servers:
        text = f"""
from dbwarden import database_config

database_config(database_name="primary", database_url="{revealed(servers.primary.database_url)}")
database_config(
    database_name="replica",
    database_url="{revealed(servers.replica.database_url)}",
    replica_of="primary",
)
"""
        await anyio.Path(servers.root / "dbwarden.py").write_text(text)
        servers.add(2)
        ran = await dbwarden(servers.root, "migrate", "--all", "--json")
        assert [item["database"] for item in ran.json["databases"]] == ["primary"]
        ran = await dbwarden(servers.root, "migrate", "-d", "replica")
        assert ran.code == 2 and "it is a replica of primary, which is migrated" in ran.err
        ran = await dbwarden(servers.root, "create-database", "-d", "replica")
        assert ran.code == 2 and "Use -d primary." in ran.err

        await servers.caught_up()
        ran = await dbwarden(servers.root, "check", "--all")
        assert (ran.code, ran.err) == (0, "")
        assert "as primary" in ran.out
        ran = await dbwarden(servers.root, "health", "--all")
        assert ran.json == {
            "status": "ok",
            "databases": [
                {
                    "database": name,
                    "status": "ok",
                    "connected": True,
                    "pending_migrations": 0,
                    "lock_active": False,
                    "error": None,
                }
                for name in ("primary", "replica")
            ],
        }

        async with servers.paused():
            servers.add(3)
            assert (await dbwarden(servers.root, "migrate", "--all")).code == 0
            ran = await dbwarden(servers.root, "check", "--all")
            assert ran.code == 3
            assert "replica: 1 not here yet: 0003 (behind primary" in ran.err
            ran = await dbwarden(servers.root, "status", "-d", "replica", "--json")
            assert ran.code == 0
            assert ran.json["databases"][0]["result"]["replica"]["behind"] == ["0003"]

        await anyio.Path(servers.root / "dbwarden.py").write_text(
            text.replace(f":{servers.servers[0].port}/", ":1/")
        )
        ran = await dbwarden(servers.root, "status", "-d", "replica")
        assert ran.code == 0
        assert "replica: may be behind, because the history of primary" in ran.err
