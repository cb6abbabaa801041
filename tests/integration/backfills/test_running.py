"""Backfills run in batches, in migrate if they are small, and else by backfill run."""

import anyio
import pytest

import dbwarden
from dbwarden import telemetry
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import (
    BackfillUnfinished,
    ChangedMigration,
    DBWardenError,
    HistoryError,
    MigrationFileError,
    StatementFailed,
)
from dbwarden.operations import backfill_start, pacing
from tests.integration.backfills.conftest import (
    FILL,
    HEADER,
    USERS,
    add_users,
    execute,
    query,
    write,
)

pytestmark = pytest.mark.anyio


async def started(
    config: DatabaseConfig,
    monkeypatch: pytest.MonkeyPatch,
    *header: str,
    upgrade: str = FILL,
    users: str = USERS,
    rows: int = 950,
) -> None:
    """A table of 950 users, which counts as large, and its backfill 0002, which has begun."""
    monkeypatch.setattr(backfill_start, "SMALL", 10)
    write(config, "0001_users", users)
    await dbwarden.migrate(config)
    await add_users(config, 1, rows)
    write(config, "0002_fill", upgrade, *(header or HEADER))
    await dbwarden.migrate(config)


async def counts(config: DatabaseConfig) -> list[tuple[object, ...]]:
    """How often rows were changed, and how many."""
    return await query(config, "SELECT hits, count(*) FROM users GROUP BY hits ORDER BY hits")


async def test_a_small_backfill_runs_inside_of_migrate(config: DatabaseConfig) -> None:
    write(config, "0001_users", USERS)
    await dbwarden.migrate(config)
    await add_users(config, 1, 950)
    write(config, "0002_fill", FILL, *HEADER)
    write(config, "0003_more", "ALTER TABLE users ADD more int;", "requires-backfill: 0002")

    result = await dbwarden.migrate(config)

    assert [item.key for item in result.applied] == ["0002", "0003"]
    assert (result.backfills, result.waiting) == ((), ())
    assert await counts(config) == [(1, 950)]
    (progress,) = (await dbwarden.backfill_status(config)).backfills
    assert (progress.state, progress.rows, progress.percent) == ("done", 950, 100)
    assert (await dbwarden.check(config)).clean
    assert [(r.key, r.state.value) for r in (await dbwarden.history(config)).rows][1] == (
        "0002",
        "applied",
    )


async def test_a_large_backfill_is_started_and_gates_later_files(
    config: DatabaseConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await started(config, monkeypatch)
    write(config, "0003_free", "CREATE TABLE free (id int);")
    write(config, "0004_more", "ALTER TABLE users ADD more int;", "requires-backfill: 0002")
    write(config, "0005_last", "CREATE TABLE last (id int);")

    result = await dbwarden.migrate(config)

    assert [item.key for item in result.applied] == ["0003"]
    assert result.waiting == ("0004", "0005")
    assert [item.key for item in result.backfills] == ["0002"]
    with pytest.raises(BackfillUnfinished, match="0004 waits for the backfill 0002"):
        await dbwarden.migrate(config, to="0005")
    done = await dbwarden.backfill(config)
    assert done.clean
    assert await counts(config) == [(1, 950)]
    after = await dbwarden.migrate(config)
    assert [item.key for item in after.applied] == ["0004", "0005"]


async def test_a_run_that_stops_anywhere_applies_each_batch_once(
    config: DatabaseConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await started(config, monkeypatch)
    for most in (1, 2, 1, 3):
        batches = 0

        def hear(event: telemetry.Event, most: int = most) -> None:
            nonlocal batches
            batches += event.name == "backfill_batch"
            if batches == most:
                raise KeyboardInterrupt

        with telemetry.listening(hear), pytest.raises(BaseException):  # noqa: B017
            await dbwarden.backfill(config, rate=200)
    done = (await dbwarden.backfill_status(config)).backfills[0].rows
    assert 0 < done < 950
    assert set(await counts(config)) == {(1, done), (None, 950 - done)}
    await dbwarden.backfill(config)
    assert await counts(config) == [(1, 950)]


async def test_two_runners_share_a_backfill(
    config: DatabaseConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await started(config, monkeypatch)

    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(lambda: dbwarden.backfill(config))

    assert await counts(config) == [(1, 950)]


async def test_a_failed_backfill_waits_for_a_person(
    config: DatabaseConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade = "UPDATE users\nSET hits = 1 / (id - 333), country = 'x' WHERE {batch};"
    if config.database_type == "sqlite":
        upgrade = "UPDATE users\nSET name = CASE id WHEN 333 THEN NULL ELSE 'x' END WHERE {batch};"
    await started(config, monkeypatch, upgrade=upgrade)

    with pytest.raises(StatementFailed) as failed:
        await dbwarden.backfill(config)

    assert failed.value.location is not None
    assert failed.value.location.path.name == "primary__0002_fill.sql"
    assert failed.value.location.line is not None
    assert "dbwarden backfill resume 0002 -d primary" in str(failed.value.next_step)
    await dbwarden.migrate(config)
    again = await dbwarden.backfill(config)  # not run again
    assert not again.clean
    assert again.backfills[0].state == "failed"
    assert 0 < again.backfills[0].rows < 333
    (finding,) = (await dbwarden.check(config)).findings
    assert finding.code == "backfill"
    await execute(config, "DELETE FROM users WHERE id = 333")
    await dbwarden.backfill_resume(config)
    assert (await dbwarden.backfill(config)).clean
    assert (await query(config, "SELECT count(*) FROM users WHERE id = 333"))[0][0] == 0


async def test_a_paused_backfill_stays_paused_until_it_is_resumed(
    config: DatabaseConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await started(config, monkeypatch)

    async def pause() -> None:
        await dbwarden.backfill_pause(config)

    async with anyio.create_task_group() as tasks:

        def hear(event: telemetry.Event) -> None:
            if event.name == "backfill_batch":
                tasks.start_soon(pause)

        with telemetry.listening(hear):
            result = await dbwarden.backfill(config, rate=500)

    assert result.backfills[0].state == "paused"
    assert 0 < result.backfills[0].rows < 950
    assert not (await dbwarden.backfill(config)).clean
    await dbwarden.backfill_resume(config, key="2")
    assert (await dbwarden.backfill(config)).clean
    assert await counts(config) == [(1, 950)]


async def test_rows_behind_the_cursor_are_found_by_until(
    config: DatabaseConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await started(config, monkeypatch, *HEADER, "until: country IS NOT NULL")
    await execute(config, "DELETE FROM users WHERE id IN (5, 6)")
    first = True

    async def insert() -> None:
        await add_users(config, 5, 6)

    async with anyio.create_task_group() as tasks:

        def hear(event: telemetry.Event) -> None:
            nonlocal first
            if event.name == "backfill_batch" and first:
                first = False
                tasks.start_soon(insert)

        with telemetry.listening(hear):
            result = await dbwarden.backfill(config, rate=1000)

    assert result.clean
    assert result.backfills[0].cycle == 2
    assert await counts(config) == [(1, 950)]


async def test_until_that_never_comes_true_fails(
    config: DatabaseConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await started(config, monkeypatch, *HEADER, "until: country = 'fr'", rows=20)

    with pytest.raises(StatementFailed, match="20 rows do not satisfy -- until: country = 'fr'"):
        await dbwarden.backfill(config)


async def test_a_refused_condition_says_how_to_correct_it_and_how_to_go_on(
    config: DatabaseConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = USERS.replace("hits int", "hits int, checked int")
    await started(config, monkeypatch, *HEADER, "until: checked IS NULL", users=users, rows=200)
    await execute(config, "ALTER TABLE users DROP COLUMN checked")

    with pytest.raises(StatementFailed, match="checked IS NULL is refused") as failed:
        await dbwarden.backfill(config)

    assert str(failed.value.next_step).startswith("Correct it. It is a condition on the columns")
    assert "dbwarden backfill resume 0002 -d primary --accept" in str(failed.value.next_step)
    assert failed.value.location is not None
    assert failed.value.location.line == 4


@pytest.mark.parametrize(
    "table",
    [
        "CREATE TABLE users (a text, b int, {rest}, PRIMARY KEY (a, b));",
        'CREATE TABLE users (a text, b int, {rest}); CREATE UNIQUE INDEX u ON users ("b", a);',
        "CREATE TABLE users (a text NOT NULL UNIQUE, b int, {rest});",
    ],
)
async def test_any_unique_key_orders_the_rows(config: DatabaseConfig, table: str) -> None:
    rest = "name text, country text, hits int"
    required = table.replace("a text, b int", "a text NOT NULL, b int NOT NULL")
    write(config, "0001_users", required.format(rest=rest))
    await dbwarden.migrate(config)
    await execute(
        config,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) "
        "INSERT INTO users (a, b) SELECT 'it''s \\ ' || (i % 300), i % 7 FROM n",
    )
    write(config, "0002_fill", FILL, "dbwarden: backfill", "table: users", "batch: 7")

    await dbwarden.migrate(config)

    assert await counts(config) == [(1, 300)]


async def test_python_runs_in_the_transaction_of_its_batch(
    config: DatabaseConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameter = "$" if config.database_type == "postgresql" else "?"
    code = f"""
async def upgrade(batch):
    rows = await batch.connection.fetch(f"SELECT id, name FROM users WHERE {{batch}}")
    assert len(rows) == batch.rows
    for row in rows:
        if row["id"] == 620 and row["name"] != "mended":
            raise ValueError("no such place")
        await batch.connection.execute(
            "UPDATE users SET hits = coalesce(hits, 0) + 1, country = {parameter}1 WHERE id = "
            "{parameter}2", row["name"].upper(), row["id"]
        )
"""
    await started(config, monkeypatch, upgrade=code)

    with pytest.raises(StatementFailed, match="no such place") as failed:
        await dbwarden.backfill(config)

    assert failed.value.location is not None
    assert failed.value.location.path.name == "primary__0002_fill.py"
    assert failed.value.location.line == 10
    (stopped,) = (await dbwarden.backfill_status(config)).backfills
    assert 0 < stopped.rows < 620
    assert set(await counts(config)) == {(1, stopped.rows), (None, 950 - stopped.rows)}
    await execute(config, "UPDATE users SET name = 'mended' WHERE id = 620")
    await dbwarden.backfill_resume(config)
    assert (await dbwarden.backfill(config)).clean
    assert await counts(config) == [(1, 950)]
    assert await query(config, "SELECT country FROM users WHERE id = 1") == [("U1",)]


ENDLESS = {
    "postgresql": "SELECT pg_sleep(60)",
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT max(i) FROM n",
}


async def test_a_python_batch_that_takes_too_long_is_tried_again_with_fewer_rows(
    config: DatabaseConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "LIMIT_FACTOR", 0.0)
    monkeypatch.setattr(pacing, "LEAST_LIMIT", 0.2)
    code = f"""
async def upgrade(batch):
    if batch.rows > 60:
        await batch.connection.fetch("{ENDLESS[config.database_type]}")
    await batch.connection.execute(f"UPDATE users SET hits = coalesce(hits, 0) + 1 WHERE {{batch}}")
"""
    await started(config, monkeypatch, upgrade=code, rows=150)

    assert (await dbwarden.backfill(config)).clean

    assert await counts(config) == [(1, 150)]


async def test_an_edited_file_stops_the_run_and_can_be_accepted(
    config: DatabaseConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await started(config, monkeypatch)
    write(config, "0002_fill", FILL.replace("'de'", "'fr'"), *HEADER)

    with pytest.raises(HistoryError, match="the file was edited while its backfill is unfinished"):
        await dbwarden.backfill(config)
    with pytest.raises(ChangedMigration, match="was edited while its backfill is") as refused:
        await dbwarden.migrate(config)
    (finding,) = (await dbwarden.check(config)).findings
    for advice in (refused.value.next_step, finding.next_step):
        assert "dbwarden backfill resume 0002 -d primary --accept" in (advice or "")
    assert await counts(config) == [(None, 950)]
    await dbwarden.backfill_resume(config, key="0002", accept=True)
    await dbwarden.backfill(config)

    assert await query(config, "SELECT DISTINCT country FROM users") == [("fr",)]
    assert (await dbwarden.check(config)).clean


async def test_the_table_of_a_backfill_has_to_exist(
    config: DatabaseConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await started(config, monkeypatch)
    await execute(config, "DROP TABLE users")

    with pytest.raises(MigrationFileError, match="the backfill's table users does not exist") as no:
        await dbwarden.backfill(config)

    assert no.value.location is not None
    assert no.value.location.line == 2
    (progress,) = (await dbwarden.backfill_status(config)).backfills
    assert progress.state == "running"


async def test_a_table_without_a_key_is_refused(config: DatabaseConfig) -> None:
    write(config, "0001_users", "CREATE TABLE users (id int, country text, hits int);")
    write(config, "0002_fill", FILL, *HEADER)

    with pytest.raises(MigrationFileError, match="has no primary key"):
        await dbwarden.migrate(config)

    assert (await dbwarden.status(config)).version == "0001"


async def test_a_backfill_is_rolled_back_and_applied_again(
    config: DatabaseConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await started(config, monkeypatch)
    await dbwarden.backfill(config)

    await dbwarden.rollback(config)

    assert (await dbwarden.status(config)).pending == ("0002",)
    assert (await dbwarden.backfill_status(config)).backfills == ()
    await dbwarden.migrate(config)
    await dbwarden.backfill(config)
    assert await counts(config) == [(2, 950)]


async def test_a_rollback_stops_the_runner(
    config: DatabaseConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await started(config, monkeypatch)
    errors: list[DBWardenError] = []

    async def roll_back() -> None:
        await dbwarden.rollback(config)

    async with anyio.create_task_group() as tasks:

        def hear(event: telemetry.Event) -> None:
            if event.name == "backfill_batch" and not errors:
                errors.append(DBWardenError())
                tasks.start_soon(roll_back)

        with (
            telemetry.listening(hear),
            pytest.raises(HistoryError, match="was rolled back while it ran"),
        ):
            await dbwarden.backfill(config, rate=500)
