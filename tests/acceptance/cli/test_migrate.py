"""migrate applies the pending migrations of each chosen database."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.acceptance.cli.projects import ORDERS, Cli, first_words, results, states, write


def test_migrate_all_brings_every_database_to_its_newest_version(project: Path, cli: Cli) -> None:
    ran = cli("migrate", "--all")

    assert ran.code == 0
    lines = ran.out.splitlines()
    assert first_words(ran.out) == ["database", "primary", "analytics", "logging"]
    assert "migrated" in lines[1] and "0002" in lines[1] and "2 (0001, 0002)" in lines[1]
    assert "up to date" in lines[3]
    assert "primary: applied 0001" in ran.err


def test_without_d_the_default_database_is_meant(project: Path, cli: Cli) -> None:
    ran = cli("migrate", "--json")

    assert states(ran) == {"primary": "succeeded"}
    assert not (project / "analytics.db").exists()


def test_d_takes_names_and_patterns_and_may_be_repeated(project: Path, cli: Cli) -> None:
    assert states(cli("migrate", "-d", "a*", "-d", "logging", "--json")) == {
        "analytics": "succeeded",
        "logging": "succeeded",
    }


def test_a_second_migrate_has_nothing_to_do(project: Path, cli: Cli) -> None:
    cli("migrate", "--all")
    ran = cli("migrate", "--all", "--json")

    assert ran.code == 0
    assert [result["applied"] for result in results(ran).values()] == [[], [], []]


def test_to_and_count_limit_the_run(project: Path, cli: Cli) -> None:
    assert results(cli("migrate", "--to", "1", "--json"))["primary"]["version"] == "0001"
    assert results(cli("migrate", "--count", "1", "--json"))["primary"]["version"] == "0002"


def test_a_dry_run_prints_the_sql_in_order_and_writes_nothing(project: Path, cli: Cli) -> None:
    ran = cli("migrate", "--dry-run")

    assert ran.code == 0
    assert ran.out.index("CREATE TABLE users") < ran.out.index("CREATE TABLE orders")
    assert "would apply 2" in ran.out
    assert not (project / "primary.db").exists()


def test_a_failing_migration_is_reported_with_its_place_and_other_databases_continue(
    project: Path, cli: Cli
) -> None:
    write(project, "primary", "0003_broken", "-- upgrade\nCREATE TABLE t (id INT);\n  SELEC 1;\n")
    ran = cli("migrate", "--all")

    assert ran.code == 1
    assert "failed" in ran.out.splitlines()[1]
    assert "migrated" in ran.out.splitlines()[2]
    assert "error: primary: migrations/primary/primary__0003_broken.sql:3:3: " in ran.err
    assert "| SELEC 1" in ran.err
    assert "2 of 3 databases done. For the rest:\n  dbwarden migrate -d primary" in ran.err
    assert results(cli("status", "--json"))["primary"]["version"] == "0002"


def test_fail_fast_starts_nothing_after_a_failure(project: Path, cli: Cli) -> None:
    write(project, "primary", "0003_broken", "-- upgrade\nSELEC 1;\n")
    ran = cli("migrate", "--all", "--fail-fast", "--concurrency", "1", "--json")

    assert ran.code == 1
    assert states(ran) == {
        "primary": "failed",
        "analytics": "not_started",
        "logging": "not_started",
    }
    assert ran.json["summary"] == {"failed": 1, "not_started": 2}


def test_no_database_runs_after_a_failed_canary(project: Path, cli: Cli) -> None:
    write(project, "analytics", "0002_broken", "-- upgrade\nSELEC 1;\n")
    ran = cli("migrate", "--all", "--canary", "analytics", "--json")

    assert states(ran) == {
        "primary": "not_started",
        "analytics": "failed",
        "logging": "not_started",
    }


def test_a_broken_file_stops_everything_before_anything_runs(project: Path, cli: Cli) -> None:
    write(project, "primary", "0003_no_upgrade", "-- rollback\nDROP TABLE x;\n")
    ran = cli("migrate")

    assert ran.code == 2
    assert "primary__0003_no_upgrade.sql:1" in ran.err
    assert not (project / "primary.db").exists()


def test_out_of_order_is_refused_without_the_flag(project: Path, cli: Cli) -> None:
    (project / "migrations/primary/primary__0001_create_users.sql").rename(project / "later")
    cli("migrate")
    (project / "later").rename(project / "migrations/primary/primary__0001_create_users.sql")

    refused = cli("migrate")
    assert refused.code == 1
    assert "--out-of-order" in refused.err
    assert cli("migrate", "--out-of-order").code == 0


def test_an_edited_migration_counts_as_applied(project: Path, cli: Cli) -> None:
    cli("migrate")
    write(project, "primary", "0002_create_orders", ORDERS.replace("id", "number"))
    assert results(cli("status", "--json"))["primary"]["version"] == "0002"


def test_an_empty_new_migration_is_refused_by_migrate(project: Path, cli: Cli) -> None:
    cli("new", "-d", "logging", "-m", "later")
    ran = cli("migrate", "-d", "logging")

    assert ran.code == 2
    assert "logging__0001_later.sql" in ran.err


def test_a_missing_replica_is_created_by_migrating_its_primary(project: Path, cli: Cli) -> None:
    with (project / "dbwarden.py").open("a") as file:
        file.write(
            'database_config(database_name="replica", replica_of="primary", '
            'database_url="sqlite:///file:primary.db?mode=ro&uri=true")\n'
        )
    assert "Create it with: dbwarden migrate -d primary\n" in cli("check", "-d", "replica").err


def test_an_invalid_history_is_an_error_of_its_database(project: Path, cli: Cli) -> None:
    cli("migrate")
    with closing(sqlite3.connect("primary.db", isolation_level=None)) as database:
        database.execute("UPDATE dbwarden_ledger SET state = 'novel'")
    ran = cli("status")

    assert ran.code == 1
    assert "error: primary: row 1 of dbwarden_ledger is invalid" in ran.err


def test_migrating_existing_tables_suggests_baseline(project: Path, cli: Cli) -> None:
    with closing(sqlite3.connect("primary.db", isolation_level=None)) as database:
        database.execute("CREATE TABLE users (id INTEGER PRIMARY KEY)")
    ran = cli("migrate")

    assert ran.code == 1
    assert "dbwarden baseline -d primary --to VERSION" in ran.err


def test_all_shards_together_are_the_whole_fleet(project: Path, cli: Cli) -> None:
    ran = [cli("status", "--all", "--shard", f"{i}/2", "--json") for i in (1, 2)]

    assert sorted(name for one in ran for name in states(one)) == [
        "analytics",
        "logging",
        "primary",
    ]


def test_the_command_for_the_rest_of_many_databases_repeats_their_share(
    project: Path, cli: Cli
) -> None:
    (project / "dbwarden.py").write_text(
        "from dbwarden import tenant_databases\n"
        "tenant_databases(name='t_{tenant_id}', database_type='sqlite', "
        "database_url='sqlite:///t_{tenant_id}.db', tenants=range(60))\n"
    )
    write(project, "t", "0001_broken", "-- upgrade\nSELEC 1;\n")

    ran = cli("migrate", "--all", "--shard", "1/2")
    assert "  dbwarden migrate --all --shard 1/2\n" in ran.err
    ran = cli("migrate", "-d", "t_*", "--shard", "1/2")
    assert "  dbwarden migrate -d 't_*' --shard 1/2\n" in ran.err
