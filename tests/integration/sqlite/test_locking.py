"""One migrator per database, between connections and processes, also when one dies."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

import dbwarden
from dbwarden.dialects.sqlite.migrate.lock import HolderMark, LockFile, born, has_name
from dbwarden.errors import (
    ConnectError,
    DatabaseMissing,
    DBWardenError,
    LockTimeout,
    MigratorBusy,
    StatementFailed,
)
from dbwarden.migration_history import LockHolder
from tests.integration.sqlite.conftest import Project, holder_of

SLOW = (
    "SELECT count(*) FROM (WITH RECURSIVE r(i) AS "
    "(SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 1000000000) SELECT i FROM r);"
)


async def test_two_connections_exclude_each_other_and_the_one_that_waits_gets_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    refused = threading.Event()
    take = LockFile.take

    def watched(lock: LockFile) -> bool:
        taken = take(lock)
        if not taken:
            refused.set()
        return taken

    monkeypatch.setattr(LockFile, "take", watched)

    async def second() -> None:
        async with project.connect(migration_lock_timeout=30.0) as connection, connection.lock():
            order.append("second has it")

    async with (
        anyio.create_task_group() as group,
        project.connect() as connection,
        connection.lock(),
    ):
        group.start_soon(second)
        await anyio.to_thread.run_sync(refused.wait)
        order.append("first lets go")
    assert order == ["first lets go", "second has it"]


async def test_a_migrator_that_gives_up_names_the_holder(
    project: Project, other_process: Any
) -> None:
    holder = other_process("hold")
    assert await holder.line() == "locked"
    async with project.connect(migration_lock_timeout=0.05) as connection:
        with pytest.raises(MigratorBusy, match=r"more than 0\.05 s") as caught:
            async with connection.lock():
                pass
    words = str(caught.value)
    assert f"pid {holder.popen.pid}, migrator.py, from {socket.gethostname()}, since 2" in words
    assert "dbwarden lock-status -d app" in str(caught.value.next_step)
    assert "dbwarden unlock --force -d app" in str(caught.value.next_step)


async def test_a_read_names_the_holder_and_never_the_reader(
    project: Project, other_process: Any
) -> None:
    before = datetime.now(UTC)
    async with project.connect() as connection:
        async with connection.lock():
            assert (await connection.read()).holder is None
        assert (await connection.read()).holder is None
        holder = other_process("hold")
        await holder.line()
        found = await holder_of(connection)
    assert (found.pid, found.application) == (holder.popen.pid, "migrator.py")
    assert (found.host, found.statement) == (socket.gethostname(), None)
    assert found.since is not None
    assert before <= found.since <= datetime.now(UTC)


async def test_a_read_reports_the_statement_of_the_holder(
    project: Project, other_process: Any, holder_at_work: Any
) -> None:
    project.write("0001", SLOW)
    other_process("migrate")
    holder = await holder_at_work()
    assert holder.statement.startswith("SELECT count(*) FROM (WITH RECURSIVE")
    assert len(holder.statement) <= 300


async def test_a_killed_holder_holds_nothing_and_its_file_is_harmless(
    project: Project, other_process: Any
) -> None:
    holder = other_process("hold")
    await holder.line()
    holder.kill()
    assert project.lock_file.exists()
    async with project.connect() as connection:
        assert (await connection.read()).holder is None
        async with connection.lock():
            pass
    assert project.beside() == ["app.db"]


@pytest.mark.parametrize("content", ["", "{", '{"pid": 1}', "[]", "\x00"])
async def test_any_leftover_is_harmless(project: Project, content: str) -> None:
    project.lock_file.write_text(content)
    async with project.connect() as connection:
        assert (await connection.read()).holder is None
        async with connection.lock():
            pass
    assert not project.lock_file.exists()


async def test_the_holder_of_an_empty_lock_file_is_unknown(project: Project) -> None:
    async with project.connect() as connection, connection.lock(), project.connect() as other:
        os.truncate(project.lock_file, 0)
        assert (await other.read()).holder == LockHolder(pid=None)
        with pytest.raises(MigratorBusy, match="an unknown process"):
            async with other.lock():
                pass


async def test_nothing_is_left_behind_and_the_lock_can_be_taken_again(project: Project) -> None:
    async with project.connect() as connection:
        for _ in range(3):
            async with connection.lock():
                assert project.lock_file.exists()
            assert not project.lock_file.exists()


async def test_an_error_under_the_lock_releases_it(project: Project) -> None:
    project.write("0001", "SELECT nonsense;")
    with pytest.raises(StatementFailed):
        await project.upgrade()
    assert not project.lock_file.exists()


async def test_a_link_to_the_database_leads_to_the_same_lock(project: Project) -> None:
    project.file.touch()
    (project.root / "elsewhere").mkdir()
    (project.root / "elsewhere" / "link.db").symlink_to(project.file)
    async with project.connect() as connection, connection.lock():
        project.url = "sqlite:///elsewhere/link.db"
        async with project.connect(migration_lock_timeout=0.0) as other:
            with pytest.raises(MigratorBusy):
                async with other.lock():
                    pass


@pytest.mark.parametrize("make", [os.symlink, os.link], ids=["symbolic", "hard"])
async def test_a_lock_file_that_is_a_link_is_not_written(project: Project, make: Any) -> None:
    precious = project.root / "precious"
    precious.write_text("of somebody else")
    make(precious, f"{project.file}.dbwarden-lock")
    project.write("0001", "CREATE TABLE u (id);")
    with pytest.raises(ConnectError, match="it is a link to another file") as caught:
        await dbwarden.migrate(project.config)
    assert precious.read_text() == "of somebody else"
    assert "then remove it" in str(caught.value.next_step)


async def test_a_database_is_not_created_through_a_link(project: Project) -> None:
    project.file.symlink_to(project.root / "elsewhere.db")
    for operation in (dbwarden.migrate, dbwarden.create_database):
        with pytest.raises(DatabaseMissing, match=r"elsewhere\.db, which does not exist"):
            await operation(project.config)
    assert not (project.root / "elsewhere.db").exists()


@pytest.mark.parametrize("end", ["-journal", "-wal", "-shm"])
async def test_files_next_to_a_sqlite_database_follow_no_link(project: Project, end: str) -> None:
    with contextlib.closing(sqlite3.connect(project.file)) as made:
        made.execute(f"PRAGMA journal_mode = {'delete' if end == '-journal' else 'wal'}")
        made.execute("CREATE TABLE t (id)")
    precious = project.root / "precious"
    precious.write_text("of somebody else")
    project.file.with_name(f"app.db{end}").symlink_to(precious)
    project.write("0001", "CREATE TABLE u (id);")
    with contextlib.suppress(DBWardenError):
        await dbwarden.migrate(project.config)
    assert precious.read_text() == "of somebody else"


def test_a_lock_on_a_deleted_file_does_not_count(project: Project) -> None:
    """Between opening the file and locking it, its holder may have unlinked it."""
    first, second = LockFile(project.file, "first"), LockFile(project.file, "second")
    assert first.take()
    os.unlink(project.lock_file)
    assert second.take()
    assert first.held
    assert second.held  # two files; that is why nobody but the holder may unlink it
    second.release()
    first.release()


def test_an_open_deleted_file_has_no_name(tmp_path: Path) -> None:
    with open(tmp_path / "file", "w") as file:
        assert has_name(file.fileno(), tmp_path / "file")
        os.unlink(tmp_path / "file")
        assert not has_name(file.fileno(), tmp_path / "file")
        (tmp_path / "file").touch()
        assert not has_name(file.fileno(), tmp_path / "file")


def test_threads_that_take_and_release_are_never_inside_together(project: Project) -> None:
    inside, most, taken = 0, 0, 0
    end = threading.Event()

    def probe() -> None:
        lock = LockFile(project.file, "probe")
        while not end.is_set():
            lock.holder()

    def take() -> None:
        nonlocal inside, most, taken
        lock = LockFile(project.file, "taker")
        for _ in range(100):
            while not lock.take():
                pass
            inside += 1
            most = max(most, inside)
            taken += 1
            inside -= 1
            lock.release()

    probes = [threading.Thread(target=probe) for _ in range(2)]
    takers = [threading.Thread(target=take) for _ in range(4)]
    for thread in [*probes, *takers]:
        thread.start()
    for thread in takers:
        thread.join()
    end.set()
    for thread in probes:
        thread.join()
    assert (most, taken) == (1, 400)
    assert not project.lock_file.exists()


async def test_a_reader_does_not_make_a_migrator_give_up(project: Project) -> None:
    """A look holds a shared lock for an instant; a migrator that meets it tries again."""
    end = threading.Event()

    def probe() -> None:
        lock = LockFile(project.file, "probe")
        while not end.is_set():
            lock.holder()

    project.file.touch()
    project.lock_file.touch()  # a leftover, so that there is something to look at
    probes = [threading.Thread(target=probe) for _ in range(3)]
    for thread in probes:
        thread.start()
    try:
        async with project.connect(migration_lock_timeout=0.0) as connection:
            for _ in range(200):
                project.lock_file.touch()
                async with connection.lock():
                    pass
    finally:
        end.set()
        for thread in probes:
            thread.join()


@pytest.mark.parametrize("number", [2, 5, 10])
async def test_processes_that_start_together_apply_each_migration_once(
    project: Project, other_process: Any, number: int
) -> None:
    project.write("0001", "CREATE TABLE t (a);")
    for version in range(2, 8):
        project.write(f"{version:04}", f"INSERT INTO t VALUES ({version});\nVACUUM;")
    started = [other_process("migrate", "migration_lock_timeout=600") for _ in range(number)]
    printed = [await each.ended() for each in started]
    assert sorted(filter(None, printed)) == ["0001,0002,0003,0004,0005,0006,0007"]
    assert project.query("SELECT a FROM t") == [(version,) for version in range(2, 8)]
    assert project.beside() == ["app.db"]


async def test_the_error_of_a_waiting_reader_names_the_migrator(
    project: Project, other_process: Any, holder_at_work: Any
) -> None:
    project.write("0001", SLOW)
    other_process("migrate")
    await holder_at_work()
    async with project.connect(lock_timeout=0.05) as connection:
        with pytest.raises(MigratorBusy, match="a migrator has kept the database locked"):
            await connection.create_ledger()


async def test_a_lock_holder_that_is_no_migrator_is_called_a_connection(
    project: Project,
) -> None:
    project.file.touch()
    with project.application() as app:
        app.execute("BEGIN IMMEDIATE")
        async with project.connect(lock_timeout=0.0) as connection:
            with pytest.raises(LockTimeout, match="another connection has kept"):
                await connection.create_ledger()


# -- ending the holder ------------------------------------------------------------------------


async def test_the_holder_can_be_terminated_and_its_transaction_is_rolled_back(
    project: Project, other_process: Any, holder_at_work: Any
) -> None:
    project.write("0001", f"CREATE TABLE t (a);\n{SLOW}")
    process = other_process("migrate")
    async with project.connect() as connection:
        holder = await holder_at_work()
        assert await connection.terminate_holder(holder)
        assert (await connection.read()).holder is None
        async with connection.lock():
            pass
    await anyio.to_thread.run_sync(process.popen.wait)
    assert process.popen.returncode != 0
    assert project.tables() == []


@pytest.mark.parametrize(
    "change",
    [
        {"host": "somewhere.else"},
        {"pid": 1},
        {"born": "0"},
        {"since": (datetime.now(UTC) - timedelta(days=1)).isoformat()},
    ],
)
async def test_a_process_that_is_not_certainly_the_holder_is_left_alone(
    project: Project, other_process: Any, change: dict[str, Any]
) -> None:
    process = other_process("hold")
    await process.line()
    async with project.connect() as connection:
        seen = await holder_of(connection)
        fields = json.loads(project.lock_file.read_text())
        project.lock_file.write_text(json.dumps({**fields, **change}))
        assert not await connection.terminate_holder(seen)
    assert process.popen.poll() is None
    process.popen.stdin.write("\n")
    process.popen.stdin.flush()
    assert await process.ended() == ""


def test_a_process_without_permission_to_end_it_is_left_alone(
    project: Project, other_process: Any
) -> None:
    """A process that ended between the look and the signal is not found, too."""
    process = other_process("hold")
    assert process.popen.stdout.readline() == "locked\n"
    lock = LockFile(project.file, "tests")
    fields = json.loads(project.lock_file.read_text())
    project.lock_file.write_text(json.dumps({**fields, "pid": 2**30, "born": None}))
    holder = lock.holder()
    assert holder is not None
    assert not lock.terminate(holder, within=1.0)


async def test_a_holder_that_released_the_lock_is_not_terminated(
    project: Project, other_process: Any
) -> None:
    process = other_process("hold")
    await process.line()
    async with project.connect() as connection:
        seen = await holder_of(connection)
        process.kill()
        assert not await connection.terminate_holder(seen)


async def test_a_process_does_not_end_itself(project: Project) -> None:
    async with project.connect() as connection, connection.lock(), project.connect() as other:
        holder = await holder_of(other)
        assert holder.pid == os.getpid()
        assert not await other.terminate_holder(holder)


async def test_a_database_in_memory_has_neither_lock_nor_holder(project: Project) -> None:
    project.url = "sqlite:///:memory:"
    async with project.connect() as connection:
        async with connection.lock(), connection.lock():
            assert (await connection.read()).holder is None
        assert not await connection.terminate_holder(LockHolder(pid=os.getpid()))
    assert project.beside() == []


def test_a_holder_that_does_not_end_is_reported(project: Project, other_process: Any) -> None:
    lock = LockFile(project.file, "tests")
    process = other_process("hold")
    assert process.popen.stdout.readline() == "locked\n"
    holder = lock.holder()
    assert holder is not None
    process.popen.send_signal(signal.SIGSTOP)  # it cannot heed SIGTERM
    os.waitpid(process.popen.pid, os.WUNTRACED)
    assert not lock.terminate(holder, within=0.05)
    assert process.popen.poll() is None


def test_a_mark_reads_back_as_it_was_written() -> None:
    mark = HolderMark(
        pid=7,
        born=None,
        host="h",
        application="a",
        since=datetime(2030, 1, 2, tzinfo=UTC),
        statement="SELECT '\n'",
    )
    assert HolderMark.decode(mark.encode()) == mark
    assert mark.encode().count(b"\n") == 1


def test_the_start_time_of_a_process_is_read() -> None:
    assert born(os.getpid())
    assert born(2**30) is None
