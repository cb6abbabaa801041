"""``diff`` groups databases that differ in the same way, and adopts the drift of one."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.acceptance.cli.projects import Cli

CONFIGURATION = """
from dbwarden import database_config

for name in ("a", "b", "c"):
    database_config(database_name=name, database_url=f"sqlite:///{name}.db", default=name == "a")
"""


def execute(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(sql)


def test_databases_that_differ_in_the_same_way_are_one_group(project: Path, cli: Cli) -> None:
    (project / "dbwarden.py").write_text(CONFIGURATION, encoding="utf-8")
    for name in ("a", "b", "c"):
        execute(project / f"{name}.db", f"CREATE TABLE {'x' if name < 'c' else 'y'} (id INTEGER)")
    answer = cli("diff", "--all")
    assert answer.code == 3, answer.err
    assert answer.out.startswith("3 of 3 databases differ, in 2 ways.\n\n2 databases: a, b")
    assert "2 databases: a, b (live with files)\n  drop table x\n" in answer.out
    assert "\nc (live with files)\n  drop table y\n" in answer.out
    one = cli("diff", "--all", "--ignore", "table x").out
    assert one.startswith("1 of 3 databases differs.\n\nc (live with files)\n  drop table y\n")
    assert one.endswith("\n2 databases: a, b (live with files): no difference.\n")
    none = cli("diff", "--all", "--ignore", "*").out
    assert none == "3 databases: a, b, c (live with files): no difference.\n"

    assert cli("migrate", "-d", "a", "--check-drift").code == 0  # there is nothing to run
    path = project / "migrations" / "a"
    path.mkdir(parents=True)
    (path / "a__0001_z.sql").write_text("-- upgrade\nCREATE TABLE z (id INTEGER);\n")
    refused = cli("migrate", "-d", "a", "--check-drift")
    assert refused.code == 1 and "table x differs" in refused.err
    warned = cli("migrate", "-d", "a", "--check-drift=warn")
    assert warned.code == 0 and "warning: a was not as its files say: table x" in warned.err

    assert "--adopt needs a message" in cli("diff", "--adopt").err
    assert "one database" in cli("diff", "--adopt", "--all", "-m", "x").err
    adopted = cli("diff", "--adopt", "-d", "a", "-m", "hot fix")
    assert adopted.code == 0, adopted.err
    assert "Wrote migrations/a/a__0002_hot_fix.sql, and marked it in a" in adopted.out
    assert cli("diff", "-d", "a").code == 0
