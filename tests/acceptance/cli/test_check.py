"""check and status report findings and change nothing."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.acceptance.cli.projects import ORDERS, Cli, write
from tests.commands import Ran


def test_check_exits_3_when_something_is_pending_and_0_when_clean(project: Path, cli: Cli) -> None:
    pending = cli("check", "--all")
    assert pending.code == 3
    assert "primary: 2 pending: 0001, 0002" in pending.err
    assert "next: Apply with: dbwarden migrate -d primary" in pending.err

    cli("migrate", "--all")
    assert cli("check", "--all").code == 0


def test_missing_model_paths_are_reported_by_commands_without_models(
    project: Path, cli: Cli
) -> None:
    (project / "shop_models").mkdir()
    (project / "shop_models" / "logging.py").write_text("1 / 0\n", encoding="utf-8")
    with (project / "dbwarden.py").open("a", encoding="utf-8") as file:
        for name, module in (("right", "shop_models.logging"), ("wrong", "shop_models.loging")):
            file.write(
                f"database_config(database_name='{name}', database_type='sqlite', "
                f"database_url='sqlite:///{name}.db', model_paths=['{module}'])\n"
            )
    for command in ("migrate", "check"):
        done = cli(command, "--all")
        assert done.code == 0
        assert done.err.splitlines()[0] == (
            "warning: wrong: model_paths names shop_models.loging, but there is no such module; "
            "did you mean 'shop_models.logging'?"
        )


def test_reading_never_creates_a_database_or_a_history(project: Path, cli: Cli) -> None:
    for command in ("status", "check", "history", "health", "wait"):
        cli(command, "--all")

    assert sorted(path.name for path in project.glob("*.db*")) == []


def test_a_database_that_is_ahead_is_reported_without_error(project: Path, cli: Cli) -> None:
    cli("migrate")
    (project / "migrations/primary/primary__0002_create_orders.sql").unlink()
    ran = cli("check")

    assert ran.code == 0
    assert "ahead of the files" in ran.out


def test_the_suggested_renumber_works(project: Path, cli: Cli) -> None:
    write(project, "primary", "0002_create_tags", ORDERS.replace("orders", "tags"))
    ran = cli("status")
    assert ran.code == 2
    _, _, command = ran.err.partition("this one with: dbwarden ")
    assert command.strip() == "renumber -d primary --move 0002_create_tags"
    moved = cli(*command.split())
    assert moved.code == 0
    assert "primary__0003_create_tags.sql" in moved.out
    assert cli("status").code == 0


def test_an_edited_migration_suggests_a_new_migration_first(project: Path, cli: Cli) -> None:
    cli("migrate")
    path = project / "migrations" / "primary" / "primary__0001_create_users.sql"
    edited = path.read_text().replace("email TEXT NOT NULL", "email TEXT NOT NULL, age INTEGER")
    path.write_text(edited)
    for command in (("migrate",), ("check",)):
        said = " ".join(_both(cli(*command)).split())
        undo, accept = said.index("Undo the edit"), said.index("dbwarden repair -d primary")
        assert undo < said.index("dbwarden new -d primary") < accept
        assert said.index("the edited SQL will not run") < accept
    assert cli("repair", "--accept", "0001", "--yes").code == 0
    with closing(sqlite3.connect(project / "primary.db")) as raw:
        assert [row[1] for row in raw.execute("PRAGMA table_info(users)")] == ["id", "email"]


def _both(ran: Ran) -> str:
    return ran.out + ran.err


def test_missing_files_are_counted(project: Path, cli: Cli) -> None:
    cli("migrate", "--to", "1")
    for path in (project / "migrations" / "primary").iterdir():
        path.unlink()
    assert "1 migration is applied (0001), but the migrations folder has no files" in (
        cli("rollback").err
    )
