"""baseline marks migrations as applied."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.cli.projects import CONFIGURATION, Cli, results, states


def test_baseline_marks_without_running(project: Path, cli: Cli) -> None:
    ran = cli("baseline", "--to", "0001", "--json")

    assert results(ran)["primary"]["marked"] == ["0001"]
    cli("migrate")
    rows = results(cli("history", "--json"))["primary"]["rows"]
    assert [row["key"] for row in rows] == ["0001", "0002"]
    assert cli("rollback", "--to", "0").code == 1  # users was never created here


def test_each_of_several_databases_gets_its_baseline(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dbwarden.py").write_text(CONFIGURATION)
    for name in ("primary", "analytics", "logging"):
        with closing(sqlite3.connect(f"{name}.db", isolation_level=None)) as database:
            database.execute(f"CREATE TABLE {name}_things (id INTEGER PRIMARY KEY)")
    assert "drop table primary_things" in cli("diff").out
    assert set(states(cli("baseline", "--all", "--json")).values()) == {"succeeded"}
    assert cli("check", "--all").code == 0
    assert "dbwarden baseline -d primary --to 0001 (or up to" in cli("baseline").err
    shares = [cli("status", "--shard", f"{share}/2").err for share in (1, 2)]
    assert sorted(shares) == ["", "There is no database in this share.\n"]
