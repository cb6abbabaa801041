"""``dbwarden backfill run|status|pause|resume|cancel``, and what other commands say."""

import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from tests.commands import dbwarden

pytestmark = pytest.mark.anyio

CONFIGURATION = """
from dbwarden import database_config

for name in ("one", "two"):
    database_config(
        database_name=name, default=name == "one", database_url=f"sqlite:///{name}.db"
    )
"""
ROWS = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10500) "
    "INSERT INTO users (id) SELECT i FROM n;"
)


async def project(folder: Path) -> None:
    """Two databases with 10,500 users each, and a backfill that migrate has started."""
    await anyio.Path(folder / "dbwarden.py").write_text(CONFIGURATION)
    await anyio.Path(folder / "load.py").write_text("async def is_high():\n    return None\n")
    for name in ("one", "two"):
        migrations = anyio.Path(folder / "migrations" / name)
        await migrations.mkdir(parents=True)
        await (migrations / f"{name}__0001_users.sql").write_text(
            f"-- upgrade\nCREATE TABLE users (id INTEGER PRIMARY KEY, country text);\n{ROWS}\n"
        )
        await (migrations / f"{name}__0002_fill.sql").write_text(
            "-- dbwarden: backfill\n-- table: users\n-- batch: 4000\n-- upgrade\n"
            "UPDATE users SET country = 'de' WHERE {batch};\n"
        )
        await (migrations / f"{name}__0003_last.sql").write_text(
            "-- requires-backfill: 0002\n-- upgrade\nCREATE TABLE last (id int);\n"
        )


async def test_a_fleet_is_backfilled(tmp_path: Path) -> None:
    await project(tmp_path)

    ran = await dbwarden(tmp_path, "migrate", "--all")
    assert ran.code == 0, ran.err
    assert "waits for backfill 0002" in ran.out
    assert "one: the backfill 0002 is running: 0 %, 0 rows of 10,500" in ran.err
    assert "next: dbwarden backfill run 0002 -d two" in ran.err
    assert "0003 waits for it." in ran.err
    ran = await dbwarden(tmp_path, "migrate", "--to", "3")
    assert ran.code == 1
    assert "one__0003_last.sql: 0003 waits for the backfill 0002" in ran.err
    assert "backfilling" in (await dbwarden(tmp_path, "status")).out

    paused = await dbwarden(tmp_path, "backfill", "pause", "2", "-d", "two", "--json")
    assert paused.json["databases"][0]["result"]["backfills"][0]["state"] == "paused"
    assert "paused" in (await dbwarden(tmp_path, "backfill", "status", "00002", "-d", "two")).out
    assert "no backfills" in (await dbwarden(tmp_path, "backfill", "status", "7")).out
    check = await dbwarden(tmp_path, "check", "-d", "two")
    assert check.code == 3
    assert "next: Go on with: dbwarden backfill resume 0002 -d two" in check.err
    ran = await dbwarden(
        tmp_path, "backfill", "run", "--all", "--rate", "1000000", "--pause-when", "load:is_high"
    )
    assert ran.code == 3, ran.err  # that of two is paused
    assert "10,500 of 10,500" in ran.out
    assert (await dbwarden(tmp_path, "backfill", "resume", "-d", "two")).code == 0
    assert (await dbwarden(tmp_path, "backfill", "run", "--all")).code == 0
    assert (await dbwarden(tmp_path, "migrate", "--all")).code == 0
    with closing(sqlite3.connect(tmp_path / "two.db")) as database:
        found = database.execute("SELECT country, count(*) FROM users GROUP BY 1").fetchall()
    assert found == [("de", 10500)]
    status = await dbwarden(tmp_path, "backfill", "status", "--all", "--json")
    states = [d["result"]["backfills"][0]["state"] for d in status.json["databases"]]
    assert states == ["done", "done"]


async def test_wrong_use_is_explained(tmp_path: Path) -> None:
    await project(tmp_path)
    for arguments, message in (
        (("run", "7"), "0007 is no unfinished backfill; unfinished: none"),
        (("run", "--rate", "0"), "--rate 0 is not a number of rows per second"),
        (("resume", "--restart"), "--restart and --accept need the version"),
        (("run", "--pause-when", "nowhere:f"), "--pause-when nowhere:f cannot be imported"),
    ):
        ran = await dbwarden(tmp_path, "backfill", *arguments)
        assert (ran.code, message in ran.err) == (2, True), ran.err
