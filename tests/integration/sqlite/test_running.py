"""Migrations on real files apply fully or not at all, with their rows and places of errors."""

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest

from dbwarden import telemetry
from dbwarden.dialects.base import steps_checksum
from dbwarden.dialects.sqlite.migrate.session import Session
from dbwarden.errors import DBWardenError, LedgerError, LockTimeout, StatementFailed
from dbwarden.migration_history import State
from dbwarden.types import Checksum
from tests.integration.sqlite.conftest import Project, live_rows

SLOW = "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 100000000) {}"


# -- a migration and its row ------------------------------------------------------------------


async def test_migrations_run_in_order_and_each_is_reported_when_it_is_done(
    project: Project,
) -> None:
    project.write("0001", "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);")
    project.write(
        "0002", "INSERT INTO users (name) VALUES ('ada');\nINSERT INTO users SELECT 7, 'b'"
    )
    assert await project.upgrade() == ["0001", "0002"]
    assert project.query("SELECT * FROM users") == [(1, "ada"), (7, "b")]


async def test_a_row_records_action_user_and_time(project: Project) -> None:
    project.write("0001", "CREATE TABLE t (a);", "DROP TABLE t;", name="make_t")
    before = datetime.now(UTC)
    await project.upgrade()
    (row,) = await project.rows()
    (migration,) = project.files
    assert (row.key, row.description, row.kind) == ("0001", "make t", "versioned")
    assert migration.rollback is not None
    assert row.upgrade_checksum == migration.upgrade.checksum
    assert row.rollback_checksum == migration.rollback.checksum
    assert (row.state, row.step, row.running) == (State.APPLIED, 1, None)
    assert row.steps_checksum == steps_checksum(project.work(migration).steps)
    assert row.finished_at is not None
    assert row.duration_ms is not None
    assert before <= row.started_at <= row.finished_at <= before + timedelta(seconds=60)
    assert row.started_at.tzinfo is UTC
    assert 0 < row.duration_ms < 60_000
    assert row.pid > 0
    assert row.host
    assert row.application
    assert row.dbwarden_version


async def test_a_failing_migration_leaves_nothing_and_earlier_ones_stay(
    project: Project, runner: Any
) -> None:
    project.write("0001", "CREATE TABLE kept (a);")
    project.write(
        "0002", "CREATE TABLE gone (a);\nINSERT INTO gone VALUES (1);\nDROP TABLE nowhere;"
    )
    project.write("0003", "CREATE TABLE later (a);")
    reported: list[str] = []
    async with project.locked() as connection:

        async def on_done(work: Any) -> None:
            reported.append(work.migration.key)

        with pytest.raises(StatementFailed) as caught:
            await connection.run(project.works(), on_done)
        assert await runner(connection, project.works("0003")) == ["0003"]
    assert reported == ["0001"]
    assert project.tables() == ["kept", "later"]
    assert [row.key for row in await project.rows()] == ["0001", "0003"]
    error = caught.value
    assert str(error).endswith("app__0002_step.sql:4:1: no such table: nowhere")
    assert (error.database, error.statement) == ("app", "DROP TABLE nowhere")
    assert error.detail == "SQLITE_ERROR (1)"
    assert error.next_step == (
        "Correct the file and run again: dbwarden migrate -d app. "
        "Nothing of this migration was kept."
    )


@pytest.mark.parametrize(
    ("upgrade", "line", "column", "words"),
    [
        ("CREATE TABLE t (\n  a INT,\n  b INT NOT NUL\n);", 4, 13, 'near "NUL"'),
        ("SELECT 1; CREATE TABEL t (a);", 2, 18, 'near "TABEL"'),
        ("CREATE TABLE t (a);\nINSERT INTO t VALUES (1, 2);", 3, 1, "has 1 columns but 2 values"),
        ("SELECT a a a a, FROM;", 2, 1, 'near "a"'),
        ("\n\n   SELECT nowhere;", 4, 4, "no such column: nowhere"),
        ("CREATE TABLE t (a UNIQUE);\nINSERT INTO t VALUES (1);\n INSERT INTO t VALUES (1);", 4, 2,
         "UNIQUE constraint failed: t.a"),
    ],
)  # fmt: skip
async def test_an_error_points_to_the_statement_or_token(
    project: Project, upgrade: str, line: int, column: int, words: str
) -> None:
    path = project.write("0001", upgrade)
    with pytest.raises(StatementFailed, match=words) as caught:
        await project.upgrade()
    place = caught.value.location
    assert place is not None
    assert (place.path, place.line, place.column) == (path, line, column)
    assert project.tables() == []


async def test_a_parameter_outside_of_quotes_is_explained(project: Project) -> None:
    project.write("0001", "SELECT :name;")
    with pytest.raises(StatementFailed) as caught:
        await project.upgrade()
    assert "a migration has none" in str(caught.value.hint)


async def test_sql_reaches_sqlite_unchanged(project: Project) -> None:
    project.write(
        "0001",
        """
        CREATE TABLE t (a TEXT, n INT DEFAULT 0);
        CREATE TRIGGER counted AFTER INSERT ON t BEGIN
          UPDATE t SET n = n + 1 WHERE a = ':x; -- no comment';
          UPDATE t SET n = n + 10;
        END;
        INSERT INTO t (a) VALUES (':x; -- no comment'), ('100%\n\n{"k": [1]}');
        """,
    )
    await project.upgrade()
    assert project.query("SELECT n FROM t") == [(22,), (10,)]
    assert '{"k": [1]}' in project.query("SELECT a FROM t")[1][0]


async def test_a_statement_that_returns_rows_runs_to_its_end(project: Project) -> None:
    project.write(
        "0001",
        "CREATE TABLE t (a);\nINSERT INTO t SELECT value FROM json_each('[1,2,3]') RETURNING a;",
    )
    await project.upgrade()
    assert project.query("SELECT count(*) FROM t") == [(3,)]


async def test_a_trigger_that_rolls_the_transaction_back_leaves_nothing(project: Project) -> None:
    project.write(
        "0001",
        "CREATE TABLE t (a);\nCREATE TRIGGER no BEFORE INSERT ON t BEGIN "
        "SELECT RAISE(ROLLBACK, 'not today'); END;\nINSERT INTO t VALUES (1);",
    )
    with pytest.raises(StatementFailed, match="not today"):
        await project.upgrade()
    assert project.tables() == []
    assert await project.rows() == ()


async def test_a_rollback_marks_the_row_and_a_new_upgrade_makes_a_new_one(
    project: Project, runner: Any
) -> None:
    project.write("0001", "CREATE TABLE t (a);", "DROP TABLE t;")
    async with project.locked() as connection:
        await runner(connection, project.works())
        (applied,) = await live_rows(connection)
        back = project.work(project.files[0], "rollback", row=applied)
        assert await runner(connection, [back]) == ["0001"]
        assert project.tables() == []
        await runner(connection, project.works())
        old, new = (await connection.history(None)).rows
    assert (old.id, old.state, old.step) == (applied.id, State.ROLLED_BACK, 1)
    assert old.finished_at is not None
    assert applied.finished_at is not None
    assert (old.started_at, old.finished_at > applied.finished_at) == (applied.started_at, True)
    assert (new.state, new.live) == (State.APPLIED, True)
    assert project.tables() == ["t"]


async def test_a_failing_rollback_leaves_everything_as_it_was(
    project: Project, runner: Any
) -> None:
    project.write("0001", "CREATE TABLE t (a);", "DROP TABLE t;\nDROP TABLE t;")
    async with project.locked() as connection:
        await runner(connection, project.works())
        before = await live_rows(connection)
        work = project.work(project.files[0], "rollback", row=before[0])
        with pytest.raises(StatementFailed) as caught:
            await runner(connection, [work])
        assert (await connection.read()).rows == before
    assert "dbwarden rollback -d app" in str(caught.value.next_step)
    assert project.tables() == ["t"]


async def test_a_repeatable_that_runs_again_keeps_its_row(project: Project, runner: Any) -> None:
    project.write("RA", "CREATE TABLE IF NOT EXISTS t (a); INSERT INTO t VALUES (1);")
    async with project.locked() as connection:
        await runner(connection, project.works())
        (first,) = await live_rows(connection)
        await runner(connection, [project.work(project.files[0], row=first)])
        (second,) = await live_rows(connection)
    assert (second.id, second.state) == (first.id, State.APPLIED)
    assert first.finished_at is not None
    assert second.duration_ms is not None
    assert first.finished_at <= second.started_at
    assert second.duration_ms < 60_000
    assert project.query("SELECT count(*) FROM t") == [(2,)]


async def test_a_baseline_writes_the_row_and_runs_nothing(project: Project, runner: Any) -> None:
    project.write("0001", "CREATE TABLE t (a);\nVACUUM;\nSELECT nonsense;")
    async with project.locked() as connection:
        await runner(connection, [replace(work, fake=True) for work in project.works()])
    (row,) = await project.rows()
    assert (row.state, row.step, row.running) == (State.APPLIED, 0, None)
    assert row.marked
    assert row.finished_at is not None
    assert project.tables() == []


async def test_a_migration_without_steps_writes_its_row(project: Project, runner: Any) -> None:
    project.write("0001", "CREATE TABLE t (a);")
    async with project.locked() as connection:
        empty = [replace(work, steps=()) for work in project.works()]
        assert await runner(connection, empty) == ["0001"]
    (row,) = await project.rows()
    assert (row.state, row.step) == (State.APPLIED, 0)


# -- the ledger -------------------------------------------------------------------------------


async def test_the_history_is_created_once_under_its_configured_name(project: Project) -> None:
    project.options["ledger_table"] = 'my "own" ledger'
    project.write("0001", "CREATE TABLE t (a);")
    async with project.locked() as connection:
        assert (await connection.read()).rows == ()
        await connection.create_ledger()
    await project.upgrade()
    assert [row.key for row in await project.rows()] == ["0001"]
    assert project.query('SELECT key FROM "my ""own"" ledger"') == [("0001",)]


async def test_sqlite_refuses_a_second_live_row_of_a_migration(project: Project) -> None:
    project.write("0001", "CREATE TABLE IF NOT EXISTS t (a);")
    await project.upgrade()
    with pytest.raises(StatementFailed, match="UNIQUE constraint failed") as caught:
        await project.upgrade()
    assert caught.value.location is not None
    assert len(await project.rows()) == 1


async def test_a_table_of_another_program_is_no_history(project: Project) -> None:
    with project.application() as app:
        app.execute("CREATE TABLE dbwarden_ledger (id, key)")
    async with project.connect(read_only=True) as connection:
        with pytest.raises(LedgerError, match="is not a ledger of dbwarden") as caught:
            await connection.read()
    assert "ledger_table=" in str(caught.value.next_step)


@pytest.mark.parametrize(
    "change", ["state = 'bewildered'", "started_at = 'yesterday'", "finished_at = 5"]
)
async def test_an_invalid_row_is_named(project: Project, change: str) -> None:
    project.write("0001", "CREATE TABLE t (a);")
    await project.upgrade()
    project.query(f"UPDATE dbwarden_ledger SET {change}")
    with pytest.raises(LedgerError, match="row 1 of dbwarden_ledger is invalid"):
        await project.rows()


OTHERWISE = [
    {"id": 7},
    {"state": State.ROLLING_BACK},
    {"step": 7},
    {"running": "VACUUM"},
]
"""What a row was read as, where it is something else by now."""


@pytest.mark.parametrize("read_as", OTHERWISE, ids=lambda read_as: next(iter(read_as)))
async def test_a_row_that_changed_since_it_was_read_is_not_written(
    project: Project, runner: Any, read_as: dict[str, Any]
) -> None:
    """Not by repair, and not by a migration, whose SQL then leaves nothing behind."""
    project.write("0001", "SELECT 1;", "CREATE TABLE t (a);")
    project.write("0002", "SELECT 1;", "VACUUM;\nCREATE TABLE t (a);")
    await project.upgrade()
    before = await project.rows()
    one, two = (replace(row, **read_as) for row in before)
    async with project.locked() as connection:
        for call in (
            connection.delete_row(one),
            connection.update_row(one, replace(one, state=State.ROLLED_BACK, step=1)),
            runner(connection, [project.work(project.files[0], "rollback", row=one)]),
            runner(connection, [project.work(project.files[1], "rollback", row=two)]),
        ):
            with pytest.raises(LedgerError, match="dbwarden_ledger has changed since it was read"):
                await call
    assert project.tables() == []
    assert await project.rows() == before


async def test_a_row_can_be_corrected_and_forgotten(project: Project, runner: Any) -> None:
    project.write("0001", "CREATE TABLE t (a);\nVACUUM;\nSELECT nonsense;")
    async with project.locked() as connection:
        with pytest.raises(StatementFailed):
            await runner(connection, project.works())
        (row,) = await live_rows(connection)
        assert (row.state, row.step, row.finished_at) == (State.UPGRADING, 2, None)
        await connection.update_row(
            row,
            replace(
                row,
                state=State.APPLIED,
                step=3,
                upgrade_checksum=Checksum("new up"),
                rollback_checksum=None,
                steps_checksum=Checksum("new steps"),
            ),
        )
        (row,) = await live_rows(connection)
        assert (row.state, row.step, row.running) == (State.APPLIED, 3, None)
        assert (row.upgrade_checksum, row.rollback_checksum) == ("new up", None)
        assert row.steps_checksum == "new steps"
        assert row.finished_at is not None
        await connection.delete_row(row)
        assert (await connection.read()).rows == ()
        with pytest.raises(LedgerError, match="row 1 of dbwarden_ledger has changed"):
            await connection.delete_row(row)
        with pytest.raises(LedgerError, match="has changed"):
            await runner(connection, [project.work(project.files[0], row=row, fake=True)])


# -- foreign keys -----------------------------------------------------------------------------

FAMILY = """
CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE child (id INTEGER PRIMARY KEY, parent INT REFERENCES parent ON DELETE CASCADE);
INSERT INTO parent VALUES (1, 'a'), (2, 'b');
INSERT INTO child VALUES (10, 1), (11, 2);
"""
REBUILD = """
CREATE TABLE new_parent (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
INSERT INTO new_parent SELECT * FROM parent;
DROP TABLE parent;
ALTER TABLE new_parent RENAME TO parent;
"""


async def test_a_table_is_rebuilt_without_losing_the_rows_that_refer_to_it(
    project: Project,
) -> None:
    project.write("0001", FAMILY)
    project.write("0002", REBUILD)
    await project.upgrade()
    assert project.query("SELECT * FROM child") == [(10, 1), (11, 2)]
    assert project.query("PRAGMA foreign_key_check") == []


@pytest.mark.parametrize(
    "breaking",
    [
        "DELETE FROM parent WHERE id = 2;",
        "INSERT INTO child VALUES (12, 99);",
        "UPDATE child SET parent = 5 WHERE id = 10;",
        "WITH x AS (SELECT 1) DELETE FROM parent WHERE id = 1;",
        "DROP TABLE parent;",
    ],
)
async def test_a_step_that_breaks_foreign_keys_is_refused_with_the_rows(
    project: Project, breaking: str
) -> None:
    project.write("0001", FAMILY)
    path = project.write("0002", f"CREATE TABLE t (a);\n{breaking}")
    with pytest.raises(StatementFailed, match=r"child \(rowid 1.\) refers to no row of") as caught:
        await project.upgrade()
    assert str(caught.value.location) == f"{path}:3:1"
    assert project.query("PRAGMA foreign_key_check") == []
    assert project.tables() == ["child", "parent"]


async def test_many_broken_rows_are_counted_and_some_named(project: Project) -> None:
    project.write("0001", FAMILY)
    project.write("0002", "INSERT INTO child SELECT value, 99 FROM json_each('[1,2,3,4,5,6,7]');")
    with pytest.raises(StatementFailed, match=r"\(rowid 5\).*; and 2 more"):
        await project.upgrade()


async def test_a_broken_row_without_rowid_is_named_by_its_table(project: Project) -> None:
    project.write(
        "0001",
        "CREATE TABLE p (id INT PRIMARY KEY);\n"
        "CREATE TABLE c (id INT PRIMARY KEY, p REFERENCES p) WITHOUT ROWID;",
    )
    project.write("0002", "INSERT INTO c VALUES (1, 1);")
    with pytest.raises(StatementFailed, match="a row of c refers to no row of p"):
        await project.upgrade()


async def test_rows_that_were_broken_before_do_not_interfere(project: Project) -> None:
    project.write("0001", FAMILY)
    project.write("0002", REBUILD)
    project.write("0003", "INSERT INTO child VALUES (13, 99);")
    await project.upgrade("0001")
    project.query("INSERT INTO child VALUES (12, 98)")
    assert await project.upgrade("0002") == ["0002"]
    with pytest.raises(StatementFailed, match="foreign keys do not hold"):
        await project.upgrade("0003")


async def test_keys_that_sqlite_cannot_check_are_not_checked(project: Project) -> None:
    project.write(
        "0001",
        "CREATE TABLE p (a);\nCREATE TABLE c (a REFERENCES p (a));\nINSERT INTO p VALUES (1);",
    )
    project.write("0002", "INSERT INTO c VALUES (1);")
    with pytest.raises(StatementFailed, match="foreign key mismatch"):
        await project.upgrade("0001")  # the step makes them so
    project.query("CREATE TABLE p (a)")
    project.query("CREATE TABLE c (a REFERENCES p (a))")
    assert await project.upgrade("0002") == ["0002"]  # they were so


async def test_a_migration_may_switch_the_keys_on_and_leaves_them_off_for_the_next(
    project: Project,
) -> None:
    project.write("0001", FAMILY)
    project.write("0002", "PRAGMA foreign_keys = ON;\nDELETE FROM parent WHERE id = 2;")
    project.write("0003", REBUILD)
    await project.upgrade()
    assert project.query("SELECT * FROM child") == [(10, 1)]


async def test_a_deferred_key_that_fails_at_commit_leaves_nothing(project: Project) -> None:
    project.write(
        "0001",
        "PRAGMA foreign_keys = ON;\nCREATE TABLE p (id INT PRIMARY KEY);\n"
        "CREATE TABLE c (p REFERENCES p DEFERRABLE INITIALLY DEFERRED);",
    )
    project.write("0002", "PRAGMA foreign_keys = ON;\nREPLACE INTO c VALUES (1);")
    await project.upgrade("0001")
    with pytest.raises(StatementFailed) as caught:
        await project.upgrade("0002")
    assert caught.value.location is not None
    assert project.query("SELECT * FROM c") == []


async def test_settings_and_temporary_tables_of_a_migration_end_with_it(project: Project) -> None:
    project.write("0001", "CREATE TEMP TABLE scratch (a);\nPRAGMA recursive_triggers = ON;")
    project.write("0002", "CREATE TABLE seen AS SELECT * FROM pragma_recursive_triggers;")
    project.write("0003", "SELECT * FROM scratch;")
    with pytest.raises(StatementFailed, match="no such table: scratch"):
        await project.upgrade()
    assert project.query("SELECT * FROM seen") == [(0,)]


async def test_in_memory_the_keys_are_off_again_for_the_next_migration(project: Project) -> None:
    project.url = "sqlite:///:memory:"
    project.write("0001", FAMILY)
    project.write("0002", "PRAGMA foreign_keys = ON;")
    project.write("0003", REBUILD)
    assert await project.upgrade() == ["0001", "0002", "0003"]


# -- statements outside of a transaction ------------------------------------------------------


async def test_statements_that_refuse_a_transaction_run_in_file_order(project: Project) -> None:
    project.write(
        "0001",
        "CREATE TABLE t (a);\nPRAGMA journal_mode = WAL;\nINSERT INTO t VALUES (1);\nVACUUM;\n"
        "-- @dbwarden:autocommit\nINSERT INTO t VALUES (2);\n"
        "-- @dbwarden:autocommit\nPRAGMA optimize;",
    )
    assert await project.upgrade() == ["0001"]
    assert project.query("SELECT * FROM t") == [(1,), (2,)]
    assert project.query("PRAGMA journal_mode") == [("wal",)]
    (row,) = await project.rows()
    assert (row.state, row.step, row.running) == (State.APPLIED, 6, None)


async def test_a_failure_in_the_middle_keeps_the_steps_before_it_and_resumes_after_them(
    project: Project, runner: Any
) -> None:
    path = project.write(
        "0001", "CREATE TABLE t (a);\nVACUUM;\nINSERT INTO t VALUES (1);\nINSERT INTO u VALUES (1);"
    )
    with pytest.raises(StatementFailed) as caught:
        await project.upgrade()
    assert "the steps before it stay" in str(caught.value.next_step)
    (row,) = await project.rows()
    assert (row.state, row.step, row.running) == (State.UPGRADING, 2, None)
    (work,) = project.works()
    assert row.steps_checksum == steps_checksum(work.steps[:2])
    path.write_text(path.read_text().replace("INTO u", "INTO t"))
    async with project.locked() as connection:
        await runner(connection, [project.work(project.files[0], done=2, row=row)])
    (settled,) = await project.rows()
    assert (settled.id, settled.state, settled.step) == (row.id, State.APPLIED, 3)
    assert settled.started_at == row.started_at
    assert settled.duration_ms is not None
    assert row.duration_ms is not None
    assert settled.duration_ms > row.duration_ms
    assert settled.upgrade_checksum == project.files[0].upgrade.checksum != row.upgrade_checksum
    assert project.query("SELECT * FROM t") == [(1,), (1,)]


async def test_a_first_statement_outside_a_transaction_that_fails_leaves_no_row(
    project: Project,
) -> None:
    project.write("0001", f"VACUUM INTO '{project.root}/nowhere/copy.db';\nCREATE TABLE t (a);")
    with pytest.raises(StatementFailed, match="unable to open database") as caught:
        await project.upgrade()
    assert str(caught.value.location).endswith("step.sql:2:1")
    assert await project.rows() == ()


async def test_a_copy_that_an_earlier_run_began_is_explained(project: Project) -> None:
    project.write("0001", f"VACUUM INTO '{project.root}/copy.db';")
    (project.root / "copy.db").write_text("half a copy")
    with pytest.raises(StatementFailed, match="file is not a database"):
        await project.upgrade()
    (project.root / "copy.db").unlink()
    await project.upgrade()
    project.query("DELETE FROM dbwarden_ledger")
    with pytest.raises(StatementFailed, match="output file already exists") as caught:
        await project.upgrade()
    assert "delete it" in str(caught.value.hint)


async def test_a_later_statement_outside_a_transaction_that_fails_is_not_left_as_running(
    project: Project,
) -> None:
    project.write("0001", f"CREATE TABLE t (a);\nATTACH '{project.root}/nowhere/x.db' AS x;")
    with pytest.raises(StatementFailed, match="unable to open database"):
        await project.upgrade()
    (row,) = await project.rows()
    assert (row.state, row.step, row.running) == (State.UPGRADING, 1, None)


async def test_a_rollback_whose_first_statement_fails_outside_a_transaction_changes_no_row(
    project: Project, runner: Any
) -> None:
    project.write("0001", "CREATE TABLE t (a);", "ATTACH '/nowhere/x.db' AS x;\nDROP TABLE t;")
    async with project.locked() as connection:
        await runner(connection, project.works())
        before = await live_rows(connection)
        work = project.work(project.files[0], "rollback", row=before[0])
        with pytest.raises(StatementFailed):
            await runner(connection, [work])
        assert (await connection.read()).rows == before


async def test_a_rollback_in_steps_ends_rolled_back(project: Project, runner: Any) -> None:
    project.write("0001", "CREATE TABLE t (a);", "VACUUM;\nDROP TABLE t;\nVACUUM;")
    async with project.locked() as connection:
        await runner(connection, project.works())
        (row,) = await live_rows(connection)
        await runner(connection, [project.work(project.files[0], "rollback", row=row)])
        (back,) = (await connection.history(None)).rows
    assert (back.state, back.step, back.running) == (State.ROLLED_BACK, 3, None)
    assert back.started_at == row.started_at
    assert project.tables() == []


async def test_settings_of_earlier_steps_are_set_again_on_resume(
    project: Project, runner: Any
) -> None:
    project.write(
        "0001",
        f"ATTACH '{project.root}/other.db' AS other;\nCREATE TABLE other.t (a);\n"
        "PRAGMA main.page_size = 8192;\nPRAGMA foreign_keys = ON;\n"
        "INSERT INTO other.missing VALUES (1);\nVACUUM;",
    )
    path = project.folder / "app__0001_step.sql"
    with pytest.raises(StatementFailed):
        await project.upgrade()
    (row,) = await project.rows()
    assert row.step == 4
    path.write_text(path.read_text().replace("other.missing", "other.t"))
    async with project.locked() as connection:
        await runner(connection, [project.work(project.files[0], done=4, row=row)])
    assert project.query("PRAGMA page_size") == [(8192,)]
    other = sqlite3.connect(project.root / "other.db")
    assert other.execute("SELECT * FROM t").fetchall() == [(1,)]
    other.close()


async def test_steps_that_were_all_done_need_only_the_row(project: Project, runner: Any) -> None:
    path = project.write("0001", "CREATE TABLE t (a);\nVACUUM;\nSELECT nonsense;")
    with pytest.raises(StatementFailed):
        await project.upgrade()
    path.write_text(path.read_text().replace("SELECT nonsense;", ""))
    async with project.locked() as connection:
        (row,) = await live_rows(connection)
        await runner(connection, [project.work(project.files[0], done=2, row=row)])
    (row,) = await project.rows()
    assert (row.state, row.step) == (State.APPLIED, 2)


# -- other connections ------------------------------------------------------------------------


async def test_a_writing_application_is_waited_for(
    project: Project, runner: Any, until_held_up: Any
) -> None:
    project.write("0001", "CREATE TABLE t (a);")
    with project.application() as app:
        async with project.locked(lock_timeout=30.0) as connection:
            app.execute("BEGIN IMMEDIATE")
            async with anyio.create_task_group() as group:
                group.start_soon(runner, connection, project.works())
                await until_held_up()
                assert app.execute("SELECT * FROM dbwarden_ledger").fetchall() == []
                app.execute("COMMIT")
    assert project.tables() == ["t"]


async def test_a_commit_waits_for_a_reader(
    project: Project, runner: Any, until_held_up: Any
) -> None:
    project.write("0001", "CREATE TABLE t (a);")
    with project.application() as app:
        async with project.locked(lock_timeout=30.0) as connection:
            app.execute("BEGIN")
            app.execute("SELECT * FROM dbwarden_ledger").fetchall()
            async with anyio.create_task_group() as group:
                group.start_soon(runner, connection, project.works())
                await until_held_up()
                assert app.execute("SELECT * FROM dbwarden_ledger").fetchall() == []
                app.execute("COMMIT")
    assert len(await project.rows()) == 1


async def test_a_lock_that_lasts_too_long_is_tried_again_and_then_named(
    project: Project, runner: Any
) -> None:
    project.write("0001", "CREATE TABLE t (a);")
    events: list[telemetry.Event] = []
    with project.application() as app:
        async with project.locked(lock_timeout=0.01, lock_retries=2) as connection:
            app.execute("BEGIN IMMEDIATE")
            with (
                telemetry.listening(events.append),
                pytest.raises(LockTimeout, match="another connection has kept") as caught,
            ):
                await runner(connection, project.works())
            app.execute("ROLLBACK")
            retries = [event.fields for event in events if event.name == "lock_retry"]
            assert [(each["attempt"], each["of"], each["version"]) for each in retries] == [
                (1, 2, "0001"),
                (2, 2, "0001"),
            ]
            assert caught.value.location is not None
            assert "lock_timeout=" in str(caught.value.next_step)
            assert await runner(connection, project.works()) == ["0001"]


async def test_a_retried_step_ran_once(project: Project, runner: Any, until_retried: Any) -> None:
    project.write(
        "0001",
        f"CREATE TABLE t (a);\nATTACH '{project.root}/other.db' AS other;\n"
        "INSERT INTO t VALUES (1);\nCREATE TABLE other.o (a);",
    )
    other = sqlite3.connect(project.root / "other.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    async with (
        project.locked(lock_timeout=0.01, lock_retries=1000) as connection,
        anyio.create_task_group() as group,
    ):
        group.start_soon(runner, connection, project.works())
        await until_retried()
        other.execute("ROLLBACK")
        other.close()
    assert project.query("SELECT * FROM t") == [(1,)]


async def test_a_statement_that_ran_is_not_repeated_when_only_its_row_met_a_lock(
    project: Project, runner: Any, until_retried: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("0001", f"ATTACH '{project.root}/other.db' AS other;\nCREATE TABLE t (a);")
    with project.application() as app:

        def publish_statement(_: Session, statement: str | None) -> None:
            """The application begins to write just when the statement has been announced."""
            if statement and statement.startswith("ATTACH"):
                app.execute("BEGIN IMMEDIATE")

        monkeypatch.setattr(Session, "publish_statement", publish_statement)
        async with (
            project.locked(lock_timeout=0.01, lock_retries=1000) as connection,
            anyio.create_task_group() as group,
        ):
            group.start_soon(runner, connection, project.works())
            await until_retried()
            app.execute("ROLLBACK")
    assert project.tables() == ["t"]


async def test_without_a_lock_timeout_the_wait_does_not_end(
    project: Project, runner: Any, until_held_up: Any
) -> None:
    project.write("0001", "CREATE TABLE t (a);")
    with project.application() as app:
        async with project.locked(lock_timeout=None) as connection:
            app.execute("BEGIN IMMEDIATE")
            async with anyio.create_task_group() as group:
                group.start_soon(runner, connection, project.works())
                for _ in range(5):  # it tries again and again
                    await until_held_up()
                group.cancel_scope.cancel()
            app.execute("ROLLBACK")
    assert project.tables() == []


async def test_a_statement_ends_after_statement_timeout_and_leaves_nothing(
    project: Project,
) -> None:
    project.write("0001", f"CREATE TABLE t (a);\n{SLOW.format('SELECT count(*) FROM r')};")
    with pytest.raises(StatementFailed, match=r"stopped after 0\.1 s") as caught:
        await project.upgrade(statement_timeout=0.1)
    assert str(caught.value.location).endswith(":3:1")
    assert "statement_timeout=" in str(caught.value.next_step)
    assert project.tables() == []


async def test_an_error_never_loses_its_database(project: Project) -> None:
    project.write("0001", "SELECT nonsense;")
    with pytest.raises(DBWardenError) as caught:
        await project.upgrade()
    assert caught.value.database == "app"
