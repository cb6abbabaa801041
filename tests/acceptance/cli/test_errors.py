"""Bad input and unforeseen errors are a sentence and an exit code."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.acceptance.cli.projects import Cli, write


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("migrat",), "there is no command 'migrat'; did you mean 'migrate'?"),
        (("upgrade",), "there is no command 'upgrade'; use 'migrate'"),
        (("--json", "status"), "the option --json comes before the command"),
        (("migrate", "head"), "migrate does not accept 'head'"),
        (("new", "-m"), "requires an argument"),
        (("migrate", "--bogus"), "--bogus"),
        (("migrate", "--timeout", "soon"), "--timeout"),
        (("migrate", "--timeout", "-1"), "--timeout takes seconds"),
        (("migrate", "--concurrency", "0"), "--concurrency takes a number of at least 1"),
        (("migrate", "-d", "primry"), "primry"),
        (("migrate", "-d", "tenant_*"), "tenant_*"),
        (("migrate", "--all", "-d", "primary"), "exclude each other"),
        (("migrate", "--to", "0099"), "0099"),
        (("migrate", "--config", "nowhere.py"), "nowhere.py"),
        (("new", "-d", "primary"), "--message"),
        (("repair", "--at", "0001"), "KEY=STEP"),
    ],
)
def test_invalid_input_is_a_sentence_and_exit_2(
    project: Path, cli: Cli, arguments: Sequence[str], said: str
) -> None:
    ran = cli(*arguments)

    assert ran.code == 2
    assert said in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("arguments", [("migrat",), ("migrate", "--bogus"), ("new",), ("x", "y")])
def test_an_invalid_command_line_is_a_json_document_too(
    project: Path, cli: Cli, arguments: Sequence[str]
) -> None:
    ran = cli(*arguments, "--json")

    assert ran.code == ran.json["exit_code"] == 2
    assert ran.json["command"] == arguments[0]
    assert ran.json["error"]["message"] in ran.err


def test_help_is_a_command_too(cli: Cli) -> None:
    assert cli("help", "migrate").out == cli("migrate", "--help").out


def test_the_exit_code_in_a_document_is_that_of_the_process(project: Path, cli: Cli) -> None:
    write(project, "primary", "0003_pending", "-- upgrade\nSELECT 1;\n")
    for command in ("status", "check", "history", "lock-status", "unlock"):
        ran = cli(command, "--json")
        assert ran.json["exit_code"] == ran.code, command


def test_output_of_the_configuration_goes_to_stderr(project: Path, cli: Cli) -> None:
    file = project / "dbwarden.py"
    file.write_text("print('loading')\n" + file.read_text())
    ran = cli("status", "--json")

    assert ran.json["exit_code"] == 0
    assert ran.err.startswith("loading\n")


def test_a_configuration_that_exits_is_an_error_with_its_line(project: Path, cli: Cli) -> None:
    (project / "dbwarden.py").write_text("import sys\n\nsys.exit('DATABASE_URL is not set')\n")
    ran = cli("status")

    assert ran.code == 2
    assert "dbwarden.py:3: the configuration file fails: SystemExit: DATABASE_URL" in ran.err


def test_an_unexpected_error_shows_its_traceback_and_no_secret(
    project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise LookupError("postgresql://app:secret@localhost/app")

    monkeypatch.setattr("dbwarden.cli.commands.status.report", broken)
    ran = cli("status", "--json")

    assert (ran.code, ran.json["error"]["message"]) == (
        1,
        "LookupError: postgresql://app:***@localhost/app",
    )
    assert "Please report it" in ran.err
    assert "test_errors.py" in ran.err
    assert "secret" not in ran.out + ran.err


def test_a_configuration_error_with_json_is_a_json_document(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    ran = cli("status", "--json")

    assert ran.code == 2
    assert ran.json["error"]["type"] == "ConfigurationNotFound"
    assert ran.json["exit_code"] == 2
