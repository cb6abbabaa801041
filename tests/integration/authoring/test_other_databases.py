"""Several configured databases in one PostgreSQL database, each in its own namespace."""

import json

import pytest

from dbwarden.operations.create_database import create_database
from dbwarden.operations.diff import check_models, drift
from dbwarden.operations.generate_models import generate_models
from dbwarden.operations.migrate import migrate
from dbwarden.operations.schema import schema_sql
from dbwarden.operations.verify import verify
from tests.integration.authoring.commands import run
from tests.integration.authoring.conftest import Project

USERS = "CREATE TABLE users (id int PRIMARY KEY);"


def configure(project: Project) -> None:
    url = f"{project.server.url(project.database)}?options=-csearch_path%3D"
    project.file("schema.sql", f"{USERS}\n")
    project.file(
        "dbwarden.py",
        "from dbwarden import database_config, tenant_databases\n"
        f"common = dict(scratch={project.server.url('postgres')!r}, schema_paths=['schema.sql'])\n"
        "tenant_databases(name='tenant_{tenant_id}', tenants=lambda: ['a', 'b'],\n"
        f"    database_url={url + 'tenant_{tenant_id}'!r}, **common)\n"
        f"database_config(database_name='reports', database_url={url + 'reports'!r}, **common)\n",
    )


async def test_objects_of_other_databases_are_no_drift(project: Project) -> None:
    configure(project)
    for name in ("tenant_a", "tenant_b", "tenant_gone", "reports"):
        await project.fetch(f"CREATE SCHEMA {name}")
    await project.fetch("CREATE TABLE tenant_gone.users (id serial PRIMARY KEY)")
    for name in ("tenant", "reports"):
        code, out, err = await run(project, "make-migrations", "-m", "users", "-d", name)
        assert (code, err) == (0, ""), out
    assert (await run(project, "migrate", "--all"))[0] == 0
    code, out, _ = await run(project, "diff", "--all")
    alike = "3 databases: tenant_a, tenant_b, reports (live with files): no difference.\n"
    assert (code, out) == (0, alike)
    code, out, _ = await run(project, "make-migrations", "-m", "x", "-d", "tenant_a", "--from-live")
    assert (code, out) == (0, "tenant_a: models and migrations agree.\n")
    await project.fetch("CREATE SCHEMA odd")
    await project.fetch("CREATE TABLE tenant_b.extra (id int)")
    code, out, _ = await run(project, "diff", "--all", "--json")
    found = {each["database"]: each["differences"] for each in json.loads(out)["databases"]}
    odd = {"change": "drop", "what": "namespace odd"}
    extra = {"change": "drop", "what": "table extra"}
    assert (code, found["tenant_a"], found["reports"]) == (3, [odd], [odd])
    assert extra in found["tenant_b"]
    assert odd in found["tenant_b"]
    (project.root / "dbwarden.py").rename(project.root / "databases.py")
    named = await run(project, "diff", "--all", "--json", "--config", "databases.py")
    assert named[0] == code
    again = {each["database"]: each["differences"] for each in json.loads(named[1])["databases"]}
    assert again == found


@pytest.mark.long
async def test_every_way_to_name_the_configuration_loads_all_databases(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.file(
        "twice.py", "from sqlalchemy import *\nu = Table('u', MetaData(), Column('id', Integer))\n"
    )
    url = f"{project.server.url(project.database)}?options=-csearch_path%3D"
    path = project.file(
        "databases.py",
        "from dbwarden import database_config\n"
        "for name in 'ab':\n"
        f"    database_config(database_name=name, database_url={url!r} + name,\n"
        f"        scratch={project.server.url('postgres')!r}, model_paths=['twice'])\n",
    )
    make = ("make-migrations", "-m", "x", "-d", "a")
    option = ("--config", "databases.py")
    refused = await run(project, *make, *option)
    assert refused[0] == 2, refused
    assert "table u of twice is claimed by two databases: a and b" in refused[2]
    for words in (("check", "--models"), ("diff", "--models")):
        code, _, err = await run(project, *words, "-d", "a", *option)
        assert (code, err.strip()) == (2, refused[2].strip())
    monkeypatch.setenv("DBWARDEN_CONFIG", str(path))
    assert await run(project, *make) == refused
    monkeypatch.delenv("DBWARDEN_CONFIG")
    path.rename(project.root / "dbwarden.py")
    assert await run(project, *make) == refused


async def test_a_configuration_of_a_program_runs_no_dbwarden_py(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = project.root / "it_ran"
    project.file("dbwarden.py", f"open({str(marker)!r}, 'w')\n")
    monkeypatch.chdir(project.root)
    project.models("users = Table('users', Base.metadata, Column('id', Integer, primary_key=True))")
    await project.made("users")
    config = project.config
    for operation in (check_models, drift, generate_models, migrate, schema_sql, verify):
        await operation(config)
    await drift(config, models=True)
    await create_database(config, if_not_exists=True)
    await project.make("more", from_live=True)
    assert not marker.exists()
