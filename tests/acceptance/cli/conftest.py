"""A project of three databases and its command line."""

from pathlib import Path

import pytest

from dbwarden.cli.app import run
from tests.acceptance.cli.projects import CONFIGURATION, EVENTS, ORDERS, USERS, Cli, write
from tests.commands import Ran


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "dbwarden.py").write_text(CONFIGURATION, encoding="utf-8")
    write(tmp_path, "primary", "0001_create_users", USERS)
    write(tmp_path, "primary", "0002_create_orders", ORDERS)
    write(tmp_path, "analytics", "0001_create_events", EVENTS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    def call(*arguments: str) -> Ran:
        capsys.readouterr()
        try:
            code = run(arguments)
        except SystemExit as exited:
            code = int(exited.code or 0)
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return call
