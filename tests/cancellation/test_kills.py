"""kill -9 at any moment: the next migrate reaches the same end, and every step ran once."""

import random
import signal
import sqlite3

import anyio.to_thread
import pytest

from tests.cancellation.conftest import LOCKS, MakeProject, Project, ask

KILLS = 25

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


def fill(project: Project, template: str, count: int) -> list[str]:
    """A table that says what ran, and *count* migrations that write into it."""
    project.migration("db0", "0001_ran", "-- upgrade\nCREATE TABLE ran (what text);\n")
    for n in range(2, count + 2):
        project.migration("db0", f"{n:04d}_step", template.format(n=n))
    return [f"{n}-{part}" for n in range(2, count + 2) for part in (1, 2)]


def killed_at_work(project: Project, rounds: int) -> int:
    """Start a migrate again and again, and kill it while it applies migrations.

    It dies after it has reported one to three of them, at once or a few instructions later, and so
    within one of the next. Returns how many were killed before they ended by themselves.
    """
    chance = random.Random(20261122)
    killed = 0
    for _ in range(rounds):
        process = project.start("migrate")
        assert process.stderr is not None
        wanted = chance.randint(1, 3)
        while wanted and (line := process.stderr.readline()):
            wanted -= "applied" in line
        for _ in range(chance.randint(0, 20_000)):  # not always at the same statement
            pass
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=300)
        killed += process.returncode == -signal.SIGKILL
    return killed


@pytest.mark.timeout(600)
async def test_postgresql_survives_kills_at_work(
    postgres_url: str, make_project: MakeProject
) -> None:
    project = make_project(postgres_url)
    expected = fill(project, STEPS, 150)

    killed = await anyio.to_thread.run_sync(killed_at_work, project, KILLS)
    last = project.start("migrate", "--timeout", "0")
    _, err = await anyio.to_thread.run_sync(lambda: last.communicate(timeout=500))

    assert killed == KILLS  # each of them while it was at work
    assert last.returncode == 0, err
    ran = [row[0] for row in await ask(postgres_url, "SELECT what FROM ran ORDER BY what")]
    assert ran == sorted(expected)
    assert await ask(postgres_url, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == [(0,)]
    assert await ask(postgres_url, LOCKS) == []
    states = await ask(postgres_url, "SELECT DISTINCT state, running FROM dbwarden_ledger")
    assert states == [("applied", None)]


@pytest.mark.timeout(600)
async def test_sqlite_survives_kills_at_work(make_project: MakeProject) -> None:
    project = make_project("sqlite:///db0.db", kind="sqlite")
    vacuum = WHOLE.replace(
        "INSERT INTO ran VALUES ('{n}-2');", "VACUUM;\nINSERT INTO ran VALUES ('{n}-2');"
    )
    expected = fill(project, vacuum, 300)

    killed = await anyio.to_thread.run_sync(killed_at_work, project, KILLS)
    last = project.start("migrate", "--timeout", "0")
    _, err = await anyio.to_thread.run_sync(lambda: last.communicate(timeout=500))

    assert killed == KILLS  # each of them while it was at work
    assert last.returncode == 0, err
    database = sqlite3.connect(project.root / "db0.db")
    try:
        ran = [row[0] for row in database.execute("SELECT what FROM ran ORDER BY what")]
        states = database.execute("SELECT DISTINCT state, running FROM dbwarden_ledger").fetchall()
    finally:
        database.close()
    assert ran == sorted(expected)
    assert states == [("applied", None)]
