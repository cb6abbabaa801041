"""After kill -9, a full disk or a moved file, the next run reaches the same end."""

import random
import resource
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dbwarden.errors import AccessDenied, ConnectError, ConnectionLost, StatementFailed
from dbwarden.migration_history import State
from tests.integration.sqlite.conftest import Project, live_rows

SLOW = (
    "SELECT count(*) FROM (WITH RECURSIVE r(i) AS "
    "(SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < {}) SELECT i FROM r);"
)
ENDLESS = SLOW.format(10**12)


async def finished(other_process: Any) -> str:
    """What the next run applies."""
    return str(await other_process("migrate").ended())


async def test_a_kill_in_a_transaction_leaves_nothing(
    project: Project, other_process: Any, lock_file_says: Any
) -> None:
    project.write("0001", "CREATE TABLE t (a);\nINSERT INTO t VALUES (1);")
    path = project.write("0002", f"CREATE TABLE u (a);\nINSERT INTO t VALUES (2);\n{ENDLESS}")
    process = other_process("migrate")
    await lock_file_says("RECURSIVE")
    process.kill()
    assert project.tables() == ["t"]
    assert [row.key for row in await project.rows()] == ["0001"]
    path.write_text(path.read_text().replace(ENDLESS, ""))
    assert await finished(other_process) == "0002"
    assert project.query("SELECT a FROM t") == [(1,), (2,)]
    assert project.tables() == ["t", "u"]
    assert project.beside() == ["app.db"]


async def test_a_kill_outside_a_transaction_is_detected_and_resumed(
    project: Project, other_process: Any, lock_file_says: Any
) -> None:
    project.query(
        "CREATE TABLE big AS SELECT randomblob(1000) AS a FROM (WITH RECURSIVE r(i) AS "
        "(SELECT 1 UNION ALL SELECT i + 1 FROM r LIMIT 50000) SELECT i FROM r)"
    )
    project.write(
        "0001", "CREATE TABLE t (a);\nINSERT INTO t VALUES (1);\nVACUUM;\nINSERT INTO t VALUES (2);"
    )
    process = other_process("migrate")
    await lock_file_says('"VACUUM"')
    process.kill()
    async with project.connect() as connection:  # takes back what the kill left
        (row,) = await live_rows(connection)
    assert row.state is State.UPGRADING
    assert (row.step, row.running) in [(1, "VACUUM"), (2, None)]
    assert await finished(other_process) == "0001"
    assert project.query("SELECT a FROM t") == [(1,), (2,)]
    (row,) = await project.rows()
    assert (row.state, row.step, row.running) == (State.APPLIED, 3, None)


async def test_a_marked_statement_that_was_killed_runs_exactly_once(
    project: Project, other_process: Any, lock_file_says: Any
) -> None:
    """What SQLite could run in a transaction gets one, together with its journal row."""
    path = project.write(
        "0001",
        "CREATE TABLE t (a);\n-- @dbwarden:autocommit\nINSERT INTO t VALUES (1);\n"
        f"-- @dbwarden:autocommit\nINSERT INTO t {ENDLESS}",
    )
    process = other_process("migrate")
    await lock_file_says("RECURSIVE")
    process.kill()
    path.write_text(path.read_text().replace(ENDLESS, "VALUES (2);"))
    assert await finished(other_process) == "0001"
    assert project.query("SELECT a FROM t") == [(1,), (2,)]


async def test_a_rollback_that_was_killed_is_finished_by_the_next_one(
    project: Project, runner: Any
) -> None:
    """The state that a kill within VACUUM leaves, written down by hand."""
    project.write(
        "0001", "CREATE TABLE t (a);\nCREATE TABLE u (a);", "DROP TABLE u;\nVACUUM;\nDROP TABLE t;"
    )
    await project.upgrade()
    project.query("DROP TABLE u")
    project.query("UPDATE dbwarden_ledger SET state = 'rolling_back', step = 1, running = 'VACUUM'")
    async with project.locked() as connection:
        (row,) = await live_rows(connection)
        work = project.work(project.files[0], "rollback", done=1, interrupted=True, row=row)
        assert await runner(connection, [work]) == ["0001"]
    (row,) = await project.rows()
    assert (row.state, row.step, row.running) == (State.ROLLED_BACK, 3, None)
    assert project.tables() == []


@pytest.mark.long(share=4)
@pytest.mark.parametrize("journal_mode", ["delete", "wal"])
@pytest.mark.parametrize("seed", range(9))
async def test_a_kill_at_any_moment_leads_to_the_same_end(
    project: Project, other_process: Any, journal_mode: str, seed: int
) -> None:
    project.query(f"PRAGMA journal_mode = {journal_mode}")
    project.write("0001", "CREATE TABLE ran (version INT, step INT);")
    for version in range(2, 8):
        slow = SLOW.format(20_000)
        project.write(
            f"{version:04}",
            f"INSERT INTO ran VALUES ({version}, 1);\n{slow}\nCREATE TABLE t{version} (a);\n"
            f"VACUUM;\n-- @dbwarden:autocommit\nINSERT INTO ran VALUES ({version}, 2);\n"
            f"INSERT INTO ran VALUES ({version}, 3);\n{slow}\nPRAGMA foreign_keys = ON;\n"
            f"DROP TABLE t{version};\nINSERT INTO ran VALUES ({version}, 4);",
        )
    chance = random.Random(f"{journal_mode} {seed}")
    for _ in range(3):
        process = other_process("migrate")
        await process.at_work(chance.randint(1, 12))
        process.kill()
    await finished(other_process)
    assert project.query("SELECT * FROM ran") == [
        (version, step) for version in range(2, 8) for step in range(1, 5)
    ]
    assert project.tables() == ["ran"]
    rows = await project.rows()
    assert [(row.key, row.state) for row in rows] == [
        (f"{version:04}", State.APPLIED) for version in range(1, 8)
    ]
    assert project.query("PRAGMA integrity_check") == [("ok",)]
    # Who was killed between its last commit and its end leaves a dead lock file, and a run with
    # nothing to do takes no lock. It holds nobody up, and whoever takes the lock next clears it.
    async with project.connect() as connection, connection.lock():
        pass
    assert project.beside() == ["app.db"]


# -- the disk ---------------------------------------------------------------------------------


async def test_a_database_at_its_size_limit_is_reported_and_works_afterwards(
    project: Project, runner: Any
) -> None:
    project.write(
        "0001",
        "CREATE TABLE t (a);\nPRAGMA max_page_count = 40;\n"
        "INSERT INTO t SELECT randomblob(1000) FROM "
        "(WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r LIMIT 1000) "
        "SELECT i FROM r);",
    )
    project.write("0002", "CREATE TABLE u (a);")
    async with project.locked() as connection:
        with pytest.raises(StatementFailed, match="is full, or the database has reached") as caught:
            await runner(connection, project.works("0001"))
        assert str(caught.value.location).endswith(":4:1")
        assert caught.value.detail == "SQLITE_FULL (13)"
        assert "Free some space" in str(caught.value.next_step)
        assert (await connection.read()).rows == ()
    assert await project.upgrade("0002") == ["0002"]
    assert project.tables() == ["u"]
    assert project.beside() == ["app.db"]


@pytest.mark.parametrize("journal_mode", ["delete", "wal"])
def test_a_file_that_may_not_grow_is_reported_and_nothing_is_applied(
    project: Project, journal_mode: str
) -> None:
    project.query(f"PRAGMA journal_mode = {journal_mode}")
    project.write("0001", "CREATE TABLE kept (a);")
    project.write(
        "0002",
        "CREATE TABLE t AS SELECT randomblob(1000) AS a FROM "
        "(WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r LIMIT 5000) "
        "SELECT i FROM r);",
    )
    assert migrated(project, limit=300_000).startswith(("StatementFailed", "ConnectionLost"))
    assert project.tables() == ["kept"]
    assert project.query("SELECT key FROM dbwarden_ledger") == [("0001",)]
    assert migrated(project) == "0002"
    assert project.query("PRAGMA integrity_check") == [("ok",)]


def test_a_full_disk_is_reported_and_the_database_works_afterwards(
    project: Project, small_disk: Path
) -> None:
    project.root = small_disk
    project.write("0001", "CREATE TABLE kept (a);\nINSERT INTO kept VALUES (1);")
    project.write(
        "0002",
        "INSERT INTO kept SELECT randomblob(1000) FROM "
        "(WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r LIMIT 5000) "
        "SELECT i FROM r);",
    )
    said = migrated(project)
    assert said.startswith("StatementFailed")
    assert "the disk that holds" in said
    assert "app__0002_step.sql:2:1" in said
    assert project.query("SELECT * FROM kept") == [(1,)]
    assert project.query("SELECT key FROM dbwarden_ledger") == [("0001",)]
    (project.folder / "app__0002_step.sql").unlink()
    project.write("0002", "INSERT INTO kept VALUES (2);")
    assert migrated(project) == "0002"
    assert not project.lock_file.exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    """A file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def migrated(project: Project, limit: int | None = None) -> str:
    """What a migrate of another process says; its files may not grow beyond *limit* bytes."""

    def limited() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("migrator.py")), project.root, "migrate"],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limited,
    )
    return done.stdout.strip()


# -- the file ---------------------------------------------------------------------------------


async def test_a_file_that_was_moved_away_is_not_written(project: Project, runner: Any) -> None:
    project.write("0001", "CREATE TABLE t (a);")
    project.write("0002", "CREATE TABLE u (a);")
    async with project.locked() as connection:
        await runner(connection, project.works("0001"))
        project.file.rename(project.root / "moved.db")
        project.file.touch()
        with pytest.raises(ConnectionLost, match="moved or replaced while it was open"):
            await runner(connection, project.works("0002"))
    moved = sqlite3.connect(project.root / "moved.db")
    assert moved.execute("SELECT count(*) FROM dbwarden_ledger").fetchall() == [(1,)]
    moved.close()


async def test_a_lost_page_is_called_damage_and_not_the_statements_fault(project: Project) -> None:
    project.query("CREATE TABLE t AS SELECT randomblob(3000) AS a FROM json_each('[1,2,3,4,5]')")
    content = project.file.read_bytes()
    project.file.write_bytes(content[:4096] + b"\xff" * 4096 + content[8192:])
    project.write("0001", "UPDATE t SET a = 1;")
    with pytest.raises(
        ConnectError, match="is damaged: database disk image is malformed"
    ) as caught:
        await project.upgrade()
    assert str(caught.value.location).endswith(":2:1")


async def test_a_journal_that_cannot_be_created_is_named(project: Project) -> None:
    project.write("0001", "CREATE TABLE t (a);")
    async with project.connect() as connection, connection.lock():
        (project.root / "app.db-journal").mkdir()
        with pytest.raises(AccessDenied, match="or its journal cannot be opened"):
            await connection.create_ledger()
        (project.root / "app.db-journal").rmdir()


async def test_an_unreachable_lock_file_is_named(project: Project) -> None:
    project.lock_file.mkdir()
    async with project.connect() as connection:
        with pytest.raises(ConnectError, match=r"the lock file .*app\.db\.dbwarden-lock cannot"):
            async with connection.lock():
                pass
