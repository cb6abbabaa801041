"""Events, their fields, and their way to the log of the program."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from dbwarden import telemetry


@pytest.fixture(autouse=True)
def as_a_library() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


def test_as_a_library_events_go_to_the_standard_librarys_logging(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO, logger="dbwarden")

    with telemetry.bound(database="primary"):
        telemetry.emit("health", level="warning", error="no route", name="x", pending=2)
        telemetry.emit("planned", level="debug")
    telemetry.emit("notice", message="")

    first, second = caplog.records
    assert (first.name, first.levelname) == ("dbwarden", "WARNING")
    assert first.getMessage() == "health database=primary error='no route' name=x pending=2"
    fields = {"database": "primary", "error": "no route", "name": "x", "pending": 2}
    assert first.__dict__["database"] == "primary"
    assert first.__dict__["dbwarden"] == fields
    assert first.filename == "test_telemetry.py"
    assert second.getMessage() == "notice message=''"
    assert second.__dict__["database"] is None
    assert capsys.readouterr() == ("", "")


def test_a_program_with_unconfigured_structlog_prints_no_events_of_dbwarden(
    capsys: pytest.CaptureFixture[str],
) -> None:
    telemetry.emit("health", database="primary")

    assert capsys.readouterr() == ("", "")


def test_as_a_library_events_go_to_structlog_where_the_program_has_configured_it() -> None:
    with structlog.testing.capture_logs() as lines:
        telemetry.emit("migration_applied", database="primary", version="0001")

    assert lines == [
        {
            "event": "migration_applied",
            "database": "primary",
            "version": "0001",
            "log_level": "info",
        }
    ]


def test_bound_fields_are_in_every_event_of_the_block_and_in_none_after_it() -> None:
    with structlog.testing.capture_logs() as lines:
        with telemetry.bound(database="primary"):
            telemetry.emit("inside")
        telemetry.emit("outside")

    assert lines[0]["database"] == "primary"
    assert "database" not in lines[1]


def test_bound_fields_reach_the_program_s_own_lines() -> None:
    with telemetry.bound(database="primary"):
        assert structlog.contextvars.get_contextvars()["database"] == "primary"
    assert "database" not in structlog.contextvars.get_contextvars()


def test_a_step_is_one_event_with_outcome_and_milliseconds() -> None:
    with structlog.testing.capture_logs() as lines, telemetry.step("check") as found:
        found["pending"] = 2

    assert len(lines) == 1
    assert lines[0]["event"] == "check"
    assert lines[0]["outcome"] == "succeeded"
    assert lines[0]["pending"] == 2
    assert lines[0]["duration_ms"] >= 0


def test_a_step_that_raises_is_logged_as_failed_and_raises() -> None:
    with (
        structlog.testing.capture_logs() as lines,
        pytest.raises(ValueError, match="no"),
        telemetry.step("check"),
    ):
        raise ValueError("no")

    assert (lines[0]["outcome"], lines[0]["error"], lines[0]["log_level"]) == (
        "failed",
        "no",
        "error",
    )


def test_a_step_that_is_cancelled_is_logged_as_interrupted() -> None:
    with (
        structlog.testing.capture_logs() as lines,
        pytest.raises(KeyboardInterrupt),
        telemetry.step("check"),
    ):
        raise KeyboardInterrupt

    assert lines[0]["outcome"] == "interrupted"


def test_an_operation_logs_its_start_and_its_end_with_one_run() -> None:
    with structlog.testing.capture_logs() as lines:
        with telemetry.operation("migrate", database="primary"):
            telemetry.emit("migration_applied", version="0001")
        with telemetry.operation("check", database="primary"):
            pass

    assert [line["event"] for line in lines] == [
        "started",
        "migration_applied",
        "migrate",
        "started",
        "check",
    ]
    assert [line["operation"] for line in lines] == ["migrate"] * 3 + ["check"] * 2
    assert {line["database"] for line in lines} == {"primary"}
    assert lines[2]["outcome"] == "succeeded"
    assert lines[2]["duration_ms"] >= 0
    first, second = ({line["run"] for line in some} for some in (lines[:3], lines[3:]))
    assert (len(first), len(second)) == (1, 1)
    assert first != second


def test_operations_inside_a_run_share_its_id() -> None:
    with structlog.testing.capture_logs() as lines, telemetry.run() as run:
        for name in ("primary", "logging"):
            with telemetry.operation("check", database=name), telemetry.run() as inner:
                assert inner == run
    assert {line["run"] for line in lines} == {run}
    assert len(run) == 8


def test_listeners_receive_events_below_the_level_of_the_log() -> None:
    heard: list[Any] = []
    telemetry.configure(level="error")

    with telemetry.listening(heard.append):
        telemetry.emit("planned", level="debug", migrations=3)
    telemetry.emit("unheard", level="debug")

    assert [(event.name, event.fields) for event in heard] == [("planned", {"migrations": 3})]


def test_configured_as_json_each_event_is_a_json_line_on_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    telemetry.configure("json", "info")

    telemetry.emit("check", database="primary", duration_ms=1.5)
    telemetry.emit("detail", level="debug")

    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert out == ""
    assert json.loads(line).items() >= {
        ("event", "check"),
        ("database", "primary"),
        ("duration_ms", 1.5),
        ("level", "info"),
    }


def test_configured_as_console_it_is_a_line_for_a_person(
    capsys: pytest.CaptureFixture[str],
) -> None:
    telemetry.configure("console", "info")

    telemetry.emit("check", database="primary")

    err = capsys.readouterr().err
    assert "check" in err
    assert "database=primary" in err


def test_configuring_the_log_changes_no_global_configuration() -> None:
    before = structlog.get_config()

    telemetry.configure("json", "info")
    telemetry.emit("check")

    assert structlog.get_config() == before
