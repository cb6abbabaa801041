"""The history tells between which runs the schema was changed outside of migrations."""

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace

import asyncpg
import pytest

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.config.project import Project
from dbwarden.errors import StatementFailed
from dbwarden.operations.backfill import backfill
from dbwarden.operations.baseline import baseline
from dbwarden.operations.history import history
from dbwarden.operations.migrate import migrate
from dbwarden.operations.repair import repair
from dbwarden.operations.rollback import rollback
from dbwarden.planning.outside_changes import OutsideChange
from dbwarden.types import DatabaseName
from tests.integration.running.conftest import rows, write, write_tables

RunSQL = Callable[[str], Awaitable[None]]


@pytest.fixture
def run(config: DatabaseConfig) -> RunSQL:
    """Run SQL without dbwarden, each statement by itself."""

    async def run_sqlite(sql: str) -> None:
        path = config.database_url.reveal().removeprefix("sqlite:///")  # type: ignore[union-attr]
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.executescript(sql)

    async def run_postgresql(sql: str) -> None:
        connection = await asyncpg.connect(config.database_url.reveal())  # type: ignore[union-attr]
        try:
            for statement in sql.split(";"):
                await connection.execute(statement)
        finally:
            await connection.close()

    return run_sqlite if config.database_type == "sqlite" else run_postgresql


async def changes(config: DatabaseConfig) -> tuple[OutsideChange, ...]:
    return (await history(config)).changes


async def spans(config: DatabaseConfig) -> list[tuple[str, str | None]]:
    """The entries around each change."""
    return [(change.after, change.before) for change in await changes(config)]


async def test_a_change_is_seen_until_it_is_undone_and_bracketed_by_the_next_run(
    config: DatabaseConfig, run: RunSQL
) -> None:
    write_tables(config, 1, 2, 3)
    await migrate(config, to="0002")
    assert await changes(config) == ()
    await run("CREATE INDEX by_hand ON t1 (id)")
    (change,) = await changes(config)
    assert (change.after, change.before, change.until) == ("0002", None, None)
    await run("DROP INDEX by_hand")
    assert await changes(config) == ()
    await run("CREATE INDEX by_hand ON t1 (id)")
    await migrate(config)
    (change,) = await changes(config)
    assert (change.after, change.before) == ("0002", "0003")
    known = await rows(config)
    taken_at = known["0002"].finished_at
    assert taken_at is not None and change.until is not None
    assert taken_at <= change.since < change.until <= known["0003"].started_at


async def test_a_change_that_a_failed_run_noticed_is_recorded_once(
    config: DatabaseConfig, run: RunSQL
) -> None:
    write_tables(config, 1, 2)
    await migrate(config, to="0001")
    await run("CREATE TABLE t2 (id int)")
    for _ in range(2):
        with pytest.raises(StatementFailed):
            await migrate(config)
    ((after, before),) = await spans(config)
    assert (after, before) == ("0001", None)
    await run("DROP TABLE t2")
    await migrate(config)
    assert await spans(config) == [("0001", "0002"), ("0001", "0002")]


async def test_what_a_failed_run_applied_is_no_change(config: DatabaseConfig) -> None:
    write_tables(config, 1, 2)
    write(config, "0003_wrong", "CREATE TABLE t1 (id int);", "DROP TABLE t1;")
    for _ in range(2):
        with pytest.raises(StatementFailed):
            await migrate(config)
        assert (await rows(config))["0002"].fingerprint is not None
    assert await changes(config) == ()


async def test_runs_of_all_commands_are_no_change(config: DatabaseConfig, run: RunSQL) -> None:
    write_tables(config, 1, 2, 3)
    repeatable = config.migrations_dir / f"{config.files_of}__RA__view.sql"
    repeatable.write_text("-- upgrade\nDROP VIEW IF EXISTS v;\nCREATE VIEW v AS SELECT 1 AS a;\n")
    await migrate(config, to="0001")
    await migrate(config)
    await migrate(config)
    await rollback(config, count=2)
    await migrate(config, to="0002")
    await run("CREATE TABLE t3 (id int)")
    await baseline(config, to="0003")
    assert await spans(config) == [("0002", "0003")]
    await repair(config, forget=["0003"])
    assert await spans(config) == [("0002", None)]
    await run("DROP TABLE t3")
    await migrate(config)
    await rollback(config, to="0")
    assert [after for after, _ in await spans(config)] == ["0002", "0002"]
    assert (await history(config, limit=1)).changes == ()


async def test_use_and_maintenance_are_no_change(config: DatabaseConfig, run: RunSQL) -> None:
    key = "id INTEGER PRIMARY KEY" if config.database_type == "sqlite" else "id serial PRIMARY KEY"
    table = f"CREATE TABLE t ({key}, a text DEFAULT 'x', b text);"
    write(config, "0001_t", f"{table}\nCREATE INDEX i ON t (a);", "DROP TABLE t;")
    await migrate(config)
    await run("INSERT INTO t (b) SELECT 'y'; ANALYZE; DELETE FROM t; VACUUM")
    await run("REINDEX t" if config.database_type == "sqlite" else "REINDEX TABLE t")
    if config.database_type == "postgresql":
        await run("VACUUM FULL t; REINDEX TABLE CONCURRENTLY t; CLUSTER t USING t_pkey")
        assert len(await changes(config)) == 1  # t is clustered on an index from now on
        await run("ALTER TABLE t SET WITHOUT CLUSTER; CREATE TEMP TABLE u (id int); TRUNCATE t")
    assert await changes(config) == ()


async def test_a_backfill_that_ends_later_is_no_change_and_hides_none(
    config: DatabaseConfig, run: RunSQL
) -> None:
    write(config, "0001_t", "CREATE TABLE t (id int PRIMARY KEY, a int);", "DROP TABLE t;")
    numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
    await migrate(config)
    await run(f"INSERT INTO t {numbers} SELECT i, NULL FROM n")
    path = config.migrations_dir / f"{config.files_of}__0002_fill.sql"
    path.write_text(
        "-- dbwarden: backfill\n-- table: t\n-- upgrade\nUPDATE t SET a = 1 WHERE {batch};\n"
    )
    assert (await migrate(config)).backfills
    assert await changes(config) == ()
    assert (await backfill(config)).clean
    assert await changes(config) == ()
    await run("CREATE INDEX by_hand ON t (a)")
    assert await spans(config) == [("0002", None)]


@pytest.mark.parametrize("config", ["postgresql"], indirect=True)
async def test_other_options_are_not_compared(config: DatabaseConfig, run: RunSQL) -> None:
    write_tables(config, 1)
    await migrate(config)
    await run("GRANT SELECT ON t1 TO public")
    assert await changes(config) == ()
    assert await changes(replace(config, compare_privileges=True)) == ()
    await repair(replace(config, compare_privileges=True), forget=["0001"])
    await baseline(replace(config, compare_privileges=True), to="0001")
    await run("REVOKE SELECT ON t1 FROM public")
    assert await spans(replace(config, compare_privileges=True)) == [("0001", None)]


async def test_ignored_drift_makes_no_fingerprints(config: DatabaseConfig, run: RunSQL) -> None:
    write_tables(config, 1)
    config = replace(config, ignore_drift=("table audit_*",))
    await migrate(config)
    await run("CREATE TABLE audit_1 (id int)")
    assert await changes(config) == ()
    assert (await rows(config))["0001"].fingerprint is None


@pytest.mark.parametrize("config", ["postgresql"], indirect=True)
async def test_other_namespaces_count_unless_another_database_of_the_project_is_there(
    config: DatabaseConfig, run: RunSQL
) -> None:
    own, other = config, f"{config.database_url.reveal()}?options=-csearch_path%3Dother"  # type: ignore[union-attr]
    alone = project_of(config)
    write_tables(config, 1)
    await migrate(alone)
    await run("CREATE SCHEMA other; CREATE TABLE other.t (id int)")
    assert await spans(alone) == [("0001", None)]
    second = replace(own, database_name=DatabaseName("second"), database_url=other, default=False)
    shared = project_of(config, second)
    await baseline(shared, to="0001")
    await run("CREATE TABLE other.u (id int)")
    assert await spans(shared) == []


def project_of(*declared: DatabaseConfig) -> DatabaseConfig:
    """The first database, with the project that declares all of them."""
    root = declared[0].root
    return Project(path=root / "dbwarden.py", root=root, declared=declared).databases[0]
