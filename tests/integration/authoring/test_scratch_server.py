"""The server on which scratch databases are created."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from dbwarden.errors import ConnectError, UsageError
from dbwarden.operations.make_migrations import make_migrations
from tests.integration.authoring.conftest import Project
from tests.integration.authoring.user_model import USER_MODEL


async def test_roles_of_migrations_are_created_in_the_embedded_server(
    project: Project,
) -> None:
    project.options["scratch"] = "embedded"
    project.models(USER_MODEL)
    role = f"reader_of_{project.database}"
    project.migration(
        1,
        "-- upgrade\nCREATE TABLE users (id serial PRIMARY KEY, email varchar);\n"
        f"GRANT SELECT ON users TO {role};\n\n-- rollback\nDROP TABLE users;\n",
    )
    assert (await project.make("nothing")).agree


@pytest.fixture
def no_binaries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on a machine without any PostgreSQL programs."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("DBWARDEN_POSTGRES_BIN", str(tmp_path / "bin"))


@pytest.mark.usefixtures("no_binaries")
async def test_without_programs_the_configured_server_serves_and_stale_databases_go(
    project: Project,
) -> None:
    stale, fresh = "dbwarden_scratch_1000_1_abcd_0", "dbwarden_scratch_99999999999_1_abcd_0"
    for name in (stale, fresh):
        await project.fetch(f"CREATE DATABASE {name} TEMPLATE template0")
    project.options["scratch"] = "auto"
    project.models(USER_MODEL)
    assert (await project.make("users")).proven
    names = "SELECT datname FROM pg_database WHERE datname LIKE 'dbwarden\\_scratch\\_%'"
    left = {row["datname"] for row in await project.fetch(names)}
    await project.fetch(f"DROP DATABASE {fresh}")
    assert fresh in left
    assert stale not in left


@pytest.mark.usefixtures("no_binaries")
async def test_a_stale_database_of_another_role_is_ignored(project: Project) -> None:
    stale, role = "dbwarden_scratch_1000_1_abcd_1", f"maker_of_{project.database}"
    await project.fetch(f"CREATE DATABASE {stale} TEMPLATE template0")
    await project.fetch(f"CREATE ROLE {role} LOGIN CREATEDB")
    project.options["scratch"] = project.server.url("postgres").replace("postgres@", f"{role}@")
    project.models(USER_MODEL)
    try:
        assert (await project.make("users")).proven
        assert await project.fetch(f"SELECT 1 FROM pg_database WHERE datname = '{stale}'")
        made = f"SELECT 1 FROM pg_database WHERE pg_get_userbyid(datdba) = '{role}'"
        assert not await project.fetch(made)
    finally:
        await project.fetch(f"DROP DATABASE {stale}")
        await project.fetch(f"DROP ROLE {role}")


@pytest.mark.usefixtures("no_binaries")
async def test_a_role_without_createdb_gets_the_choices(project: Project) -> None:
    role = f"poor_of_{project.database}"
    await project.fetch(f"CREATE ROLE {role} LOGIN")
    project.options["scratch"] = "auto"
    project.models(USER_MODEL)
    url = project.server.url(project.database).replace("postgres@", f"{role}@")
    config = replace(project.config, database_url=url)
    try:
        with pytest.raises(UsageError, match="the role may not create databases") as caught:
            await make_migrations(config, message="users")
    finally:
        await project.fetch(f"DROP ROLE {role}")
    for choice in ("dbwarden[scratch]", "scratch='postgresql://...'", "CREATEDB"):
        assert choice in str(caught.value.next_step)


async def test_a_scratch_role_that_may_not_create_databases_is_named(project: Project) -> None:
    role = f"poor_{project.database}"
    await project.fetch(f"CREATE ROLE {role} LOGIN")
    project.models(USER_MODEL)
    url = project.server.url("postgres").replace("postgres@", f"{role}@")
    with pytest.raises(UsageError, match=f"the role {role} may not create") as caught:
        await project.with_options(scratch=url).make("users")
    assert f'ALTER ROLE "{role}" CREATEDB' in (caught.value.next_step or "")
    await project.fetch(f"DROP ROLE {role}")


async def test_a_silent_scratch_server_is_an_error_within_the_timeout(project: Project) -> None:
    project.models(USER_MODEL)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://ann@127.0.0.1:{silent.getsockname()[1]}/postgres"
        with pytest.raises(ConnectError, match=r"did not answer within 0\.2 s"):
            await project.with_options(scratch=url, connect_timeout=0.2).make("users")


@pytest.mark.usefixtures("no_binaries")
async def test_the_server_of_a_production_database_is_left_alone(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    project.options["scratch"] = "auto"
    project.models(USER_MODEL)
    with pytest.raises(UsageError, match="ENVIRONMENT is production") as caught:
        await project.make("users")
    assert "dbwarden[scratch]" in str(caught.value.next_step)
