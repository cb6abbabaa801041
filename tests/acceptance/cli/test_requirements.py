"""Migrations that require another database."""

import json
from pathlib import Path

from tests.acceptance.cli.projects import EVENTS, Cli, results, states, versions, write

NEEDS_USERS = "-- requires: primary@0001\n\n" + EVENTS.replace("events", "visits")


def test_a_migration_waits_for_its_requirement_in_another_database(project: Path, cli: Cli) -> None:
    write(project, "analytics", "0002_visits", NEEDS_USERS)
    ran = cli("migrate", "--all", "--json", "--log-format", "json")

    assert ran.code == 0
    events = [json.loads(line) for line in ran.err.splitlines()]
    order = [f"{e['database']}@{e['version']}" for e in events if e["event"] == "migration_applied"]
    assert order.index("primary@0001") < order.index("analytics@0002")
    assert [item["key"] for item in results(ran)["analytics"]["applied"]] == ["0001", "0002"]


def test_a_database_with_a_failed_requirement_is_not_started(project: Path, cli: Cli) -> None:
    write(project, "primary", "0001_create_users", "-- upgrade\nSELEC 1;\n")
    write(project, "analytics", "0002_visits", NEEDS_USERS)
    ran = cli("migrate", "--all", "--json")

    assert ran.code == 1
    assert states(ran) == {
        "primary": "failed",
        "analytics": "not_started",
        "logging": "succeeded",
    }
    assert "requires primary@0001, which is not applied" in ran.out
    assert [item["key"] for item in results(ran)["analytics"]["applied"]] == ["0001"]


def test_a_requirement_is_met_by_the_history_of_a_database(project: Path, cli: Cli) -> None:
    write(project, "analytics", "0002_visits", NEEDS_USERS)

    alone = cli("migrate", "-d", "analytics", "--json")
    assert states(alone) == {"analytics": "not_started"}
    cli("migrate", "-d", "primary")
    write(project, "primary", "0003_broken", "-- upgrade\nSELEC 1;\n")
    both = cli("migrate", "--all", "--json")
    assert states(both)["primary"] == "failed"
    assert versions(cli("status", "-d", "analytics", "--json")) == {"analytics": "0002"}


def test_an_unknown_requirement_stops_everything_before_it_runs(project: Path, cli: Cli) -> None:
    write(project, "analytics", "0002_visits", NEEDS_USERS.replace("0001", "0099"))
    ran = cli("migrate", "--all")

    assert ran.code == 2
    assert "analytics__0002_visits.sql" in ran.err
    assert "primary has no such migration" in ran.err
    assert not (project / "primary.db").exists()
