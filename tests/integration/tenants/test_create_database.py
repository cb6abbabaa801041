"""Databases are created on their server, from a template on request, and migrated."""

import sqlite3
import uuid
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import pytest

import dbwarden
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from dbwarden.errors import AccessDenied, DatabaseExists, StatementFailed, UsageError
from dbwarden.operations.create_database import CreateDatabaseResult, create_database
from dbwarden.operations.status import status
from tests import commands
from tests.commands import migration
from tests.conftest import MakeConfig
from tests.urls import revealed


@pytest.fixture
def absent(postgres_server: EmbeddedServer, make_config: MakeConfig) -> DatabaseConfig:
    """A database that is configured and does not exist, with one migration."""
    config = make_config(postgres_server.url(f"absent_{uuid.uuid4().hex[:8]}"))
    migration(config.root, "primary", "0001_users", "CREATE TABLE users ();")
    return config


async def ask(config: DatabaseConfig, query: str) -> object:
    connection = await asyncpg.connect(revealed(config.database_url))
    try:
        return await connection.fetchval(query)
    finally:
        connection.terminate()


async def test_a_database_is_created_and_migrated(absent: DatabaseConfig) -> None:
    result = await create_database(absent)
    assert result.created and result.migrated is not None
    assert [run.key for run in result.migrated.applied] == ["0001"]
    assert (await status(absent)).clean
    assert await ask(absent, "SELECT to_regclass('users')::text") == "users"


async def test_a_new_database_can_be_left_empty(absent: DatabaseConfig) -> None:
    result = await create_database(absent, migrate=False)
    assert result == CreateDatabaseResult(
        database=absent.database_name, created=True, migrated=None
    )
    assert await ask(absent, "SELECT to_regclass('users')::text") is None


async def test_an_existing_database_is_left_alone_or_only_migrated(absent: DatabaseConfig) -> None:
    await create_database(absent, migrate=False)
    with pytest.raises(DatabaseExists) as caught:
        await create_database(absent)
    assert "exists already" in caught.value.message
    assert caught.value.next_step == "Apply what is pending with: dbwarden migrate -d primary"
    assert await ask(absent, "SELECT to_regclass('users')::text") is None

    result = await create_database(absent, if_not_exists=True)
    assert not result.created and result.migrated is not None
    assert result.migrated.version == "0001"


async def test_two_concurrent_creations_both_succeed(absent: DatabaseConfig) -> None:
    results: list[CreateDatabaseResult] = []

    async def make() -> None:
        results.append(await create_database(absent, if_not_exists=True))

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(make)
    assert sorted(result.created for result in results) == [False] * 4 + [True]
    assert (await status(absent)).applied == ("0001",)


async def test_a_new_database_is_a_copy_of_the_template_with_its_history(
    absent: DatabaseConfig, postgres_server: EmbeddedServer
) -> None:
    name = f"template_{uuid.uuid4().hex[:8]}"
    template = replace(absent, database_url=postgres_server.url(name))
    await create_database(template)
    await anyio.to_thread.run_sync(
        lambda: migration(absent.root, "primary", "0002_more", "CREATE TABLE more ();")
    )
    result = await create_database(absent, template=name)
    assert result.migrated is not None
    assert [run.key for run in result.migrated.applied] == ["0002"]
    assert (await status(absent)).applied == ("0001", "0002")


async def test_owner_and_encoding_are_respected(
    absent: DatabaseConfig, postgres_server: EmbeddedServer
) -> None:
    owner = f'own"er {uuid.uuid4().hex[:8]}'
    await postgres_server.execute('CREATE ROLE "{}"'.format(owner.replace('"', '""')))
    await create_database(absent, owner=owner, encoding="LATIN1")
    query = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
    assert await ask(absent, query) == owner
    assert await ask(absent, "SHOW server_encoding") == "LATIN1"


@pytest.mark.parametrize("name", ['it"s', "it's", "it; DROP DATABASE postgres", "\u00fcber"])
async def test_a_name_is_only_ever_a_name(
    absent: DatabaseConfig, postgres_server: EmbeddedServer, name: str
) -> None:
    odd = replace(absent, database_url=postgres_server.url(name))
    await create_database(odd)
    assert await ask(odd, "SELECT current_database()") == name
    await postgres_server.drop_database(name)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"template": "nobody"}, '"nobody" does not exist'),
        ({"owner": "nobody"}, '"nobody" does not exist'),
        ({"encoding": "KLINGON"}, "KLINGON is not a valid encoding name"),
    ],
)
async def test_an_unknown_template_owner_or_encoding_is_a_usage_error(
    absent: DatabaseConfig, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError) as caught:
        await create_database(absent, **options)
    assert words in caught.value.message


async def test_other_refusals_show_the_servers_message(absent: DatabaseConfig) -> None:
    with pytest.raises(
        StatementFailed, match="the database cannot be created: new encoding"
    ) as told:
        await create_database(absent, template="template1", encoding="LATIN1")
    assert told.value.sqlstate == "22023"


async def test_a_template_in_use_cannot_be_copied(
    absent: DatabaseConfig, postgres_server: EmbeddedServer
) -> None:
    name = f"busy_{uuid.uuid4().hex[:8]}"
    connection = await asyncpg.connect(await postgres_server.create_database(name))
    try:
        with pytest.raises(StatementFailed) as caught:
            await create_database(absent, template=name)
    finally:
        connection.terminate()
    assert "being accessed by other users" in caught.value.message
    assert f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false' in str(caught.value.next_step)


async def test_a_missing_createdb_privilege_suggests_the_grant(
    absent: DatabaseConfig, postgres_server: EmbeddedServer
) -> None:
    role = f"poor_{uuid.uuid4().hex[:8]}"
    await postgres_server.execute(f"CREATE ROLE {role} LOGIN")
    url = revealed(absent.database_url).replace("postgres@", f"{role}@")
    with pytest.raises(AccessDenied) as caught:
        await create_database(replace(absent, database_url=url))
    assert f'ALTER ROLE "{role}" CREATEDB' in str(caught.value.next_step)
    # One that is there needs no right to make it.
    await create_database(absent, migrate=False)
    with pytest.raises(DatabaseExists):
        await create_database(replace(absent, database_url=url))


async def test_the_migration_url_creates_the_database(absent: DatabaseConfig) -> None:
    pooled = replace(
        absent,
        database_url="postgresql://nobody@127.0.0.1:1/absent",
        migration_url=absent.database_url,
    )
    assert (await create_database(pooled)).created


async def test_a_server_without_a_database_postgres_is_reached_over_template1(
    absent: DatabaseConfig, postgres_server: EmbeddedServer
) -> None:
    control = await asyncpg.connect(postgres_server.url("template1"))
    try:
        await control.execute("ALTER DATABASE postgres RENAME TO elsewhere")
    finally:
        await control.close()
    try:
        assert (await create_database(absent)).created
    finally:
        control = await asyncpg.connect(postgres_server.url("template1"))
        await control.execute("ALTER DATABASE elsewhere RENAME TO postgres")
        await control.close()


async def test_a_migration_that_fails_leaves_the_database_for_the_next_run(
    absent: DatabaseConfig,
) -> None:
    path = await anyio.to_thread.run_sync(
        lambda: migration(absent.root, "primary", "0002_bad", "CREATE TABLE broken (;")
    )
    with pytest.raises(StatementFailed):
        await create_database(absent)
    assert (await status(absent)).applied == ("0001",)
    await anyio.Path(path).write_text("-- upgrade\nCREATE TABLE whole ();\n-- rollback\n")
    assert (await create_database(absent, if_not_exists=True)).migrated is not None
    assert (await status(absent)).clean


async def test_a_replica_is_not_created(absent: DatabaseConfig) -> None:
    replica = replace(absent, replica_of=absent.database_name)
    with pytest.raises(UsageError, match="created by the server's replication"):
        await create_database(replica)


# -- SQLite ---------------------------------------------------------------------------------------


def sqlite_config(make_config: MakeConfig, url: str) -> DatabaseConfig:
    config = make_config(url, database_type="sqlite")
    migration(config.root, "primary", "0001_users", "CREATE TABLE users (id);")
    return config


def tables(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as database:
        return [name for (name,) in database.execute("SELECT name FROM sqlite_master")]


@pytest.mark.parametrize(
    "url", ["sqlite:///deep/er/app.db", "sqlite:///file:deep/er/app.db?mode=rw&uri=true"]
)
async def test_sqlite_folders_and_files_are_created(make_config: MakeConfig, url: str) -> None:
    config = sqlite_config(make_config, url)
    result = await create_database(config)
    assert result.created and result.migrated is not None
    assert "users" in tables(config.root / "deep" / "er" / "app.db")
    with pytest.raises(DatabaseExists):
        await create_database(config)
    assert not (await create_database(config, if_not_exists=True)).created


async def test_sqlite_refuses_template_owner_and_encoding(make_config: MakeConfig) -> None:
    config = sqlite_config(make_config, "sqlite:///app.db")
    for option in ("template", "owner", "encoding"):
        choice: dict[str, Any] = {option: "x"}
        with pytest.raises(UsageError, match=f"a SQLite database takes no {option}"):
            await create_database(config, **choice)
    memory = sqlite_config(make_config, "sqlite://")
    with pytest.raises(UsageError, match="in memory"):
        await create_database(memory)


async def test_a_folder_that_cannot_be_created_is_reported_with_its_path(
    make_config: MakeConfig,
) -> None:
    config = sqlite_config(make_config, "sqlite:///file/app.db")
    await anyio.Path(config.root / "file").write_text("no folder")
    with pytest.raises(dbwarden.DBWardenError) as caught:
        await create_database(config)
    assert str(config.root / "file" / "app.db") in caught.value.message


# -- by name --------------------------------------------------------------------------------------

PROJECT = """
from dbwarden import database_config, tenant_databases

database_config(database_name="primary", database_url="sqlite:///primary.db", default=True)
tenant_databases(
    name="tenant_{tenant_id}", database_url="sqlite:///data/{tenant_id}/app.db", tenants=["known"]
)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "dbwarden.py").write_text(PROJECT)
    migration(tmp_path, "primary", "0001_tenants", "CREATE TABLE tenants (id);")
    migration(tmp_path, "tenant", "0001_users", "CREATE TABLE users (id);")
    return tmp_path


async def test_the_command_creates_ordinary_databases_and_tenants(project: Path) -> None:
    ran = await commands.dbwarden(project, "create-database")
    assert ran.code == 0 and "primary   created  0001     1" in ran.out
    ran = await commands.dbwarden(project, "create-database")
    assert ran.code == 1 and "exists already; it was left as it is" in ran.err
    ran = await commands.dbwarden(project, "create-database", "--if-not-exists", "--json")
    (database,) = ran.json["databases"]
    assert (ran.code, database["result"]["created"]) == (0, False)

    ran = await commands.dbwarden(project, "check", "-d", "tenant_known")
    assert "dbwarden create-database -d tenant_known" in ran.err
    ran = await commands.dbwarden(project, "create-database", "-d", "tenant_*", "--no-migrate")
    assert (ran.code, tables(project / "data" / "known" / "app.db")) == (0, [])


async def test_an_unlisted_tenant_can_be_created(project: Path) -> None:
    ran = await commands.dbwarden(project, "create-database", "-d", "tenant_new")
    assert ran.code == 0, ran.err
    assert "users" in tables(project / "data" / "new" / "app.db")
    ran = await commands.dbwarden(project, "status", "-d", "tenant_new")
    assert ran.code == 2 and "no tenant has the database 'tenant_new'" in ran.err


@pytest.mark.parametrize("bad", ["../x", "a?b", "x/../y", "a'b", "Acme", "\u00e9", "a b", ""])
async def test_no_invalid_name_creates_a_database(project: Path, bad: str) -> None:
    before = {path async for path in anyio.Path(project).rglob("*")}
    ran = await commands.dbwarden(project, "create-database", "-d", f"tenant_{bad}")
    assert ran.code == 2 and "error: " in ran.err
    after = {path async for path in anyio.Path(project).rglob("*")}
    assert {path.name for path in after - before} <= {"__pycache__"}


async def test_a_program_creates_a_database_by_name(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    result = await dbwarden.create_database("tenant_fresh")
    assert result.created
    assert (await dbwarden.create_database(if_not_exists=True)).database == "primary"
    with pytest.raises(dbwarden.DBWardenError, match="an id has small letters"):
        await dbwarden.create_database("tenant_No")
