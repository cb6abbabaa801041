"""Where the two sides come from, and where scratch databases are made."""

from dataclasses import replace
from pathlib import Path

import pytest

from dbwarden.errors import StatementFailed, UsageError
from dbwarden.operations.diff import drift
from dbwarden.operations.make_migrations import make_migrations
from dbwarden.operations.migrate import migrate
from tests.integration.authoring.conftest import Project

USERS = """
class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str | None]
"""


async def test_from_live_compares_with_what_the_database_has(project: Project) -> None:
    project.models(USERS)
    await project.fetch("CREATE TABLE users (id serial PRIMARY KEY)")
    result = await project.make("catch up", from_live=True, sql=True)
    assert result.sql is not None
    upgrade, _, rollback = result.sql.partition("-- rollback")
    assert "ADD COLUMN email" in upgrade
    assert "CREATE TABLE" not in upgrade
    assert "DROP COLUMN email" in rollback
    assert (result.proven, result.path) == (True, None)


async def test_schema_paths_and_models_are_the_whole_truth_together(project: Project) -> None:
    project.models(USERS)
    folder = project.file(
        "sql/functions.sql",
        "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1';\n",
    ).parent
    project.options["schema_paths"] = (folder,)
    text = await project.made("users and a function")
    assert "CREATE FUNCTION" in text
    assert "CREATE TABLE users" in text
    project.file("sql/functions.sql", "SELECT 1;\n")
    assert "DROP FUNCTION" in await project.made("no function")


async def test_files_name_no_namespace_that_the_url_says(project: Project) -> None:
    project.models(
        USERS
        + """
event.listen(Base.metadata, "before_create", DDL(
    "CREATE FUNCTION calm() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'"))
for text in ("CREATE TRIGGER calm BEFORE UPDATE ON users FOR EACH ROW EXECUTE PROCEDURE calm()",
             "CREATE RULE still AS ON DELETE TO users DO INSTEAD NOTHING"):
    event.listen(Base.metadata, "after_create", DDL(text))
"""
    )
    await project.fetch("CREATE SCHEMA tenant")
    url = f"{project.server.url(project.database)}?options=-csearch_path%3Dtenant,public"
    config = replace(project.config, database_url=url)
    made = await make_migrations(config, message="users")
    assert made.sql is not None
    for words in ("TABLE users", "FUNCTION calm()", "ON users", "TO users"):
        assert f" {words}" in made.sql
    assert "tenant" not in made.sql
    assert "public" not in made.sql
    await migrate(config)
    assert (await drift(config)).clean
    assert (await make_migrations(config, message="none")).agree
    ((table,),) = await project.fetch("SELECT to_regclass('tenant.users')::text")
    assert table == "tenant.users"
    assert (await make_migrations(project.config, message="none")).agree  # public, the same files


async def test_schema_paths_need_no_models(project: Project) -> None:
    path = project.file("schema.sql", "CREATE TABLE plain (id bigint PRIMARY KEY, a text);\n")
    project.options["schema_paths"] = (path,)
    assert "CREATE TABLE plain" in await project.made("plain")


async def test_what_scratch_setup_makes_is_there_on_both_sides(project: Project) -> None:
    setup = "CREATE FUNCTION shared() RETURNS int LANGUAGE sql AS 'SELECT 7'"
    project.options["scratch_setup"] = project.file("scratch.sql", f"{setup};\n")
    await project.fetch(setup)
    project.models(
        USERS.replace("[str | None]", "[int] = mapped_column(server_default=text('shared()'))")
    )
    text = await project.made("users")
    assert "DEFAULT shared()" in text
    assert "CREATE FUNCTION" not in text


async def test_scratch_setup_may_make_roles_and_is_named_where_it_fails(project: Project) -> None:
    project.options["scratch"] = "embedded"
    setup = project.file("scratch.sql", "CREATE ROLE app_owner;\nCREATE SCHEMA ours;\n")
    project.options["scratch_setup"] = setup
    project.models(
        USERS
        + """
event.listen(Base.metadata, "after_create", DDL("CREATE POLICY p ON users TO app_owner"))
"""
    )
    result = await project.make("users")
    assert "CREATE POLICY p ON users" in (result.sql or "")
    assert "SCHEMA" not in (result.sql or "")
    setup.write_text("SELECT 1;\nCREATE TABL odd();\n")
    with pytest.raises(StatementFailed, match="syntax error") as caught:
        await project.make("more")
    place = caught.value.location
    assert place is not None and (place.path, place.line) == (setup, 2)
    setup.unlink()
    with pytest.raises(UsageError, match="scratch_setup cannot be read: No such file") as missing:
        await project.make("more")
    assert missing.value.next_step


async def test_roles_that_migrations_name_are_made_in_the_embedded_server(
    project: Project,
) -> None:
    project.options["scratch"] = "embedded"
    project.models(USERS)
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
    project.models(USERS)
    assert (await project.make("users")).proven
    names = "SELECT datname FROM pg_database WHERE datname LIKE 'dbwarden\\_scratch\\_%'"
    left = {row["datname"] for row in await project.fetch(names)}
    await project.fetch(f"DROP DATABASE {fresh}")
    assert fresh in left
    assert stale not in left


@pytest.mark.usefixtures("no_binaries")
async def test_a_stale_database_of_another_role_is_in_nobodys_way(project: Project) -> None:
    stale, role = "dbwarden_scratch_1000_1_abcd_1", f"maker_of_{project.database}"
    await project.fetch(f"CREATE DATABASE {stale} TEMPLATE template0")
    await project.fetch(f"CREATE ROLE {role} LOGIN CREATEDB")
    project.options["scratch"] = project.server.url("postgres").replace("postgres@", f"{role}@")
    project.models(USERS)
    try:
        assert (await project.make("users")).proven
        assert await project.fetch(f"SELECT 1 FROM pg_database WHERE datname = '{stale}'")
        made = f"SELECT 1 FROM pg_database WHERE pg_get_userbyid(datdba) = '{role}'"
        assert not await project.fetch(made)
    finally:
        await project.fetch(f"DROP DATABASE {stale}")
        await project.fetch(f"DROP ROLE {role}")


@pytest.mark.usefixtures("no_binaries")
async def test_a_role_that_may_not_create_databases_is_told_the_choices(project: Project) -> None:
    role = f"poor_of_{project.database}"
    await project.fetch(f"CREATE ROLE {role} LOGIN")
    project.options["scratch"] = "auto"
    project.models(USERS)
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
    project.models(USERS)
    url = project.server.url("postgres").replace("postgres@", f"{role}@")
    with pytest.raises(UsageError, match=f"the role {role} may not create") as caught:
        await project.with_options(scratch=url).make("users")
    assert f'ALTER ROLE "{role}" CREATEDB' in (caught.value.next_step or "")
    await project.fetch(f"DROP ROLE {role}")


@pytest.mark.usefixtures("no_binaries")
async def test_the_server_of_a_production_database_is_left_alone(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    project.options["scratch"] = "auto"
    project.models(USERS)
    with pytest.raises(UsageError, match="ENVIRONMENT is production") as caught:
        await project.make("users")
    assert "dbwarden[scratch]" in str(caught.value.next_step)


async def test_what_models_say_that_the_server_refuses_is_named(project: Project) -> None:
    project.models(
        USERS
        + """
class Post(Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    author: Mapped[str] = mapped_column(ForeignKey("users.email"))
"""
    )
    with pytest.raises(StatementFailed, match="no unique constraint") as caught:
        await project.make("posts")
    assert "CREATE TABLE posts" in (caught.value.statement or "")


async def test_two_databases_of_one_base_each_get_their_own_tables(project: Project) -> None:
    base = (
        "from sqlalchemy.orm import *\nfrom sqlalchemy import *\nclass Base(DeclarativeBase): ...\n"
    )
    name = f"shop_of_{project.database}"
    project.file(f"{name}/__init__.py", "")
    project.file(f"{name}/base.py", base)
    for module in ("orders", "events"):
        project.file(
            f"{name}/{module}.py",
            f"from {name}.base import *\n"
            f"tags = Table('{module}_tags', Base.metadata,\n"
            f"    Column('owner', ForeignKey('{module}.id'), primary_key=True))\n"
            f"class One(Base):\n    __tablename__ = '{module}'\n"
            "    id: Mapped[int] = mapped_column(primary_key=True)\n"
            "    done: Mapped[bool] = mapped_column(Boolean)\n"
            f"    mood: Mapped[str] = mapped_column(Enum('a', name='{module}_mood'))\n",
        )
    project.options["model_paths"] = (f"{name}.events",)
    text = await project.made("events")
    assert "CREATE TABLE events_tags" in text
    assert "events_mood" in text
    assert "orders" not in text
    project.options["model_paths"] = (f"{name}.orders",)
    result = await project.make("orders", sql=True, allow_drop=("events", "events_tags"))
    assert "CREATE TABLE orders_tags" in (result.sql or "")


async def test_a_table_whose_module_is_not_named_is_told_with_it(project: Project) -> None:
    name = f"shop_of_{project.database}"
    project.file(f"{name}/__init__.py", "")
    base = "from sqlalchemy import *\nmetadata = MetaData()\n"
    project.file(f"{name}/tags.py", f"{base}tags = Table('tags', metadata, Column('a', Text))\n")
    project.file(
        f"{name}/users.py",
        f"from {name}.tags import metadata\nfrom sqlalchemy import *\n"
        "users = Table('users', metadata, Column('id', Integer))\n",
    )
    project.options["model_paths"] = (name,)
    await project.made("all")
    project.options["model_paths"] = (f"{name}.users",)
    words = rf"data: tags \({name}\.tags defines it, but model_paths does not name that module"
    with pytest.raises(UsageError, match=words):
        await project.make("fewer")
    result = await project.make("fewer", allow_drop=("tags",))
    assert [str(it) for it in result.left_out] == [f"table tags ({name}.tags is in no model_paths)"]
    assert (await project.make("none")).left_out == result.left_out
