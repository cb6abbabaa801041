"""A server restarts during a fleet run: the outcomes are true and a second run finishes."""

import json
import shlex
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import asyncpg
import pytest

from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer, embedded_server
from tests.commands import Ran, migration
from tests.commands import dbwarden as command
from tests.integration.postgresql.helpers import admin, left_behind, tables, until_running

DONE = ("done1", "done2", "done3")
INDEX = "index"
SLOW = ("slow1", "slow2")
LATER = ("later1", "later2", "later3", "later4")
TENANTS = (*DONE, INDEX, *SLOW, *LATER)
# Those that will not end take all places, so that the rest waits for the restart.
PLACES = str(len(SLOW) + 1)
ALL = ["0001", "0002", "0003", "0004"]
PROJECT = """
from dbwarden import tenant_databases

tenant_databases(
    name="tenant_{{tenant_id}}", database_url="{url}", tenants={tenants!r}, timeout=None
)
"""
LONG = """
CREATE TABLE b (id int);
SELECT pg_sleep(seconds) FROM naps;
INSERT INTO b VALUES (1);
"""


@dataclass(frozen=True, slots=True)
class Fleet:
    """A project of tenants on a server of its own; ``naps`` says how long their 0002 takes."""

    root: Path
    server: EmbeddedServer

    def url(self, tenant: str) -> str:
        return self.server.url(f"app_{tenant}")

    async def migrate(self, *arguments: str) -> tuple[Ran, dict[str, Any]]:
        """Run the command; what became of each tenant, from the manifest."""
        ran = await command(self.root, "migrate", *arguments, "--report", "manifest.json")
        manifest = json.loads(await anyio.Path(self.root / "manifest.json").read_text())
        found = {i["database"].removeprefix("tenant_"): i for i in manifest["databases"]}
        return ran, found

    async def restart(self, *, at_once: bool) -> None:
        """As ``pg_ctl restart`` in mode immediate or fast, when all that waits does so."""
        for tenant in SLOW:
            await until_running(self.url(tenant), "0002")
        await until_running(self.url(INDEX), "CREATE INDEX CONCURRENTLY")
        end = self.server.crash if at_once else self.server.halt
        await anyio.to_thread.run_sync(end)
        await anyio.to_thread.run_sync(self.server.start)

    async def judged(self, tenant: str) -> list[str]:
        """The migrations that are applied, once each, and of which the schema has everything."""
        url = self.url(tenant)
        assert await left_behind(url) == []
        async with admin(url) as connection:
            keys = await self._applied(connection)
            assert keys == ALL[: len(keys)]
            expected = {"0001": {"a"}, "0002": {"b"}, "0003": set(), "0004": {"c"}}
            there = set[str]().union(*(expected[key] for key in keys), {"naps"})
            assert await tables(url) == there
            if "0002" in keys:
                assert await connection.fetchval("SELECT count(*) FROM b") == 1
            query = "SELECT array_agg(indisvalid) FROM pg_index WHERE indexrelid::regclass = $1"
            index = await connection.fetchval("SELECT to_regclass('a_id')")
            if "0003" in keys:
                assert index is not None
                valid = await connection.fetchval(query.replace("$1", "'a_id'::regclass"))
                assert valid == [True]
        return keys

    async def _applied(self, connection: Any) -> list[str]:
        if await connection.fetchval("SELECT to_regclass('dbwarden_ledger')") is None:
            return []
        query = "SELECT key FROM dbwarden_ledger WHERE state = 'applied' ORDER BY id"
        return [row["key"] for row in await connection.fetch(query)]


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncGenerator[Fleet]:
    """Tenants whose 0002 takes as long as each one's table ``naps`` says."""
    # A server that is ended at once must still have what it said it had.
    async with embedded_server(settings={"synchronous_commit": "on"}, tcp=True) as server:
        made = Fleet(tmp_path, server)
        url = server.url("app_TENANT").replace("TENANT", "{tenant_id}")
        project = PROJECT.format(url=url, tenants=list(TENANTS))
        await anyio.Path(tmp_path / "dbwarden.py").write_text(project)
        migration(tmp_path, "tenant", "0001_a", "CREATE TABLE a (id int);")
        migration(tmp_path, "tenant", "0002_b", LONG)
        migration(tmp_path, "tenant", "0003_i", "CREATE INDEX CONCURRENTLY a_id ON a (id);")
        migration(tmp_path, "tenant", "0004_c", "CREATE TABLE c (id int);")
        await server.create_database("template_naps")
        async with admin(server.url("template_naps")) as connection:
            await connection.execute("CREATE TABLE naps (seconds int)")
        for tenant in TENANTS:
            await server.create_database(f"app_{tenant}", template="template_naps")
        for tenant in SLOW:
            async with admin(made.url(tenant)) as connection:
                await connection.execute("INSERT INTO naps VALUES (3600)")
        yield made


@pytest.mark.long
@pytest.mark.parametrize("at_once", [True, False], ids=["immediate", "fast"])
async def test_a_server_restarted_during_a_fleet_leaves_a_true_outcome_of_each_database(
    fleet: Fleet, at_once: bool
) -> None:
    found: list[tuple[Ran, dict[str, Any]]] = []

    async def migrate() -> None:
        found.append(await fleet.migrate("--all", "--per-server", PLACES))

    async with AsyncExitStack() as stack:
        # An open snapshot, for which CONCURRENTLY waits without an end.
        reader = await asyncpg.connect(fleet.url(INDEX))
        stack.callback(reader.terminate)
        await reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(migrate)
            await fleet.restart(at_once=at_once)
    ((ran, outcomes),) = found

    assert ran.code == 1
    assert list(outcomes) == list(TENANTS)
    applied = {tenant: await fleet.judged(tenant) for tenant in TENANTS}
    for tenant, outcome in outcomes.items():
        assert (outcome["state"] == "succeeded") == (applied[tenant] == ALL), ran.err
    assert [applied[tenant] for tenant in SLOW] == [["0001"]] * len(SLOW)
    assert applied[INDEX] == ["0001", "0002"]
    assert all(applied[tenant] == ALL for tenant in DONE)
    for tenant in (INDEX, *SLOW):
        assert outcomes[tenant]["state"] == "failed"
        assert outcomes[tenant]["error"]["type"] == "ConnectionLost"
        assert "Run the command again" in outcomes[tenant]["error"]["next_step"]

    # The command that it names does the rest, and nothing else.
    rest = [tenant for tenant in TENANTS if applied[tenant] != ALL]
    words = shlex.split(ran.err.splitlines()[-1])
    assert words == ["dbwarden", "migrate", *(w for t in rest for w in ("-d", f"tenant_{t}"))]
    for tenant in SLOW:
        async with admin(fleet.url(tenant)) as connection:
            await connection.execute("TRUNCATE naps")
    again, outcomes = await fleet.migrate(*words[2:])
    assert again.code == 0, again.err
    for tenant in rest:
        did = [item["key"] for item in outcomes[tenant]["result"]["applied"]]
        assert did == ALL[len(applied[tenant]) :]
    assert [await fleet.judged(tenant) for tenant in TENANTS] == [ALL] * len(TENANTS)
    assert (await command(fleet.root, "check", "--all")).code == 0
