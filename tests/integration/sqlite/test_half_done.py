"""status names the next step of a half-done migration."""

import sys
from pathlib import Path

import anyio

CONFIGURATION = """
from dbwarden import database_config
database_config(database_name="app", default=True, database_type="sqlite",
                database_url="sqlite:///app.db")
"""
UPGRADE = "-- upgrade\nCREATE TABLE t (a);\n-- @dbwarden:autocommit\nVACUUM;\n{}\n"


async def run(root: Path, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "dbwarden", *arguments]
    done = await anyio.run_process(command, cwd=root, check=False)
    return done.returncode, done.stdout.decode()


async def test_status_names_the_command_that_continues(tmp_path: Path) -> None:
    (tmp_path / "dbwarden.py").write_text(CONFIGURATION, encoding="utf-8")
    path = tmp_path / "migrations" / "app" / "app__0001_t.sql"
    path.parent.mkdir(parents=True)
    path.write_text(UPGRADE.format("SELECT nonsense;"), encoding="utf-8")
    assert (await run(tmp_path, "migrate"))[0] == 1
    assert "migrate continues" in (await run(tmp_path, "status"))[1]
    assert '"goes_on_with": "migrate"' in (await run(tmp_path, "status", "--json"))[1]

    edited = path.read_text(encoding="utf-8").replace("t (a)", "t (b)")
    path.write_text(edited, encoding="utf-8")
    assert "needs repair" in (await run(tmp_path, "status"))[1]

    path.write_text(UPGRADE.format("SELECT 1;"), encoding="utf-8")
    assert (await run(tmp_path, "migrate"))[0] == 0
    assert "up to date" in (await run(tmp_path, "status"))[1]
