"""The commands that write migrations, as a user runs them."""

import json
import shutil

from tests.integration.authoring.commands import configure, run
from tests.integration.authoring.conftest import Project


async def test_the_commands_write_check_migrate_and_compare(project: Project) -> None:
    configure(project, scratch=project.server.url("postgres"))
    assert (await run(project, "check", "--models"))[0] == 3
    code, out, err = await run(project, "make-migrations", "-d", "primary", "-m", "add users table")
    assert (code, err) == (0, "")
    assert "primary__0001_add_users_table.sql" in out
    assert "verdict: exact" in out
    assert (await run(project, "check", "--models"))[0] == 0
    assert (await run(project, "migrate", "--all"))[0] == 0
    code, out, _ = await run(project, "make-migrations", "-m", "again")
    assert (code, out) == (0, "primary: models and migrations agree.\n")
    assert (await run(project, "diff"))[0] == 0
    code, out, _ = await run(project, "verify", "--json")
    assert (code, json.loads(out)["databases"][0]["clean"]) == (0, True)
    assert "CREATE TABLE users" in (await run(project, "schema"))[1]


async def test_sql_is_printed_and_nothing_is_written(project: Project) -> None:
    configure(project, scratch=project.server.url("postgres"))
    code, out, _ = await run(project, "make-migrations", "-m", "users", "--sql")
    assert code == 0
    assert "CREATE TABLE users" in out
    assert not (project.root / "migrations").exists()


async def test_the_same_models_and_files_start_no_server(project: Project) -> None:
    configure(project, scratch="embedded")
    assert (await run(project, "make-migrations", "-m", "users"))[0] == 0
    again = await run(project, "make-migrations", "-m", "users", "--log-level", "debug")
    # What the new file leads to was seen in its proof.
    assert "scratch_started" not in again[2]
    assert again[0] == 0
    assert "agree" in again[1]
    shutil.rmtree(project.root / ".dbwarden" / "cache")
    replayed = await run(project, "make-migrations", "-m", "users", "--log-level", "debug")
    assert "scratch_started" in replayed[2]
    assert "agree" in replayed[1]


async def test_a_live_database_is_adopted_from_the_command_line(project: Project) -> None:
    configure(project, scratch=project.server.url("postgres"))
    await project.fetch("CREATE TABLE users (id serial PRIMARY KEY, email varchar)")
    code, out, err = await run(project, "baseline")
    assert (code, err) == (0, "")
    assert "primary__0001_baseline.sql" in out
    assert (await run(project, "check"))[0] == 0
    code, out, _ = await run(project, "generate-models", "-o", "shop/generated.py")
    assert (code, out) == (0, "Wrote 1 tables to shop/generated.py\n")
