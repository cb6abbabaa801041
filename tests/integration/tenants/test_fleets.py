"""Hundreds of tenants as one fleet, on a server and in files."""

import json
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import asyncpg
import pytest

import dbwarden
from dbwarden import fleet
from dbwarden.config.loading import load_project
from dbwarden.config.project import Project
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer, embedded_server
from dbwarden.errors import UnknownDatabase
from dbwarden.files.folder import read_folder
from dbwarden.operations import operation as target
from dbwarden.operations.check import check
from tests.commands import Ran, migration
from tests.commands import dbwarden as command

TENANTS = 120
BROKEN = "t007"

ON_SERVER = """
import asyncpg
from pathlib import Path
from dbwarden import database_config, tenant_databases

database_config(database_name="primary", database_url="{primary}", default=True)

async def listed():
    with Path(__file__).with_name("asked").open("a") as file:
        file.write("once\\n")
    connection = await asyncpg.connect("{primary}")
    try:
        return [row["id"] for row in await connection.fetch("SELECT id FROM tenants ORDER BY id")]
    finally:
        await connection.close()

tenant_databases(name="tenant_{{tenant_id}}", database_url="{pattern}", tenants=listed)
"""


@dataclass(frozen=True, slots=True)
class Fleet:
    """A project with a primary that lists its tenants, each with a database of its own."""

    root: Path
    server: EmbeddedServer

    def url(self, tenant: str) -> str:
        return self.server.url(f"app_{tenant}")

    async def on(self, tenant: str, sql: str) -> Any:
        connection = await asyncpg.connect(self.url(tenant))
        try:
            return await connection.fetchval(sql)
        finally:
            connection.terminate()

    async def run(self, *arguments: str) -> Ran:
        """Run the command; it asked for the list of tenants at most once."""
        asked = anyio.Path(self.root / "asked")
        await asked.unlink(missing_ok=True)
        ran = await command(self.root, *arguments)
        if await asked.exists():
            assert await asked.read_text() == "once\n"
        return ran

    async def never_asked(self) -> bool:
        return not await anyio.Path(self.root / "asked").exists()


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of databases are tens of thousands of files: in memory, where there is room."""
    memory = Path("/dev/shm")
    if memory.is_dir() and shutil.disk_usage(memory).free > 6 * 2**30:
        monkeypatch.setattr(tempfile, "tempdir", str(memory))


@pytest.fixture
async def on_server(tmp_path: Path, room: None) -> AsyncGenerator[Fleet]:
    # A server of its own: to stop it takes less than to drop hundreds of databases.
    async with embedded_server(tcp=True) as server:
        made = Fleet(tmp_path, server)
        pattern = made.url("tenant_id").replace("tenant_id", "{tenant_id}")
        text = ON_SERVER.format(primary=made.url("primary"), pattern=pattern)
        await anyio.Path(tmp_path / "dbwarden.py").write_text(text)
        upgrade = "CREATE TABLE tenants (id text PRIMARY KEY);"
        migration(tmp_path, "primary", "0001_tenants", upgrade)
        migration(tmp_path, "tenant", "0001_users", "CREATE TABLE users (id int);")
        yield made


def states(ran: Ran) -> dict[str, int]:
    summary: dict[str, int] = ran.json["summary"]
    return summary


@pytest.mark.long
async def test_many_tenants_are_created_migrated_and_repaired_together(
    on_server: Fleet,
) -> None:
    # The database that lists the tenants is made first, and nobody asks it for them meanwhile.
    assert (await on_server.run("create-database")).code == 0
    assert (await on_server.run("migrate", "-d", "primary")).code == 0
    assert await on_server.never_asked()
    ran = await on_server.run("migrate", "-d", "tenant_*")
    assert (ran.code, ran.out) == (0, "")

    # A template, and all tenants as copies of it.
    ran = await on_server.run("create-database", "-d", "tenant_template")
    assert ran.code == 0, ran.err
    ids = f"SELECT 't' || lpad(n::text, 3, '0') FROM generate_series(1, {TENANTS}) n"
    await on_server.on("primary", f"INSERT INTO tenants {ids}")
    copied = ("--template", "app_template", "--json")
    ran = await on_server.run("create-database", "-d", "tenant_*", *copied)
    assert states(ran) == {"succeeded": TENANTS}, ran.err
    assert all(item["result"]["migrated"]["applied"] == [] for item in ran.json["databases"])
    ran = await on_server.run("databases", "--json")
    assert [item["count"] for item in ran.json["tenants"]] == [None]
    ran = await on_server.run("databases", "--tenants")
    assert len(ran.out.splitlines()) == 1 + 1 + TENANTS

    # One tenant is broken: with --keep-going all others are done, and the manifest says which not.
    migration(on_server.root, "tenant", "0002_orders", "CREATE TABLE orders ();")
    await on_server.on(BROKEN, "CREATE TABLE orders ()")
    ran = await on_server.run("migrate", "--all", "--report", "manifest.json")
    assert ran.code == 1
    assert f"{TENANTS} of {TENANTS + 1} databases done. For the rest:" in ran.err
    assert f"dbwarden migrate -d tenant_{BROKEN}" in ran.err
    manifest = json.loads(await anyio.Path(on_server.root / "manifest.json").read_text())
    assert manifest["summary"] == {"failed": 1, "succeeded": TENANTS}
    (failed,) = [item for item in manifest["databases"] if item["state"] == "failed"]
    assert (failed["database"], failed["error"]["line"]) == (f"tenant_{BROKEN}", 2)
    assert failed["error"]["database"] == f"tenant_{BROKEN}"

    # Fail-fast stops the rest; running it again when it is mended does the rest.
    migration(on_server.root, "tenant", "0003_items", "CREATE TABLE items ();")
    few = ("--concurrency", "4", "--fail-fast")
    ran = await on_server.run("migrate", "-d", "tenant_*", *few, "--json")
    assert states(ran)["failed"] == 1
    assert states(ran)["not_started"] > TENANTS / 2
    assert ran.code == 1
    done = states(ran).get("succeeded", 0)
    assert sum([bool(item["result"]) for item in ran.json["databases"]]) == done
    await on_server.on(BROKEN, "DROP TABLE orders")
    shards = [
        await on_server.run("migrate", "-d", "tenant_*", "--shard", f"{n}/3", "--json")
        for n in (1, 2, 3)
    ]
    names = [item["database"] for ran in shards for item in ran.json["databases"]]
    assert len(names) == len(set(names)) == TENANTS
    assert all(states(ran) == {"succeeded": len(ran.json["databases"])} for ran in shards)
    ran = await on_server.run("check", "--all")
    assert ran.code == 0, ran.err


@dataclass
class Directory:
    """Who the tenants of a program are, and how often it was asked."""

    ids: list[str]
    asked: int = 0

    async def listed(self) -> list[str]:
        self.asked += 1
        return list(self.ids)


@pytest.fixture
def in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Project, Directory]:
    """A program whose tenants have a file each; a module of it knows who they are."""
    directory = Directory([f"n{number}" for number in range(50)])
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(fleet, "directory", directory, raising=False)
    (tmp_path / "data").mkdir()
    (tmp_path / "dbwarden.py").write_text(
        """
from dbwarden import fleet, tenant_databases

tenant_databases(
    name="tenant_{tenant_id}",
    database_url="sqlite:///data/{tenant_id}.db",
    tenants=fleet.directory.listed,
)
"""
    )
    migration(tmp_path, "tenant", "0001_users", "CREATE TABLE users (id);", "DROP TABLE users;")
    monkeypatch.chdir(tmp_path)
    return load_project(), directory


async def test_a_program_migrates_its_tenants_and_a_new_one_without_a_restart(
    in_files: tuple[Project, Directory],
) -> None:
    project, directory = in_files
    await project.expand(all_databases=True)
    outcomes = await dbwarden.migrate_all(project.databases)
    assert len(outcomes) == 50 and all(outcome.succeeded for outcome in outcomes)
    assert directory.asked == 1
    assert (await dbwarden.status("tenant_n7")).version == "0001"

    directory.ids.append("late")
    await project.refresh()
    assert (await dbwarden.create_database("tenant_late")).created
    assert (await dbwarden.status("tenant_late")).clean
    directory.ids.remove("n0")
    await project.refresh()
    with pytest.raises(UnknownDatabase):
        await dbwarden.status("tenant_n0")
    assert directory.asked == 3


async def test_each_tenant_has_its_own_history(in_files: tuple[Project, Directory]) -> None:
    await dbwarden.migrate("tenant_n1")
    await dbwarden.migrate("tenant_n2")
    await dbwarden.rollback("tenant_n1")
    assert (await dbwarden.status("tenant_n1")).pending == ("0001",)
    assert (await dbwarden.status("tenant_n2")).pending == ()
    assert (await dbwarden.status("tenant_n3")).pending == ("0001",)


@pytest.mark.long
async def test_a_thousand_tenants_read_their_folder_once(
    in_files: tuple[Project, Directory], monkeypatch: pytest.MonkeyPatch
) -> None:
    project, directory = in_files
    directory.ids = [f"n{number}" for number in range(1000)]
    await project.expand(all_databases=True)
    read: list[Path] = []

    def counting(path: Path, *more: Any) -> Any:
        read.append(path)
        return read_folder(path, *more)

    monkeypatch.setattr(target, "read_folder", counting)
    outcomes = await fleet.run(check, project.databases)
    assert {outcome.state for outcome in outcomes} == {fleet.OutcomeState.SUCCEEDED}
    assert [outcome.result.status.pending for outcome in outcomes if outcome.result] == [
        ("0001",)
    ] * 1000
    assert read == [project.root / "migrations" / "tenant"]


async def test_migrations_are_written_once_for_all(in_files: tuple[Project, Directory]) -> None:
    project, directory = in_files
    by_family = await dbwarden.new(project.author("tenant"), message="add orders")
    assert by_family.path.name == "tenant__0002_add_orders.sql"
    ran = await command(project.root, "new", "-d", "tenant_n1", "-m", "more")
    assert ran.code == 2  # the list lives in this process only
    assert directory.asked == 0
