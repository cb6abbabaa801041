"""lock-status and unlock, and databases without a server."""

from pathlib import Path

from tests.acceptance.cli.projects import Cli


def test_an_sqlite_file_that_may_only_be_read_is_no_server(project: Path, cli: Cli) -> None:
    (project / "primary.db").touch()
    file = project / "dbwarden.py"
    file.write_text(file.read_text().replace("{name}.db", "file:{name}.db?mode=ro&uri=true"))
    ran = cli("migrate")

    assert ran.code == 1
    assert "this user may not write its file, or its URL says so" in ran.err
    assert "replica" not in ran.err


def test_lock_status_and_unlock_of_a_free_database(project: Path, cli: Cli) -> None:
    cli("migrate")

    assert "free" in cli("lock-status").out
    assert cli("unlock").code == 0
    assert cli("unlock", "--force").code == 0
