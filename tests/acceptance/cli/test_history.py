"""history shows the migrations of the past."""

from pathlib import Path

from tests.acceptance.cli.projects import Cli, results


def test_history_shows_user_and_action_including_rollbacks(project: Path, cli: Cli) -> None:
    cli("migrate")
    cli("rollback")
    ran = cli("history")

    assert ran.code == 0
    assert "rolled back" in ran.out
    rows = results(cli("history", "--json"))["primary"]["rows"]
    assert [(row["key"], row["state"]) for row in rows] == [
        ("0001", "applied"),
        ("0002", "rolled_back"),
    ]
    assert rows[0]["started_at"].endswith("Z")

    newest = cli("history", "--limit", "1", "--json")
    assert [row["key"] for row in results(newest)["primary"]["rows"]] == ["0002"]
    assert results(newest)["primary"]["older"] == 1
    assert (
        "primary: 1 row; 1 older not shown (--limit N, --all-rows)"
        in cli("history", "--limit", "1").out
    )
    assert "not shown" not in cli("history", "--all-rows").out
    assert cli("history", "--limit", "0").code == 2
