"""After a cancellation nothing runs, nothing is locked, half done or open."""

import threading
import time
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from dbwarden.dialects.ledger_values import Writer
from dbwarden.dialects.sqlite.migrate import threads
from dbwarden.dialects.sqlite.migrate.connection import SQLiteConnection
from dbwarden.dialects.sqlite.migrate.opening import target_of
from dbwarden.dialects.sqlite.migrate.session import Session
from dbwarden.dialects.sqlite.migrate.statement_errors import Stopped
from dbwarden.errors import StatementFailed
from dbwarden.migration_history import State
from tests.integration.sqlite.conftest import Project, live_rows

SLOW = (
    "SELECT count(*) FROM (WITH RECURSIVE r(i) AS "
    "(SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 1000000000) SELECT i FROM r);"
)
FILL = (
    "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 1000000000) "
    "INSERT INTO t SELECT i FROM r;"
)


async def free(project: Project) -> None:
    """Another migrator and the application can work at once."""
    async with project.connect(migration_lock_timeout=0.0) as connection, connection.lock():
        pass
    with project.application() as app:
        app.execute("BEGIN EXCLUSIVE")
        app.execute("ROLLBACK")


async def cancelled_at(project: Project, holder_at_work: Any, works: Any, runner: Any) -> None:
    """Run *works* in a task, and cancel it when a statement is on its way."""

    async def migrate() -> None:
        async with project.locked() as connection:
            await runner(connection, works)

    async with anyio.create_task_group() as group:
        group.start_soon(migrate)
        await holder_at_work()
        await anyio.sleep(0.05)
        group.cancel_scope.cancel()


@pytest.mark.parametrize("statement", [SLOW, FILL])
@pytest.mark.parametrize("journal_mode", ["delete", "wal"])
async def test_a_cancelled_transaction_is_rolled_back_and_everything_is_free(
    project: Project,
    holder_at_work: Any,
    runner: Any,
    busy_threads: Any,
    statement: str,
    journal_mode: str,
) -> None:
    project.query(f"PRAGMA journal_mode = {journal_mode}")
    project.query("CREATE TABLE t (a)")
    project.write("0001", f"CREATE TABLE made (a);\n{statement}")
    await cancelled_at(project, holder_at_work, project.works(), runner)
    assert busy_threads() == []
    await free(project)
    assert project.tables() == ["t"]
    assert project.query("SELECT count(*) FROM t") == [(0,)]
    assert await project.rows() == ()
    assert project.beside() == ["app.db"]


async def test_a_cancelled_connection_goes_on_working(project: Project, runner: Any) -> None:
    project.write("0001", SLOW)
    project.write("0002", "CREATE TABLE t (a);")
    async with project.locked() as connection:
        with anyio.move_on_after(0.2) as scope:
            await runner(connection, project.works("0001"))
        assert scope.cancelled_caught
        assert await runner(connection, project.works("0002")) == ["0002"]
        assert [row.key for row in await live_rows(connection)] == ["0002"]


async def test_a_cancelled_statement_outside_a_transaction_can_be_run_again(
    project: Project, runner: Any, lock_file_says: Any
) -> None:
    project.query("CREATE TABLE big AS SELECT randomblob(1000) AS a FROM ("
                  "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r LIMIT 60000)"
                  " SELECT i FROM r)")  # fmt: skip
    project.write("0001", "CREATE TABLE t (a);\nVACUUM;\nINSERT INTO t VALUES (1);")

    async def migrate() -> None:
        async with project.locked() as connection:
            await runner(connection, project.works())

    async with anyio.create_task_group() as group:
        group.start_soon(migrate)
        await lock_file_says('"VACUUM"')
        group.cancel_scope.cancel()
    await free(project)
    (row,) = await project.rows()
    assert (row.state, row.step, row.running) == (State.UPGRADING, 1, None)
    async with project.locked() as connection:
        await runner(connection, [project.work(project.files[0], done=1, row=row)])
    assert project.query("SELECT * FROM t") == [(1,)]


async def test_waiting_for_a_writing_application_can_be_cancelled(
    project: Project, runner: Any, busy_threads: Any
) -> None:
    project.write("0001", "CREATE TABLE t (a);")
    with project.application() as app:
        async with project.locked(lock_timeout=None) as connection:
            app.execute("BEGIN IMMEDIATE")
            with anyio.move_on_after(0.1) as scope:
                await runner(connection, project.works())
            assert scope.cancelled_caught
            assert busy_threads() == []
            app.execute("ROLLBACK")
    await free(project)


async def test_waiting_for_the_migration_lock_can_be_cancelled(project: Project) -> None:
    async with (
        project.connect() as holder,
        holder.lock(),
        project.connect(migration_lock_timeout=1000.0) as connection,
    ):
        with anyio.move_on_after(0.1) as scope:
            async with connection.lock():
                raise AssertionError("it is held")
        assert scope.cancelled_caught
    await free(project)


@pytest.mark.parametrize("turns", range(60))
async def test_a_cancel_at_any_turn_of_the_event_loop_leaves_all_or_nothing(
    project: Project, runner: Any, busy_threads: Any, turns: int
) -> None:
    project.write("0001", "CREATE TABLE t (a);")
    project.write("0002", "INSERT INTO t VALUES (1);\nVACUUM;\nINSERT INTO t VALUES (2);")
    works = project.works()

    async def migrate() -> None:
        async with project.connect() as connection:
            await connection.read()
            async with connection.lock():
                await connection.create_ledger()
                await runner(connection, works)

    async with anyio.create_task_group() as group:
        group.start_soon(migrate)
        for turn in range(turns):
            await (anyio.sleep(0.0005) if turn % 3 else anyio.lowlevel.checkpoint())
        group.cancel_scope.cancel()
    assert busy_threads() == []
    await free(project)
    rows = {row.key: row for row in await project.rows()}
    assert ("t" in project.tables()) == ("0001" in rows)
    steps = rows["0002"].step if "0002" in rows else 0
    if "0001" in rows:
        inserted = [a for (a,) in project.query("SELECT a FROM t")]
        assert inserted == ([] if steps == 0 else [1] if steps < 3 else [1, 2])
    assert project.beside() == ["app.db"]


async def test_a_cancel_from_outside_is_not_taken_for_a_failure(
    project: Project, runner: Any
) -> None:
    project.write("0001", SLOW)
    with anyio.move_on_after(0.2) as scope:
        try:
            await project.upgrade()
        except StatementFailed:
            pytest.fail("the statement did not fail")
    assert scope.cancelled_caught


async def test_an_unused_database_is_closed(project: Project) -> None:
    session = Session(
        project.config,
        target_of(await project.config.resolve_url()),
        Writer.this_process(),
        read_only=False,
    )

    def opened_too_late() -> None:
        session.halt()
        with pytest.raises(Stopped):
            session.open()

    await anyio.to_thread.run_sync(opened_too_late)  # nothing_stays_open looks whether it is closed


# -- calls that do not end ----------------------------------------------------------------------


class Stuck:
    """Something whose call ends when the test says so."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.events: list[str] = []
        self.buried = threading.Event()

    def call(self) -> None:
        self.events.append("called")
        self.go.wait()

    def halt(self) -> None:
        if "halted" not in self.events:  # it is called again and again
            self.events.append("halted")

    def abandon(self) -> None:
        self.events.append("left")

    def close_abandoned(self) -> None:
        self.events.append("buried")
        self.buried.set()


async def test_a_call_that_does_not_end_is_abandoned_and_cleans_up() -> None:
    stuck = Stuck()
    try:
        with anyio.move_on_after(0.05) as scope:
            await threads.run_interruptible(stuck.call, stuck, grace=0.05)
        assert scope.cancelled_caught
        assert stuck.events == ["called", "halted", "left"]
    finally:
        stuck.go.set()
    stuck.buried.wait()
    assert stuck.events[-1] == "buried"


async def test_a_call_that_was_cancelled_before_it_began_never_begins() -> None:
    stuck = Stuck()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await threads.run_interruptible(stuck.call, stuck)
    assert stuck.events == []


async def test_a_call_that_ends_in_its_grace_is_waited_for() -> None:
    class Obedient(Stuck):
        def halt(self) -> None:
            super().halt()
            self.go.set()

        def call(self) -> None:
            super().call()
            time.sleep(0.05)
            self.events.append("ended")

    obedient = Obedient()
    with anyio.move_on_after(0.05):
        await threads.run_interruptible(obedient.call, obedient)
    assert obedient.events == ["called", "halted", "ended"]


async def test_resources_of_a_stuck_call_are_kept_until_it_ends(project: Project) -> None:
    """While it may still write, no other migrator may come in."""
    async with project.connect() as connection, connection.lock():
        assert isinstance(connection, SQLiteConnection)
        session = connection._session
        session.abandon()
    async with project.connect() as other:
        assert (await other.read()).holder is not None
        await anyio.to_thread.run_sync(session.close_abandoned)
        assert (await other.read()).holder is None
    await free(project)


async def test_each_event_loop_has_its_own_threads(project: Project) -> None:
    assert threads.limiter() is threads.limiter()
    assert threads.limiter().total_tokens == threads.THREADS
