"""Tenants share models and files, so commands write migrations once."""

import json
import textwrap
from pathlib import Path

import anyio
import asyncpg
import pytest

from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from tests.commands import dbwarden as command
from tests.commands import migration

PROJECT = """
from pathlib import Path

from dbwarden import database_config, tenant_databases

database_config(
    database_name="primary", database_url="sqlite:///primary.db", model_paths=["shop.primary"]
)
database_config(
    database_name="second", database_url="sqlite:///primary.db", replica_of="primary"
)

def listed():
    Path(__file__).with_name("asked").touch()
    return ["a", "b"]

tenant_databases(
    name="tenant_{tenant_id}",
    database_url="sqlite:///tenant_{tenant_id}.db",
    tenants=listed,
    model_paths=["shop.tenant"],
)
"""
MODELS = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Thing(Base):
    __tablename__ = "{table}"
    id: Mapped[int] = mapped_column(primary_key=True)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "dbwarden.py").write_text(PROJECT)
    (tmp_path / "shop").mkdir()
    for name in ("primary", "tenant"):
        (tmp_path / "shop" / f"{name}.py").write_text(
            textwrap.dedent(MODELS.format(table=f"{name}_things"))
        )
    return tmp_path


def files(project: Path) -> list[str]:
    return sorted(path.name for path in (project / "migrations").rglob("*.sql"))


def databases(project: Path) -> list[str]:
    return sorted(path.name for path in project.glob("*.db"))


async def test_a_family_its_pattern_and_a_tenant_mean_the_same_files(project: Path) -> None:
    ran = await command(project, "make-migrations", "-d", "tenant_*", "-m", "things", "--json")
    assert ran.code == 0, ran.err
    (made,) = ran.json["databases"]
    assert Path(made["path"]).name == "tenant__0001_things.sql"
    for words in (("make-migrations", "-m", "again"), ("schema",), ("renumber",)):
        ran = await command(project, *words, "-d", "tenant", "--json")
        assert ran.code == 0, ran.err
        assert len(ran.json["databases"]) == 1
    ran = await command(project, "check", "--models", "-d", "tenant_*", "--json")
    assert (ran.code, ran.json["summary"]) == (0, {"succeeded": 1}), ran.err

    # Only who names a tenant needs the list.
    assert not await anyio.Path(project / "asked").exists()
    ran = await command(project, "verify", "-d", "tenant_b", "-d", "tenant_a", "--json")
    assert ran.code == 0, ran.err
    assert [item["database"] for item in ran.json["databases"]] == ["tenant_b"]
    assert await anyio.Path(project / "asked").exists()
    ran = await command(project, "new", "-d", "tenant_*", "-m", "more")
    assert ran.code == 0, ran.err
    assert files(project) == ["tenant__0001_things.sql", "tenant__0002_more.sql"]
    assert databases(project) == []


async def test_all_means_each_set_of_files_once(project: Path) -> None:
    ran = await command(project, "make-migrations", "--all", "-m", "things")
    assert ran.code == 0, ran.err
    assert files(project) == ["primary__0001_things.sql", "tenant__0001_things.sql"]
    ran = await command(project, "check", "--models", "--all", "--json")
    assert (ran.code, ran.json["summary"]) == (0, {"succeeded": 2})
    assert not await anyio.Path(project / "asked").exists()


async def test_commands_on_live_databases_treat_each_tenant_separately(project: Path) -> None:
    migration(project, "tenant", "0001_things", "CREATE TABLE things (id int);")
    assert (await command(project, "migrate", "-d", "tenant_*")).code == 0
    ran = await command(project, "diff", "-d", "tenant_*", "--json")
    assert [item["database"] for item in ran.json["databases"]] == ["tenant_a", "tenant_b"]
    ran = await command(project, "diff", "--models", "-d", "tenant")
    assert ran.code == 2
    assert "tenant is the shared name of tenants, not a live database" in ran.err
    assert "next: Name one of tenant_*, or all of them: -d 'tenant_*'." in ran.err

    for words in (("make-migrations", "-m", "x", "--from-live"), ("baseline",)):
        ran = await command(project, *words, "-d", "tenant_*")
        assert ran.code == 2
        assert "next: Name one of them: -d tenant_a." in ran.err
    assert files(project) == ["tenant__0001_things.sql"]


async def test_names_without_a_match_are_reported(project: Path) -> None:
    for name, said in (
        ("tenant_zz", "no tenant has the database 'tenant_zz'"),
        ("tenants", "no database 'tenants' is configured"),
        ("nobody_*", "no database 'nobody_*' is configured"),
        ("second", "a replica has no migrations of its own; it follows primary"),
    ):
        ran = await command(project, "make-migrations", "-m", "x", "-d", name, "--json")
        assert ran.code == 2
        assert said in json.loads(ran.out)["error"]["message"]
    ran = await command(project, "new", "-m", "x", "-d", "*")
    assert ran.code == 2
    assert "a migration file is for one database, not for primary, tenant" in ran.err
    assert not (project / "migrations").exists()


IN_NAMESPACES = """
from pathlib import Path

from dbwarden import tenant_databases

tenant_databases(
    name="t_{{tenant_id}}",
    database_url="{url}?options=-csearch_path%3Dt_{{tenant_id}},public",
    tenants=["acme", "globex"],
    scratch="{scratch}",
    schema_paths=["schema.sql"],
    compare_privileges=True,
)
"""
BEFORE = """
CREATE TYPE mood AS ENUM ('good');
CREATE DOMAIN small AS int CHECK (VALUE < 100);
CREATE SEQUENCE s;
CREATE TABLE u (id serial PRIMARY KEY, n int, m mood, owner text);
CREATE INDEX by_n ON u (n);
CREATE FUNCTION f(x u) RETURNS int LANGUAGE sql AS $$ SELECT count(*)::int FROM u $$;
CREATE FUNCTION tr() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;
CREATE VIEW uv AS SELECT n, f(u) AS f FROM u;
CREATE TRIGGER tr BEFORE INSERT ON u FOR EACH ROW EXECUTE FUNCTION tr();
ALTER TABLE u ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON u USING (owner = current_user AND n > 0);
CREATE RULE calm AS ON DELETE TO uv DO INSTEAD NOTHING;
"""
GRANTS = """
GRANT SELECT ON uv TO pg_monitor;
GRANT SELECT (n), UPDATE (n) ON u TO pg_monitor;
REVOKE EXECUTE ON FUNCTION f(u) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION f(u) TO pg_monitor WITH GRANT OPTION;
GRANT USAGE ON SEQUENCE s TO pg_monitor;
REVOKE USAGE ON TYPE mood FROM PUBLIC;
COMMENT ON VIEW uv IS 'all of u';
DO $$ BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO pg_monitor', current_schema());
    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT ON TABLES TO pg_monitor',
                   current_schema());
END $$;
"""


@pytest.mark.long
async def test_the_placeholder_of_a_namespace_is_in_no_migration(
    tmp_path: Path, postgres_server: EmbeddedServer
) -> None:
    """Grants on views, functions, sequences and the namespace itself, in both directions."""
    await postgres_server.create_database("placeholder")
    url = postgres_server.url("placeholder")
    text = IN_NAMESPACES.format(url=url, scratch=postgres_server.url("postgres"))
    (tmp_path / "dbwarden.py").write_text(text)

    async def ask(sql: str) -> object:
        raw = await asyncpg.connect(url)
        try:
            return await raw.fetchval(sql)
        finally:
            await raw.close()

    for tenant in ("t_acme", "t_globex"):
        await ask(f"CREATE SCHEMA {tenant}")
    schema = tmp_path / "schema.sql"
    later = (BEFORE + GRANTS).replace("n int", "n bigint").replace("f(u) AS f", "f(u) AS f, m")
    for sql, flags in ((BEFORE + GRANTS, []), (later, ["--online"])):
        schema.write_text(sql)
        made = await command(tmp_path, "make-migrations", "-d", "t_acme", "-m", "x", *flags)
        assert made.code == 0, made
        written = "".join(path.read_text() for path in (tmp_path / "migrations").rglob("*.sql"))
        assert "tenant0id" not in written, written
        assert "t_acme" not in written, written
        assert "-- table TABLE" not in written
        ran = await command(tmp_path, "migrate", "--all")
        assert ran.code == 0, ran
    ran = await command(tmp_path, "diff", "--all")
    assert ran.code == 0, ran
    for tenant in ("t_acme", "t_globex"):
        assert await ask(f"SELECT has_table_privilege('pg_monitor', '{tenant}.uv', 'SELECT')")
        assert await ask(f"SELECT has_schema_privilege('pg_monitor', '{tenant}', 'USAGE')")
        assert await ask(f"SELECT has_column_privilege('pg_monitor', '{tenant}.u', 'n', 'UPDATE')")
    ran = await command(tmp_path, "rollback", "--all", "--to", "0")
    assert ran.code == 0, ran
    assert not await ask("SELECT has_schema_privilege('pg_monitor', 't_acme', 'USAGE')")
    await postgres_server.drop_database("placeholder")
