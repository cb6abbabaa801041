"""The report of a run."""

import json
from pathlib import Path

import pytest

from tests.acceptance.cli.projects import Cli


def test_an_unwritable_report_stops_the_run_before_it_begins(project: Path, cli: Cli) -> None:
    ran = cli("migrate", "--report", "nowhere/report.json")

    assert ran.code == 2
    assert "there is no folder nowhere" in ran.err
    assert not (project / "primary.db").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_lost_report_does_not_hide_the_outcomes(project: Path, cli: Cli) -> None:
    ran = cli("migrate", "--report", "/dev/full")

    assert ran.code == 1
    assert "the report cannot be written to /dev/full" in ran.err
    assert "migrated" in ran.out


def test_the_report_holds_every_outcome(project: Path, cli: Cli) -> None:
    ran = cli("migrate", "--all", "--report", "report.json")

    assert ran.code == 0
    report = json.loads((project / "report.json").read_text(encoding="utf-8"))
    assert [item["state"] for item in report["databases"]] == ["succeeded"] * 3
    assert cli("migrate", "--report", "no/such/folder.json").code == 2
