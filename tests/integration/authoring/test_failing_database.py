"""Commands continue with other databases when one fails."""

import json
import sys
from pathlib import Path

import anyio
import pytest

TABLE = "-- upgrade\nCREATE TABLE t (id int PRIMARY KEY);\n-- rollback\nDROP TABLE t;\n"


async def run(root: Path, *arguments: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "dbwarden", *arguments]
    done = await anyio.run_process(command, cwd=root, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three databases; the files of the first cannot be read."""
    names = ("alpha", "beta", "gamma")
    (tmp_path / "dbwarden.py").write_text(
        "from dbwarden import database_config\n"
        f"for name in {names!r}:\n"
        "    database_config(database_name=name, database_type='sqlite',\n"
        "        database_url=f'sqlite:///{name}.db')\n",
        encoding="utf-8",
    )
    for name in names:
        folder = tmp_path / "migrations" / name
        folder.mkdir(parents=True)
        broken = "SELECT 'never closed" if name == "alpha" else TABLE
        (folder / f"{name}__0001_t.sql").write_text(broken, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("command", ["verify", "schema", "diff"])
async def test_a_failing_database_does_not_stop_the_others(root: Path, command: str) -> None:
    assert (await run(root, "migrate", "-d", "beta", "-d", "gamma"))[0] == 0
    code, out, err = await run(root, command, "--all")
    assert code == 2
    assert "beta" in out
    assert "gamma" in out
    assert err.count("error: alpha: ") == 1
    code, out, _ = await run(root, command, "--all", "--json")
    document = json.loads(out)
    assert code == document["exit_code"] == 2
    states = [(one["database"], one["state"]) for one in document["databases"]]
    assert states == [("alpha", "failed"), ("beta", "succeeded"), ("gamma", "succeeded")]
    assert document["summary"] == {"failed": 1, "succeeded": 2}
    assert [error["database"] for error in document["errors"]] == ["alpha"]
    assert document["error"] == document["errors"][0]


async def test_renumber_continues_and_reports_the_proven_order(root: Path) -> None:
    for name in ("alpha", "gamma"):
        text = TABLE.replace(" t", " u")
        (root / f"migrations/{name}/{name}__0001_u.sql").write_text(text, encoding="utf-8")
    code, out, err = await run(root, "renumber", "--all", "--move", "0001_u")
    assert code == 2
    assert "beta: every migration has a unique number." in out
    assert "to gamma__0002_u.sql\n  the new order is proven: 2 migrations, tried on SQLite" in out
    assert "error: alpha: " in err


async def test_a_single_failing_database_is_reported_as_usual(root: Path) -> None:
    code, out, _ = await run(root, "verify", "-d", "alpha", "--json")
    document = json.loads(out)
    assert code == document["exit_code"] == 2
    assert document["error"] == document["databases"][0]["error"]
    code, _, err = await run(root, "verify", "-d", "alpha")
    assert code == 2
    assert "error: alpha: " in err


async def test_limits_and_reports_are_those_of_every_command(root: Path) -> None:
    code, _, err = await run(root, "verify", "--all", "--fail-fast", "--concurrency", "1")
    assert code == 1
    assert "beta, gamma: not started: stopped because alpha failed" in err
    code, out, _ = await run(root, "verify", "--all", "--shard", "1/1", "--report", "report.json")
    assert code == 2
    report = json.loads((root / "report.json").read_text())
    assert report["summary"] == {"failed": 1, "succeeded": 2}
    assert "beta: 1 migration, tried on SQLite" in out


async def test_dev_is_refused_where_no_live_database_is_read(root: Path) -> None:
    for command in (
        *(["verify"], ["schema"], ["renumber"], ["make-migrations", "-m", "x"]),
        *(["lint"], ["check", "--models"]),
    ):
        code, _, err = await run(root, *command, "-d", "beta", "--dev")
        assert code == 2
        assert "--dev selects a live database, but this command reads none" in err


async def test_files_are_not_written_by_workers_of_another_machine(root: Path) -> None:
    for command in (
        ["make-migrations", "-m", "x"],
        ["renumber"],
        ["baseline"],
        ["diff", "--adopt", "-m", "x"],
        ["import", "flyway", "sql"],
    ):
        code, _, err = await run(root, *command, "-d", "beta", "--workers", "dask://nowhere:8786")
        assert code == 2
        assert "this command writes files of this project" in err
