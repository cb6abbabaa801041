"""Objects of ``scratch_setup`` may be used by models and are not compared."""

from dataclasses import replace
from pathlib import Path

import pytest

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import ConfigurationError, StatementFailed, UsageError
from dbwarden.operations.diff import check_models, drift
from dbwarden.operations.generate_models import generate_models
from dbwarden.operations.make_migrations import make_migrations
from dbwarden.operations.migrate import migrate
from dbwarden.operations.schema import adopt, schema_sql
from dbwarden.types import DatabaseName
from tests.integration.authoring.conftest import IMPORTS, Project
from tests.integration.authoring.user_model import USER_MODEL

SETUP = """
CREATE SCHEMA auth;
CREATE TYPE auth.level AS ENUM ('low', 'high');
CREATE TABLE auth.users (id uuid PRIMARY KEY, email text, number serial, level auth.level);
CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS 'SELECT NULL::uuid';
"""
SUPABASE = """
CREATE SCHEMA auth;
CREATE TYPE auth.level AS ENUM ('low', 'middle', 'high');
CREATE TABLE auth.users (id uuid PRIMARY KEY, email varchar(255), number serial,
    level auth.level, phone text UNIQUE);
CREATE TABLE auth.sessions (id serial PRIMARY KEY, user_id uuid REFERENCES auth.users);
CREATE INDEX ix_sessions ON auth.sessions (user_id);
CREATE VIEW auth.active AS SELECT id FROM auth.sessions;
CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS 'SELECT gen_random_uuid()';
CREATE FUNCTION auth.role() RETURNS text LANGUAGE sql AS 'SELECT ''a''';
"""
PROFILE = """
class Profile(Base):
    __tablename__ = "profiles"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner = mapped_column(ForeignKey("auth.users.id", ondelete="CASCADE"))
"""
USERS = """
users = Table(
    "users",
    Base.metadata,
    Column("id", Uuid, primary_key=True),
    Column("level", Enum("low", "high", name="level", schema="auth")),
    schema="auth",
)
"""


@pytest.fixture
async def supabase(project: Project) -> Project:
    project.options["scratch_setup"] = project.file("setup.sql", SETUP)
    for statement in filter(str.strip, SUPABASE.split(";\n")):
        await project.fetch(statement)
    return project


@pytest.mark.parametrize("users", ["", USERS], ids=["not defined", "defined"])
async def test_foreign_keys_may_refer_to_objects_of_scratch_setup(
    users: str, supabase: Project
) -> None:
    supabase.models(users + PROFILE)
    text = await supabase.made("profiles")
    assert "owner uuid" in text.lower() and "REFERENCES auth.users (id) ON DELETE CASCADE" in text
    assert "CREATE TABLE auth" not in text and "CREATE SCHEMA" not in text
    assert "TYPE auth" not in text
    for _ in range(2):
        assert (await check_models(supabase.config)).clean
        assert (await drift(supabase.config)).differences == ()
        assert (await drift(supabase.config, models=True)).differences == ()


async def test_a_table_of_another_module_may_be_one_of_scratch_setup(supabase: Project) -> None:
    supabase.file("shop_base.py", IMPORTS + USERS)
    supabase.models(PROFILE, base="from shop_base import *\n")
    result = await supabase.make("profiles")
    assert result.proven and "REFERENCES auth.users (id)" in (result.sql or "")
    assert result.left_out == ()


async def test_a_misspelled_table_is_still_an_error(supabase: Project) -> None:
    supabase.models(PROFILE.replace("auth.users", "auth.user"))
    with pytest.raises(ConfigurationError, match=r"leads to auth\.user, which no module") as caught:
        await check_models(supabase.config)
    assert "scratch_setup" in (caught.value.next_step or "")


async def test_generated_models_refer_to_objects_of_scratch_setup(supabase: Project) -> None:
    await supabase.fetch(
        "CREATE TABLE profiles (id serial PRIMARY KEY, owner uuid DEFAULT auth.uid() "
        "REFERENCES auth.users, level auth.level)"
    )
    await supabase.fetch("CREATE VIEW mine AS SELECT p.id, email FROM profiles p, auth.users u")
    for _ in range(2):
        made = await generate_models(supabase.config)
        assert made.tables == 1
        assert "sessions" not in made.code and "CREATE SCHEMA auth" not in made.code
        compile(made.code, "models.py", "exec")
    path = supabase.file("models_generated.py", "")
    path.write_text(made.code, encoding="utf-8")
    config = replace(supabase.config, model_paths=("models_generated.py",))
    assert (await drift(config, models=True)).differences == ()
    result = await make_migrations(config, message="first")
    assert result.proven and "CREATE TABLE profiles" in (result.sql or "")
    assert "TABLE auth" not in (result.sql or "")


async def test_baseline_and_schema_leave_objects_of_scratch_setup_out(supabase: Project) -> None:
    await supabase.fetch("CREATE TABLE profiles (id int PRIMARY KEY)")
    sql = (await schema_sql(supabase.config, live=True)).sql
    assert "profiles" in sql and "auth" not in sql
    text = (await adopt(supabase.config)).path.read_text("utf-8")
    assert "profiles" in text and "auth" not in text
    assert (await drift(supabase.config)).clean


async def test_additions_of_migrations_to_its_tables_are_compared(supabase: Project) -> None:
    supabase.migration(
        1,
        """
        -- upgrade
        CREATE FUNCTION welcome() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;
        CREATE TRIGGER welcome AFTER INSERT ON auth.users
            FOR EACH ROW EXECUTE FUNCTION welcome();
        CREATE TABLE auth.ours (id int PRIMARY KEY);
        """,
    )
    found = {item.what for item in (await drift(supabase.config)).differences}
    assert {"trigger welcome on auth.users", "table auth.ours"} <= found
    await supabase.migrate()
    found = {item.what for item in (await drift(supabase.config)).differences}
    assert not any("welcome" in what or "users" in what or "ours" in what for what in found)


async def test_sqlite_leaves_tables_of_other_tools_alone(project: Project, tmp_path: Path) -> None:
    project.models(
        """
class Profile(Base):
    __tablename__ = "profiles"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner = mapped_column(Integer, ForeignKey("accounts.id"))
"""
    )
    config = DatabaseConfig(
        database_name=DatabaseName("lite"),
        database_type="sqlite",
        database_url=f"sqlite:///{tmp_path / 'lite.db'}",
        root=tmp_path,
        migrations_dir=tmp_path / "migrations" / "lite",
        model_paths=project.config.model_paths,
        scratch_setup=project.file("setup.sql", "CREATE TABLE accounts (id INTEGER PRIMARY KEY);"),
    )
    made = await make_migrations(config, message="first")
    assert made.proven and "CREATE TABLE accounts" not in (made.sql or "")
    await migrate(config)
    assert (await check_models(config)).clean
    assert (await drift(config)).clean
    code = (await generate_models(config)).code
    assert "accounts" in code


async def test_objects_of_scratch_setup_are_on_both_sides(project: Project) -> None:
    setup = "CREATE FUNCTION shared() RETURNS int LANGUAGE sql AS 'SELECT 7'"
    project.options["scratch_setup"] = project.file("scratch.sql", f"{setup};\n")
    await project.fetch(setup)
    project.models(
        USER_MODEL.replace("[str | None]", "[int] = mapped_column(server_default=text('shared()'))")
    )
    text = await project.made("users")
    assert "DEFAULT shared()" in text
    assert "CREATE FUNCTION" not in text


async def test_scratch_setup_may_create_roles_and_is_named_in_errors(project: Project) -> None:
    project.options["scratch"] = "embedded"
    setup = project.file("scratch.sql", "CREATE ROLE app_owner;\nCREATE SCHEMA ours;\n")
    project.options["scratch_setup"] = setup
    project.models(
        USER_MODEL
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
