"""kill -9 at any moment: the next migrate reaches the same end, and every step ran once."""

import random
import signal
import sqlite3

import anyio.to_thread
import pytest

from tests.cancellation.conftest import LOCKS, MakeProject, Project, ask

KILLS = 25
MORE = 100
"""The number of migrations that are added when none is pending."""

STEPS = """-- upgrade
CREATE TABLE t{n} (id int);
INSERT INTO ran VALUES ('{n}-1');
CREATE INDEX CONCURRENTLY t{n}_id ON t{n} (id);
INSERT INTO ran VALUES ('{n}-2');
"""
WHOLE = """-- upgrade
CREATE TABLE t{n} (id int);
INSERT INTO ran VALUES ('{n}-1');
INSERT INTO ran VALUES ('{n}-2');
"""


def killed_at_work(project: Project, template: str) -> list[str]:
    """Kill ``KILLS`` processes while they apply migrations; return what has to have run in the end.

    Each dies after it has reported one to three migrations, at once or a few instructions later,
    and so within one of the next. If it is faster than this, it gets more migrations to apply.
    """
    chance = random.Random(20261122)
    project.migration("db0", "0001_ran", "-- upgrade\nCREATE TABLE ran (what text);\n")
    written = range(2, 2)
    killed, pending = 0, False
    while killed < KILLS:
        if not pending:
            written = range(2, written.stop + MORE)
            for n in written[-MORE:]:
                project.migration("db0", f"{n:04d}_step", template.format(n=n))
        process = project.start("migrate")
        assert process.stderr is not None
        wanted = chance.randint(1, 3)
        while wanted and (line := process.stderr.readline()):
            wanted -= "applied" in line
        for _ in range(chance.randint(0, 20_000)):  # not always at the same statement
            pass
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=300)
        pending = process.returncode == -signal.SIGKILL
        killed += pending
    return sorted(f"{n}-{part}" for n in written for part in (1, 2))


@pytest.mark.long
async def test_postgresql_survives_kills_at_work(
    postgres_url: str, make_project: MakeProject
) -> None:
    project = make_project(postgres_url)
    expected = await anyio.to_thread.run_sync(killed_at_work, project, STEPS)
    last = project.start("migrate", "--timeout", "0")
    _, err = await anyio.to_thread.run_sync(lambda: last.communicate(timeout=500))

    assert last.returncode == 0, err
    ran = [row[0] for row in await ask(postgres_url, "SELECT what FROM ran ORDER BY what")]
    assert ran == expected
    assert await ask(postgres_url, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == [(0,)]
    assert await ask(postgres_url, LOCKS) == []
    states = await ask(postgres_url, "SELECT DISTINCT state, running FROM dbwarden_ledger")
    assert states == [("applied", None)]


@pytest.mark.long
async def test_sqlite_survives_kills_at_work(make_project: MakeProject) -> None:
    project = make_project("sqlite:///db0.db", kind="sqlite")
    vacuum = WHOLE.replace(
        "INSERT INTO ran VALUES ('{n}-2');", "VACUUM;\nINSERT INTO ran VALUES ('{n}-2');"
    )
    expected = await anyio.to_thread.run_sync(killed_at_work, project, vacuum)
    last = project.start("migrate", "--timeout", "0")
    _, err = await anyio.to_thread.run_sync(lambda: last.communicate(timeout=500))

    assert last.returncode == 0, err
    database = sqlite3.connect(project.root / "db0.db")
    try:
        ran = [row[0] for row in database.execute("SELECT what FROM ran ORDER BY what")]
        states = database.execute("SELECT DISTINCT state, running FROM dbwarden_ledger").fetchall()
    finally:
        database.close()
    assert ran == expected
    assert states == [("applied", None)]
