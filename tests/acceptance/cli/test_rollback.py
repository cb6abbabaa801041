"""rollback takes applied migrations back."""

from pathlib import Path

from tests.acceptance.cli.projects import ORDERS, Cli, results, write


def test_a_dry_run_of_a_rollback_prints_its_sql(project: Path, cli: Cli) -> None:
    cli("migrate")
    ran = cli("rollback", "--dry-run")

    assert "DROP TABLE orders" in ran.out
    assert results(cli("status", "--json"))["primary"]["version"] == "0002"


def test_rollback_takes_back_one_and_to_zero_everything(project: Path, cli: Cli) -> None:
    cli("migrate")

    assert results(cli("rollback", "--json"))["primary"]["version"] == "0001"
    ran = cli("rollback", "--to", "0", "--json")
    assert [item["key"] for item in results(ran)["primary"]["rolled_back"]] == ["0001"]
    assert results(ran)["primary"]["version"] is None
    assert results(cli("rollback", "--json"))["primary"]["rolled_back"] == []


def test_a_half_done_rollback_continues_to_its_target(project: Path, cli: Cli) -> None:
    wrong = "DROP TABLE orders;\nVACUUM;\nDROP TABLE more_orders;"
    path = write(project, "primary", "0002_create_orders", ORDERS)
    path.write_text(ORDERS.replace("DROP TABLE orders;", wrong), encoding="utf-8")
    cli("migrate")
    assert cli("rollback", "--to", "0").code == 1
    path.write_text(path.read_text().replace("more_orders", "IF EXISTS x"), encoding="utf-8")

    ran = cli("rollback", "--to", "0")

    assert ran.code == 0
    assert "0002, 0001" in ran.out
    assert results(cli("status", "--json"))["primary"]["pending"] == ["0001", "0002"]
