"""The schemas that a migration is made of: live database, schema files and models."""

from dataclasses import replace

import pytest

from dbwarden.errors import StatementFailed, UsageError
from dbwarden.operations.diff import drift
from dbwarden.operations.make_migrations import make_migrations
from dbwarden.operations.migrate import migrate
from tests.integration.authoring.conftest import Project
from tests.integration.authoring.user_model import USER_MODEL


async def test_from_live_compares_with_the_live_database(project: Project) -> None:
    project.models(USER_MODEL)
    await project.fetch("CREATE TABLE users (id serial PRIMARY KEY)")
    result = await project.make("catch up", from_live=True, sql=True)
    assert result.sql is not None
    upgrade, _, rollback = result.sql.partition("-- rollback")
    assert "ADD COLUMN email" in upgrade
    assert "CREATE TABLE" not in upgrade
    assert "DROP COLUMN email" in rollback
    assert (result.proven, result.path) == (True, None)


async def test_schema_paths_and_models_are_combined(project: Project) -> None:
    project.models(USER_MODEL)
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


async def test_files_omit_the_namespace_of_the_url(project: Project) -> None:
    project.models(
        USER_MODEL
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


async def test_a_model_that_the_server_refuses_is_named(project: Project) -> None:
    project.models(
        USER_MODEL
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


async def test_a_table_of_an_undeclared_module_is_reported_with_the_module(
    project: Project,
) -> None:
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
