"""Migrations before and after a deployment, on a real database."""

import pytest

import dbwarden
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import PhaseOrder
from dbwarden.operations.migrate import MigrateResult
from tests.integration.backfills.conftest import execute, query
from tests.integration.running.conftest import states

pytestmark = pytest.mark.anyio

UP = "CREATE TABLE t{0} (id int);"
DOWN = "DROP TABLE t{0};"


def write(config: DatabaseConfig, number: int, *header: str) -> None:
    text = "".join(f"-- {line}\n" for line in header)
    text += f"-- upgrade\n{UP.format(number)}\n-- rollback\n{DOWN.format(number)}\n"
    name = f"{config.files_of}__{number:04d}_t{number}.sql"
    (config.migrations_dir / name).write_text(text, encoding="utf-8")


def keys(result: MigrateResult) -> list[str]:
    return [item.key for item in result.applied]


async def test_a_deployment_runs_pre_then_post(config: DatabaseConfig) -> None:
    write(config, 1, "phase: pre")
    write(config, 2, "phase: post")

    with pytest.raises(PhaseOrder):
        await dbwarden.migrate(config, phase="post")
    assert keys(await dbwarden.migrate(config, phase="pre")) == ["0001"]
    # The new version serves: what is left for afterwards is no disagreement.
    assert (await dbwarden.check(config)).clean
    status = await dbwarden.status(config)
    assert (status.clean, status.pending, status.post) == (True, ("0002",), ("0002",))
    assert keys(await dbwarden.migrate(config, phase="post")) == ["0002"]
    assert (await dbwarden.status(config)).post == ()


async def test_a_deployment_that_skips_a_release(config: DatabaseConfig) -> None:
    for number, phase in enumerate(("pre", "post", "pre", "post"), start=1):
        write(config, number, f"phase: {phase}")

    assert keys(await dbwarden.migrate(config, phase="pre")) == ["0001", "0003"]
    assert (await dbwarden.status(config)).out_of_order == ()
    assert keys(await dbwarden.migrate(config, phase="post")) == ["0002", "0004"]
    assert set((await states(config)).values()) == {"applied"}


async def test_an_old_version_knows_whether_what_it_uses_is_gone(config: DatabaseConfig) -> None:
    write(config, 1)
    write(config, 2, "phase: pre")
    write(config, 3, "phase: post")
    newer = sorted(config.migrations_dir.glob("*"))[1:]

    async def seen_by_the_old_version() -> tuple[bool, tuple[str, ...], tuple[str, ...]]:
        texts = {path: path.read_text() for path in newer}
        for path in newer:
            path.unlink()
        status = await dbwarden.status(config)
        assert (await dbwarden.check(config)).clean is status.clean
        for path, text in texts.items():
            path.write_text(text)
        return status.clean, status.ahead, status.contracted

    await dbwarden.migrate(config, phase="pre")
    assert await seen_by_the_old_version() == (True, ("0002",), ())
    await dbwarden.migrate(config, phase="post")
    assert await seen_by_the_old_version() == (False, ("0002", "0003"), ("0003",))
    assert (await dbwarden.health(config)).status == "ok"


async def test_a_history_of_an_earlier_version_gets_the_column(config: DatabaseConfig) -> None:
    write(config, 1)
    await dbwarden.migrate(config)
    await execute(config, "ALTER TABLE dbwarden_ledger DROP COLUMN phase")
    assert (await dbwarden.check(config)).clean
    write(config, 2, "phase: post")

    await dbwarden.migrate(config)

    found = await query(config, "SELECT key, phase FROM dbwarden_ledger ORDER BY key")
    assert found == [("0001", None), ("0002", "post")]


async def test_a_backfill_gives_a_history_of_an_earlier_version_the_column(
    config: DatabaseConfig,
) -> None:
    first = config.migrations_dir / "primary__0001_counts.sql"
    first.write_text("-- upgrade\nCREATE TABLE counts (id int PRIMARY KEY, n int);\n")
    await dbwarden.migrate(config)
    await execute(config, "INSERT INTO counts VALUES (1, 0)")
    await execute(config, "ALTER TABLE dbwarden_ledger DROP COLUMN phase")
    header = "-- dbwarden: backfill\n-- table: counts\n-- phase: post\n"
    upgrade = f"{header}-- upgrade\nUPDATE counts SET n = n + 1 WHERE {{batch}};\n"
    (config.migrations_dir / "primary__0002_fill.sql").write_text(upgrade)

    await dbwarden.migrate(config)

    assert await query(config, "SELECT id, n FROM counts") == [(1, 1)]
    found = await query(config, "SELECT key, phase FROM dbwarden_ledger ORDER BY key")
    assert found == [("0001", None), ("0002", "post")]


async def test_verify_finds_a_pre_that_needs_an_undeclared_post(config: DatabaseConfig) -> None:
    write(config, 1)
    write(config, 2, "phase: post")
    path = config.migrations_dir / "primary__0003_more.sql"
    body = "-- upgrade\nALTER TABLE t2 ADD COLUMN more int;\n-- rollback\n"
    body += "ALTER TABLE t2 DROP COLUMN more;\n"
    path.write_text(f"-- phase: pre\n{body}")

    failed = (await dbwarden.verify(config)).migrations[-1]

    assert (failed.key, failed.verdict) == ("0003", "fails")
    assert "runs before 0002 (phase post), and it fails then" in str(failed.problem)
    path.write_text(f'-- phase: pre\n-- depends_on: ["0002"]\n{body}')
    assert (await dbwarden.verify(config)).clean
