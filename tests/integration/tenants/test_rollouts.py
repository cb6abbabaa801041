"""Tenants with requirements in another database, their errors, and canaries."""

from pathlib import Path

import anyio
import pytest

from tests.commands import Ran, migration
from tests.commands import dbwarden as command

PROJECT = """
from dbwarden import database_config, tenant_databases

database_config(database_name="primary", database_url="sqlite:///primary.db", default=True)
tenant_databases(
    name="tenant_{tenant_id}",
    database_url="sqlite:///tenant_{tenant_id}.db",
    tenants=["a", "b", "c"],
)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Version 2 of the tenants requires version 2 of the primary."""
    (tmp_path / "dbwarden.py").write_text(PROJECT)
    for version in (1, 2):
        migration(tmp_path, "primary", f"000{version}_p", f"CREATE TABLE p{version} (id);")
    migration(tmp_path, "tenant", "0001_t", "CREATE TABLE t1 (id);", "DROP TABLE t1;")
    path = migration(tmp_path, "tenant", "0002_t", "CREATE TABLE t2 (id);", "DROP TABLE t2;")
    path.write_text("-- requires: primary@0002\n\n" + path.read_text())
    return tmp_path


def states(ran: Ran) -> dict[str, str]:
    return {
        item["database"].removeprefix("tenant_"): item["state"] for item in ran.json["databases"]
    }


async def test_a_met_requirement_is_no_obstacle(project: Path) -> None:
    assert (await command(project, "migrate", "--all")).code == 0
    ran = await command(project, "migrate", "--all", "--json")
    assert set(states(ran).values()) == {"succeeded"}, ran.err
    await anyio.to_thread.run_sync(
        lambda: migration(project, "tenant", "0003_t", "CREATE TABLE t3 (id);")
    )
    ran = await command(project, "migrate", "--all", "--json")
    assert set(states(ran).values()) == {"succeeded"}, ran.err
    assert [item["result"]["version"] for item in ran.json["databases"]] == ["0002"] + ["0003"] * 3
    ran = await command(project, "migrate", "-d", "tenant_a", "--to", "1")
    assert ran.code == 2
    assert "0001 is applied, and so is what comes after it: 0002, 0003" in ran.err


async def test_a_canary_runs_after_its_requirements_and_before_the_others(
    project: Path,
) -> None:
    with anyio.fail_after(60):
        ran = await command(project, "migrate", "--all", "--canary", "tenant_b", "--json")
    assert set(states(ran).values()) == {"succeeded"}, ran.err

    bad = migration(project, "tenant", "0003_t", "CREATE TABLE t1 (id);")
    with anyio.fail_after(60):
        ran = await command(project, "migrate", "--all", "--canary", "tenant_b", "--json")
    assert states(ran) == {
        "primary": "succeeded",
        "a": "not_started",
        "b": "failed",
        "c": "not_started",
    }
    bad.unlink()


async def test_a_failing_requirement_leaves_the_tenants_unchanged(project: Path) -> None:
    await anyio.to_thread.run_sync(
        lambda: migration(project, "primary", "0002_p", "CREATE TABLE p1 (id);")
    )
    ran = await command(project, "migrate", "--all", "--json")
    assert states(ran) == {
        "primary": "failed",
        **dict.fromkeys("abc", "not_started"),
    }
    reasons = {item["error"]["message"] for item in ran.json["databases"][1:]}
    assert reasons == {"not started: it requires primary@0002, which is not applied"}
    ran = await command(project, "status", "--all", "--json")
    assert {item["result"]["version"] for item in ran.json["databases"]} == {"0001"}


async def test_errors_and_next_steps_name_the_tenant(
    project: Path,
) -> None:
    assert (await command(project, "migrate", "--all")).code == 0
    path = project / "migrations" / "tenant" / "tenant__0001_t.sql"
    kept = path.read_text()
    path.write_text(kept.replace("t1 (id)", "t1 (id, more)"))
    ran = await command(project, "migrate", "-d", "tenant_a")
    assert "error: tenant_a: " in ran.err
    assert "dbwarden repair -d tenant_a --accept 0001" in ran.err
    path.write_text(kept)

    for direction, verb in (("upgrade", "migrate"), ("rollback", "rollback")):
        wrong = "CREATE TABLE t1 (id);"
        upgrade, rollback = (wrong, "") if direction == "upgrade" else ("SELECT 1;", wrong)
        path = migration(project, "tenant", "0003_t", upgrade, rollback)
        if direction == "rollback":
            assert (await command(project, "migrate", "-d", "tenant_a")).code == 0
        ran = await command(project, verb, "-d", "tenant_a")
        assert ran.code == 1
        assert f"error: tenant_a: migrations/tenant/{path.name}:" in ran.err
        assert f"dbwarden {verb} -d tenant_a" in ran.err
        assert "-d tenant " not in ran.err
