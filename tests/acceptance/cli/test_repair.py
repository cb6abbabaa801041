"""repair accepts or forgets rows of the migration history."""

from pathlib import Path

from tests.acceptance.cli.projects import USERS, Cli, results, write


def test_check_finds_a_changed_file_and_repair_accepts_it(project: Path, cli: Cli) -> None:
    cli("migrate")
    write(project, "primary", "0001_create_users", USERS.replace("email", "mail"))

    found = cli("check", "--json")
    assert found.code == 3
    assert results(found)["primary"]["findings"][0]["code"] == "changed"
    assert cli("migrate").code == 1

    shown = cli("repair", "--accept", "0001")
    assert "accept 0001 (create users) as its file is now" in shown.out
    assert "Nothing was changed" in shown.err
    assert cli("check").code == 3

    assert cli("repair", "--accept", "0001", "--yes").code == 0
    assert cli("check").code == 0


def test_repair_forgets_a_row_without_its_file(project: Path, cli: Cli) -> None:
    cli("migrate")
    (project / "migrations/primary/primary__0001_create_users.sql").unlink()
    assert "missing" in cli("check").out

    assert "missing: 0001" in cli("repair").out
    assert cli("repair", "--forget", "00001", "--yes").code == 0
    assert cli("check").code == 0


def test_repair_refuses_migrations_in_another_state(project: Path, cli: Cli) -> None:
    cli("migrate")
    ran = cli("repair", "--accept", "0001", "--yes")

    assert ran.code == 2
    assert "0001 is not changed" in ran.err
    assert cli("repair", "--at", "0001", "--yes").code == 2
    assert "--at takes KEY=STEP" in cli("repair", "--at", "0001=\N{SUPERSCRIPT TWO}").err
