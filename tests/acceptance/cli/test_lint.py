"""lint judges files, and names bad input in one sentence with its place."""

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.cli.projects import Cli, results, write

DROP = """-- upgrade
ALTER TABLE users DROP COLUMN email;

-- rollback
ALTER TABLE users ADD COLUMN email TEXT;
"""


@pytest.fixture
def bad(project: Path) -> Path:
    return write(project, "primary", "0003_drop_email", DROP)


def test_findings_exit_3_and_none_exit_0(project: Path, cli: Cli) -> None:
    ran = cli("lint", "--all")
    assert (ran.code, ran.err) == (0, "")
    assert "primary: 2 files, tried on SQLite" in ran.out

    path = write(project, "primary", "0003_drop_email", DROP)
    ran = cli("lint")
    place = str(path.relative_to(project))
    assert ran.code == 3
    assert f"{place}:2:1: warning drop-column: drops users.email" in ran.out
    assert ran.out.splitlines()[-1].endswith("1 error, 2 warnings")


def test_a_file_is_judged_after_the_earlier_ones(bad: Path, cli: Cli) -> None:
    assert cli("lint", "migrations/primary/primary__0001_create_users.sql").code == 0
    ran = cli("lint", str(bad), "migrations/analytics/analytics__0001_create_events.sql")
    assert ran.code == 3
    assert "primary: 1 file" in ran.out
    assert "analytics: 1 file" in ran.out


def test_workers_judge_files(bad: Path, cli: Cli) -> None:
    ran = cli("lint", "--all", "--workers", "1")
    assert ran.code == 3, ran.err
    assert "drop-column: drops users.email" in ran.out


def test_rules_and_severities_are_chosen(bad: Path, cli: Cli) -> None:
    assert cli("lint", "--select", "no-rollback,rename", "--select", "naming").code == 0
    assert cli("lint", "--ignore", "drop-column,undeclared-loss,rewrite").code == 0
    assert cli("lint", "--severity", "error", "--ignore", "rewrite").code == 0
    assert cli("lint", "--select", "drop-column").code == 3


def test_a_reason_allows_a_finding(bad: Path, cli: Cli) -> None:
    header = "-- dbwarden: loses users.email\n-- dbwarden: allow rewrite: it is small\n"
    marker = "-- @dbwarden:allow drop-column: no release reads it\nALTER TABLE users DROP"
    bad.write_text(header + DROP.replace("ALTER TABLE users DROP", marker))
    ran = cli("lint", "--json")
    assert ran.code == 0
    reasons = {one["rule"]: one["reason"] for one in results(ran)["primary"]["allowed"]}
    assert reasons == {"rewrite": "it is small", "drop-column": "no release reads it"}


@pytest.mark.parametrize("name", ["json", "github", "gitlab", "sarif", "markdown", "text"])
def test_every_format_is_one_document(bad: Path, cli: Cli, name: str) -> None:
    ran = cli("lint", "--format", name)
    assert (ran.code, ran.err) == (3, "")
    assert "drop-column" in ran.out
    if name in ("json", "gitlab", "sarif"):
        json.loads(ran.out)


def test_json_has_places_severities_and_tables(bad: Path, cli: Cli) -> None:
    (finding,) = results(cli("lint", "--json", "--select", "drop-column"))["primary"]["findings"]
    assert finding["rule"] == "drop-column"
    assert finding["severity"] == "warning"
    assert finding["path"] == str(bad)
    assert (finding["line"], finding["column"], finding["table"]) == (2, 1, "users")


def test_only_pending_files_are_judged(bad: Path, cli: Cli) -> None:
    assert cli("lint", "--pending").code == 3
    cli("migrate")
    ran = cli("lint", "--pending")
    assert ran.code == 0
    assert "primary: 0 files" in ran.out


def test_only_changed_files_are_judged(project: Path, cli: Cli) -> None:
    def git(*arguments: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *who, *arguments], cwd=project, check=True, capture_output=True)

    ran = cli("lint", "--changed-since", "main")
    assert ran.code == 2
    assert "git cannot tell what has changed" in ran.err

    write(project, "primary", "0003_drop_email", DROP)
    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    assert "primary: 0 files" in cli("lint", "--changed-since", "main").out

    git("switch", "-q", "-c", "work")
    path = write(project, "primary", "0004_add_nick", DROP.replace("email", "nick"))
    first, second = "ALTER TABLE users ADD COLUMN nick TEXT;", "ALTER TABLE users DROP COLUMN nick;"
    path.write_text(f"-- upgrade\n{first}\n-- rollback\n{second}\n")
    assert "primary: 1 file," in cli("lint", "--changed-since", "main").out
    git("add", ".")
    git("commit", "-q", "-m", "second")
    git("switch", "-q", "main")
    git("commit", "-q", "--allow-empty", "-m", "third")
    git("switch", "-q", "work")
    assert "primary: 1 file," in cli("lint", "--changed-since", "main").out

    for name in ("nothing", "-p"):
        ran = cli("lint", f"--changed-since={name}")
        assert ran.code == 2
        assert "Name a branch, tag or commit" in ran.err


def test_sizes_scale_the_severity(bad: Path, project: Path, cli: Cli) -> None:
    cli("migrate", "--to", "0002")
    ran = cli("lint", "--live", "--select", "rewrite")
    assert "info rewrite: rewrites users (0 rows)" in ran.out

    with closing(sqlite3.connect(project / "primary.db")) as database, database:
        database.execute("INSERT INTO users VALUES (2000000, 'a')")
    assert "error rewrite: rewrites users (2 M rows)" in cli("lint", "--live").out

    ran = cli("lint", "--save-stats", "sizes.json")
    assert ran.code == 0
    assert "wrote the sizes of 3 tables to sizes.json" in ran.out
    (project / "primary.db").unlink()
    assert "error rewrite: rewrites users (2 M rows)" in cli("lint", "--stats", "sizes.json").out
    assert "'a'" not in (project / "sizes.json").read_text()

    ran = cli("lint", "--stats", "sizes.json", "-d", "analytics")
    assert ran.code == 2
    assert "has no analytics, only primary" in ran.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--select", "drop-colum"), "there is no rule 'drop-colum'; did you mean 'drop-column'?"),
        (("--ignore", "everything"), "there is no rule 'everything'"),
        (("dbwarden.py",), "dbwarden.py is in no folder of migrations"),
        (("-d", "primary", "dbwarden.py"), "dbwarden.py is not one of its migration files"),
        (("migrations/primary/nothing.sql",), "nothing.sql is not one of its migration files"),
        (("--stats", "nothing.json"), "the file of sizes cannot be read: No such file"),
        (("--stats", "dbwarden.py"), "the file of sizes cannot be read: Expecting value"),
        (("--live", "--stats", "dbwarden.py"), "--live and --stats exclude each other"),
        (("--save-stats", "no/where.json"), "no/where.json cannot be written"),
        (("--fix",), "files that a database has applied must not change"),
        (("--format", "xml"), "xml"),
        (("--severity", "fatal"), "fatal"),
    ],
)
def test_bad_input_is_one_sentence(
    project: Path, cli: Cli, arguments: tuple[str, ...], message: str
) -> None:
    ran = cli("lint", *arguments)
    assert ran.code == 2
    assert message in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-- dbwarden: allow drop-column\n{}", ":1:1: 'dbwarden: allow drop-column' does"),
        ("-- dbwarden: allow drop-column:\n{}", "which rule it allows, and why"),
        ("-- dbwarden: alow drop-column: unused\n{}", "Write it as -- dbwarden: allow RULE"),
        ("{}-- @dbwarden:allow: unused\n", "Write it as -- @dbwarden:allow RULE: REASON"),
        ("-- dbwarden: allow drop-colunm: unused\n{}", "did you mean 'drop-column'?"),
        ("-- upgrade\nSELECT 1;\n-- @dbwarden:allow rewriting: why\nSELECT 2;\n", ":3:1: "),
        ("-- upgrade\nSELECT 1;\n-- dbwarden: allow rewrite: why\nSELECT 2;\n", "inside a section"),
    ],
)
def test_a_wrong_comment_is_an_error_with_its_place(
    project: Path, cli: Cli, text: str, message: str
) -> None:
    path = write(project, "primary", "0003_drop_email", text.replace("{}", DROP))
    before = path.read_text()
    ran = cli("lint")
    assert ran.code == 2
    assert message in ran.err
    assert path.read_text() == before


def test_a_refused_statement_is_an_error_with_its_place(project: Path, cli: Cli) -> None:
    write(project, "primary", "0003_drop_email", DROP.replace("email", "nothing"))
    ran = cli("lint")
    assert ran.code == 1
    assert "primary__0003_drop_email.sql:2:31: " in ran.err
