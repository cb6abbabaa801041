"""Several configured databases in one PostgreSQL database, each in a namespace of its own."""

import json

from tests.integration.authoring.conftest import Project
from tests.integration.authoring.test_other_operations import run

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


async def test_what_neighbours_have_is_no_drift_and_nobody_drops_it(project: Project) -> None:
    configure(project)
    for name in ("tenant_a", "tenant_b", "tenant_gone", "reports"):
        await project.fetch(f"CREATE SCHEMA {name}")
    await project.fetch("CREATE TABLE tenant_gone.users (id serial PRIMARY KEY)")
    for name in ("tenant", "reports"):
        code, out, err = await run(project, "make-migrations", "-m", "users", "-d", name)
        assert (code, err) == (0, ""), out
    assert (await run(project, "migrate", "--all"))[0] == 0
    code, out, _ = await run(project, "diff", "--all")
    assert (code, out.count("no difference")) == (0, 3)
    code, out, _ = await run(project, "make-migrations", "-m", "x", "-d", "tenant_a", "--from-live")
    assert (code, out) == (0, "tenant_a: models and migrations agree.\n")
    await project.fetch("CREATE SCHEMA odd")
    await project.fetch("CREATE TABLE tenant_b.extra (id int)")
    code, out, _ = await run(project, "diff", "--all", "--json")
    found = {each["database"]: each["differences"] for each in json.loads(out)["databases"]}
    odd = {"change": "Drop", "what": "namespace odd"}
    extra = {"change": "DropTable", "what": "table extra"}
    assert (code, found["tenant_a"], found["reports"]) == (3, [odd], [odd])
    assert extra in found["tenant_b"]
    assert odd in found["tenant_b"]
