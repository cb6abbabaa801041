"""Logs of the commands."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.acceptance.cli.projects import USERS, Cli, states, write


def test_an_invalid_log_format_of_the_environment_is_reported(
    project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBWARDEN_LOG_FORMAT", "xml")
    ran = cli("status")
    assert ran.code == 2
    assert "DBWARDEN_LOG_FORMAT is 'xml'; it must be one of 'console', 'json'" in ran.err
    assert cli("status", "--log-format", "json").code == 0  # an option counts instead

    monkeypatch.setenv("DBWARDEN_LOG_FORMAT", "json")
    events = [json.loads(line)["event"] for line in cli("status").err.splitlines()]
    assert "status" in events


def test_logs_go_to_stderr_as_json_while_stdout_stays_one_document(project: Path, cli: Cli) -> None:
    ran = cli("migrate", "--all", "--json", "--log-format", "json")

    assert states(ran) == dict.fromkeys(("primary", "analytics", "logging"), "succeeded")
    events = [json.loads(line) for line in ran.err.splitlines()]
    assert {event["database"] for event in events} == {"primary", "analytics", "logging"}
    applied = [e for e in events if e["event"] == "migration_applied"]
    assert [e["version"] for e in applied if e["database"] == "primary"] == ["0001", "0002"]
    assert all(e["operation"] == "migrate" for e in applied)
    ended = [e for e in events if e["event"] == "migrate"]
    assert all(e["outcome"] == "succeeded" and e["duration_ms"] > 0 for e in ended)


@pytest.mark.parametrize("command", [("migrate",), ("status",), ("repair", "--forget", "0001")])
def test_all_log_lines_of_a_run_share_an_id_and_record_begin_and_end(
    project: Path, cli: Cli, command: Sequence[str]
) -> None:
    for name in ("analytics", "logging"):
        write(project, name, "0001_first", USERS)
    (project / "migrations" / "analytics" / "analytics__0001_create_events.sql").unlink()
    cli("migrate", "--all")
    runs = set()
    for _ in range(2):
        ran = cli(*command, "--all", "--json", "--log-format", "json")
        events = [json.loads(line) for line in ran.err.splitlines() if line.startswith("{")]
        started = [e["database"] for e in events if e["event"] == "started"]
        ended = [e["database"] for e in events if e["event"] == command[0] and e["outcome"]]
        assert sorted(started) == sorted(ended) == ["analytics", "logging", "primary"]
        (run,) = {e["run"] for e in events}
        runs.add(run)
    assert len(runs) == 2
    console = cli(*command, "--all", "--log-level", "info").err
    assert console.count("run=") >= 6


def test_a_failure_is_logged_as_the_end_of_its_operation(project: Path, cli: Cli) -> None:
    write(project, "primary", "0001_create_users", "-- upgrade\nSELECT nonsense;\n")
    ran = cli("migrate", "--json", "--log-format", "json")
    events = [json.loads(line) for line in ran.err.splitlines() if line.startswith("{")]
    first, last = events[0], events[-1]
    assert (first["event"], first["operation"]) == ("started", "migrate")
    assert (last["event"], last["outcome"], last["level"]) == ("migrate", "failed", "error")
    assert last["duration_ms"] > 0
    assert first["run"] == last["run"]
