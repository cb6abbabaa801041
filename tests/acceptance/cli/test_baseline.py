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


def test_each_tenant_is_marked_at_the_revision_of_its_own_table(project: Path, cli: Cli) -> None:
    (project / "dbwarden.py").write_text(
        "from dbwarden import tenant_databases\n"
        "tenant_databases(name='shop_{tenant_id}', tenants=lambda: ['new', 'old'],\n"
        "    database_type='sqlite', database_url='sqlite:///{tenant_id}.db')\n"
    )
    folder = project / "migrations" / "shop"
    folder.mkdir(parents=True)
    for number, revision in (("0001", "1a"), ("0002", "2b after 1a")):
        (folder / f"shop__{number}_t.sql").write_text(
            f"-- dbwarden: from alembic {revision}\n\n-- upgrade\nCREATE TABLE t{number} (a);\n"
            f"\n-- rollback\nDROP TABLE t{number};\n"
        )
    for name, revision, tables in (
        ("old", "1a", ["t0001"]),
        ("new", "2b", ["t0001", "t0002"]),
    ):
        with closing(sqlite3.connect(project / f"{name}.db", isolation_level=None)) as database:
            database.execute("CREATE TABLE alembic_version (version_num TEXT)")
            database.execute("INSERT INTO alembic_version VALUES (?)", (revision,))
            for table in tables:
                database.execute(f"CREATE TABLE {table} (a)")
    answer = cli("check", "--all")
    assert answer.code == 3
    assert "shop_old: alembic has applied 0001, which would run again" in answer.err
    assert "dbwarden baseline --from alembic -d shop_old" in answer.err
    assert "dbwarden migrate -d shop_new" not in answer.err  # what is to be marked is not to run
    marked = cli("baseline", "--from", "alembic", "--all", "--json")
    assert marked.code == 0, marked.err
    keys = {database: result["marked"] for database, result in results(marked).items()}
    assert keys == {"shop_old": ["0001"], "shop_new": ["0001", "0002"]}
    assert cli("migrate", "--all").code == 0
    assert cli("check", "--all").code == 0
    assert cli("diff", "--all").code == 0
