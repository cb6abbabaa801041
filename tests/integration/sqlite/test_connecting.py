"""Databases are opened, or the reason is reported in one sentence."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from dbwarden.errors import (
    AccessDenied,
    ConfigurationError,
    ConnectError,
    DatabaseMissing,
    LockTimeout,
    ReadOnlyDatabase,
)
from tests.integration.sqlite.conftest import Project


def python(code: str, *arguments: Any) -> subprocess.CompletedProcess[str]:
    """Run *code* in another process."""
    return subprocess.run(
        [sys.executable, "-c", dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def filled(path: Path, journal_mode: str = "delete", rows: int = 10) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA journal_mode = {journal_mode}")
    connection.execute("CREATE TABLE t (a)")
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO t VALUES (?)", [("x" * 200,)] * rows)
    connection.execute("COMMIT")
    connection.close()


async def test_a_writing_connection_creates_the_file(project: Project) -> None:
    async with project.connect() as connection:
        assert (await connection.read()).rows is None
    assert project.file.exists()


async def test_reading_a_missing_database_does_not_create_it(
    project: Project,
) -> None:
    async with project.connect(read_only=True) as connection:
        reading = await connection.read()
    assert reading.rows is None
    assert reading.holder is None
    assert project.beside() == []


async def test_a_read_sees_a_database_that_was_created_in_the_meantime(project: Project) -> None:
    async with project.connect(read_only=True) as connection:
        assert (await connection.read()).rows is None
        async with project.connect() as writer, writer.lock():
            await writer.create_ledger()
        assert (await connection.read()).rows == ()


@pytest.mark.parametrize("read_only", [True, False])
async def test_a_missing_folder_is_named_with_the_command_that_makes_it(
    project: Project, read_only: bool
) -> None:
    project.url = "sqlite:///data/app.db"
    with pytest.raises(DatabaseMissing, match=r"the folder .*data of the database") as caught:
        async with project.connect(read_only=read_only):
            pass
    assert "mkdir -p" in str(caught.value.next_step)
    assert not (project.root / "data").exists()


async def test_a_folder_in_place_of_the_file_is_reported(project: Project) -> None:
    project.file.mkdir()
    with pytest.raises(ConnectError, match="is a folder, not an SQLite database"):
        async with project.connect():
            pass


async def test_a_pipe_in_place_of_the_file_is_refused_immediately(project: Project) -> None:
    os.mkfifo(project.file)
    with pytest.raises(ConnectError, match="no regular file"):
        async with project.connect():
            pass


async def test_a_path_through_a_file_is_refused(project: Project) -> None:
    project.file.write_text("")
    project.url = "sqlite:///app.db/app.db"
    with pytest.raises(AccessDenied, match="Not a directory"):
        async with project.connect():
            pass


@pytest.mark.parametrize("read_only", [True, False])
async def test_a_file_of_another_kind_is_no_database(project: Project, read_only: bool) -> None:
    project.file.write_text("Dear diary, " * 100)
    with pytest.raises(
        ConnectError, match="is not an SQLite database, or it is encrypted"
    ) as caught:
        async with project.connect(read_only=read_only):
            pass
    assert caught.value.detail == "SQLITE_NOTADB (26)"
    assert project.file.read_text().startswith("Dear diary")


async def test_a_damaged_database_is_called_damaged(project: Project) -> None:
    filled(project.file, rows=2000)
    content = project.file.read_bytes()
    project.file.write_bytes(content[:100] + b"\xff" * 3000 + content[3100:])
    with pytest.raises(ConnectError, match="is damaged") as caught:
        async with project.connect():
            pass
    assert "integrity_check" in str(caught.value.next_step)


def as_nobody(folder: Path, code: str) -> str:
    """What *code* prints when it runs without root's rights; ``told`` connects and tells."""
    prelude = f"""
        import os
        from pathlib import Path
        from dataclasses import replace
        import anyio
        from dbwarden.config.database_options import DatabaseConfig
        from dbwarden.kinds import dialect_for
        from dbwarden.errors import DBWardenError
        root = Path({str(folder)!r})
        config = DatabaseConfig(database_name="app", database_type="sqlite", root=root,
            database_url="sqlite:///app.db", migrations_dir=root / "migrations")
        async def told(read_only=False, config=config):
            try:
                async with dialect_for("sqlite").connect(config, read_only=read_only) as connection:
                    reading = await connection.read()
                    print("read_only", reading.read_only)
                    async with connection.lock():
                        print("locked")
            except DBWardenError as error:
                print(type(error).__name__, error.message)
        # Loads every module while they can still be read.
        anyio.run(told, False, replace(config, database_url="sqlite:///:memory:"))
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
    """
    done = python(dedent(prelude) + code)
    assert done.returncode == 0, done.stderr
    return done.stdout.removeprefix("read_only False\nlocked\n")


@pytest.fixture
def open_folder() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def test_an_unreadable_file_is_named(open_folder: Path) -> None:
    filled(open_folder / "app.db")
    (open_folder / "app.db").chmod(0)
    told = as_nobody(open_folder, "anyio.run(told); anyio.run(told, True)")
    sentence = f"AccessDenied this user may not read {open_folder / 'app.db'}"
    assert told.splitlines() == [sentence, sentence]


def test_a_folder_that_may_not_be_written_is_named(open_folder: Path) -> None:
    os.chmod(open_folder, 0o555)
    told = as_nobody(open_folder, "anyio.run(told)")
    assert told.strip() == f"AccessDenied this user may not create {open_folder / 'app.db'}"


def test_a_folder_that_may_not_be_entered_is_named(open_folder: Path) -> None:
    os.chmod(open_folder, 0)
    told = as_nobody(open_folder, "anyio.run(told, True)")
    assert told.startswith(f"AccessDenied {open_folder / 'app.db'} cannot be accessed: Permission")


def test_a_read_only_file_is_read_and_reported_as_read_only(open_folder: Path) -> None:
    filled(open_folder / "app.db", "wal")
    os.chmod(open_folder / "app.db", 0o444)
    os.chmod(open_folder, 0o555)
    told = as_nobody(open_folder, "anyio.run(told, True)").splitlines()
    assert told[0] == "read_only True"
    assert told[1].startswith("AccessDenied this user may not create the lock file")


async def test_sqlite_itself_refuses_writes_on_a_read_only_connection(project: Project) -> None:
    filled(project.file)
    async with project.connect(read_only=True) as connection:
        with pytest.raises(ReadOnlyDatabase, match="is read-only"):
            await connection.create_ledger()
    assert project.tables() == ["t"]


async def test_sqlite_itself_refuses_writes_in_a_read_only_memory(project: Project) -> None:
    project.url = "sqlite:///:memory:"
    async with project.connect(read_only=True) as connection:
        with pytest.raises(ReadOnlyDatabase):
            await connection.create_ledger()
        assert (await connection.read()).rows is None


async def test_a_read_only_url_is_respected(project: Project) -> None:
    filled(project.file)
    project.url = "sqlite:///file:app.db?mode=ro&uri=true"
    async with project.connect() as connection:
        assert (await connection.read()).read_only
        with pytest.raises(ReadOnlyDatabase):
            await connection.create_ledger()


async def test_a_url_with_mode_rw_does_not_create_the_file(project: Project) -> None:
    project.url = "sqlite:///file:app.db?mode=rw&uri=true"
    with pytest.raises(DatabaseMissing):
        async with project.connect():
            pass
    assert project.beside() == []


@pytest.mark.parametrize("journal_mode", ["delete", "truncate", "persist", "memory", "wal"])
async def test_reading_leaves_no_file_and_changes_no_byte(
    project: Project, journal_mode: str
) -> None:
    filled(project.file, journal_mode)
    before, bytes_before = project.beside(), project.file.read_bytes()
    async with project.connect(read_only=True) as connection:
        reading = await connection.read()
        assert project.beside() == before
    assert reading.rows is None
    assert reading.server_version == sqlite3.sqlite_version
    assert (reading.namespace, reading.replica, reading.holder) == (None, None, None)
    assert not reading.read_only
    assert project.beside() == before
    assert project.file.read_bytes() == bytes_before


async def test_reading_an_empty_file_leaves_it_empty(project: Project) -> None:
    project.file.touch()
    async with project.connect(read_only=True) as connection:
        assert (await connection.read()).rows is None
    assert project.beside() == ["app.db"]
    assert project.file.stat().st_size == 0


async def test_a_read_sees_rows_of_the_wal(project: Project) -> None:
    project.write("0001", "CREATE TABLE t (a);")
    with project.application() as app:
        app.execute("PRAGMA journal_mode = wal")
        app.execute("PRAGMA wal_autocheckpoint = 0")
        await project.upgrade()
        app.execute("SELECT * FROM t")
        assert [row.key for row in await project.rows()] == ["0001"]


async def test_a_second_read_sees_rows_written_since_the_first(project: Project) -> None:
    project.write("0001", "CREATE TABLE t (a);")
    filled(project.file, "wal")
    async with project.connect(read_only=True) as connection:
        assert (await connection.read()).rows is None
        with project.application() as app:
            app.execute("DROP TABLE t")
        await project.upgrade()
        rows = (await connection.read()).rows
        assert rows is not None
        assert [row.key for row in rows] == ["0001"]
    assert project.beside() == ["app.db"]


@pytest.mark.parametrize("journal_mode", ["delete", "wal"])
async def test_reading_keeps_the_locks_of_the_applications_connections(
    project: Project, journal_mode: str
) -> None:
    """POSIX locks belong to the process: closing any descriptor of the file frees them."""
    filled(project.file, journal_mode)
    other = """
        import sqlite3, sys
        sqlite3.connect(sys.argv[1], timeout=0).execute("BEGIN IMMEDIATE")
    """
    with project.application() as app:
        app.execute("BEGIN IMMEDIATE")
        app.execute("INSERT INTO t VALUES (1)")
        async with project.connect(read_only=True) as connection:
            await connection.read()
        tried = python(other, project.file)
        app.execute("ROLLBACK")
    assert "database is locked" in tried.stderr


async def test_a_transaction_of_a_killed_process_is_named_and_rolled_back_by_the_next_writer(
    project: Project,
) -> None:
    filled(project.file, rows=100)
    code = """
        import os, signal, sqlite3, sys
        connection = sqlite3.connect(sys.argv[1], isolation_level=None)
        connection.execute("PRAGMA cache_size = 5")
        connection.execute("BEGIN")
        connection.execute("UPDATE t SET a = 'y'")
        connection.executemany("INSERT INTO t VALUES (?)", [("y" * 500,)] * 1000)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    python(code, project.file)
    assert project.beside() == ["app.db", "app.db-journal"]
    with pytest.raises(ConnectError, match=r"was killed left .* in the middle") as caught:
        async with project.connect(read_only=True) as connection:
            await connection.read()
    assert "dbwarden migrate -d app" in str(caught.value.next_step)
    async with project.connect() as connection:
        await connection.read()
    assert project.query("SELECT count(*), max(a) FROM t") == [(100, "x" * 200)]
    assert project.beside() == ["app.db"]


async def test_a_locked_database_can_be_opened_and_a_read_waits_for_lock_timeout(
    project: Project,
) -> None:
    filled(project.file)
    with project.application() as app:
        app.execute("BEGIN EXCLUSIVE")
        async with project.connect(read_only=True, lock_timeout=0.1) as connection:
            with pytest.raises(LockTimeout, match=r"for 0\.1 s \(lock_timeout\)") as caught:
                await connection.read()
            assert caught.value.detail == "SQLITE_BUSY (5)"
            app.execute("ROLLBACK")
            assert (await connection.read()).rows is None


async def test_each_connection_to_memory_is_its_own_database(project: Project, runner: Any) -> None:
    project.url = "sqlite:///:memory:"
    project.write("0001", "CREATE TABLE t (a);")
    async with project.locked() as connection:
        assert await runner(connection, project.works()) == ["0001"]
        rows = (await connection.read()).rows
        assert rows is not None
        assert [row.key for row in rows] == ["0001"]
        async with project.connect() as other:
            assert (await other.read()).rows is None
    assert project.beside() == []


async def test_a_named_memory_is_shared_within_the_process(project: Project) -> None:
    project.url = "sqlite:///file:shared_by_test?mode=memory&cache=shared&uri=true"
    project.write("0001", "CREATE TABLE t (a);")
    async with project.connect() as kept:
        assert (await kept.read()).rows is None
        await project.upgrade()
        assert [row.key for row in await project.rows()] == ["0001"]


async def test_a_memory_that_sqlite_does_not_know_is_refused(project: Project) -> None:
    project.url = "sqlite:///file:x?mode=memory&vfs=nowhere&uri=true"
    with pytest.raises(ConnectError, match="the database in memory cannot be opened: no such vfs"):
        async with project.connect():
            pass


async def test_names_with_odd_characters_are_opened_unchanged(project: Project) -> None:
    project.url = "sqlite:///a%3Fb%23c%25d e.db"
    async with project.connect():
        pass
    assert project.beside() == ["a?b#c%d e.db"]


async def test_a_namespace_for_the_ledger_is_refused(project: Project) -> None:
    with pytest.raises(ConfigurationError, match="SQLite has no namespaces"):
        async with project.connect(ledger_schema="ops"):
            pass


async def test_unresponsive_storage_times_out_after_connect_timeout(project: Project) -> None:
    with pytest.raises(ConnectError, match=r"could not be opened within 0 s \(connect_timeout\)"):
        async with project.connect(connect_timeout=0.0):
            pass


def test_importing_the_package_loads_neither_driver_nor_event_loop() -> None:
    code = """
        import sys
        before = set(sys.modules)  # measuring coverage loads some itself
        import dbwarden.dialects.sqlite
        print(sorted({"sqlite3", "anyio", "asyncio"} & (set(sys.modules) - before)))
        dbwarden.dialects.sqlite.DIALECT
        print(sorted({"sqlalchemy", "fastapi", "aiosqlite", "asyncpg"} & set(sys.modules)))
    """
    done = python(code)
    assert done.stdout.split("\n")[:2] == ["[]", "[]"]
    import dbwarden.dialects.sqlite

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        dbwarden.dialects.sqlite.nothing  # noqa: B018
