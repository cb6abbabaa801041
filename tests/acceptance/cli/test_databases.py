"""databases, settings and version show the configuration."""

from pathlib import Path

from tests.acceptance.cli.projects import CONFIGURATION, Cli, first_words, states


def test_databases_settings_and_version_show_the_configuration(project: Path, cli: Cli) -> None:
    assert first_words(cli("databases").out) == ["database", "primary", "analytics", "logging"]
    assert [item["database_name"] for item in cli("databases", "--json").json["databases"]] == [
        "primary",
        "analytics",
        "logging",
    ]
    assert cli("settings", "--json").json["databases"][0]["connect_timeout"] == 5.0
    assert "migration_lock_timeout" in cli("settings").out
    assert "asyncpg" in cli("version").out
    assert cli("version", "--json").json["dbwarden"] == cli("--version").out.strip()


def test_a_replica_is_left_out_by_all_and_refused_by_name(project: Path, cli: Cli) -> None:
    replica = (
        '\ndatabase_config(database_name="copy", database_type="sqlite", '
        'database_url="sqlite:///copy.db", replica_of="primary")\n'
    )
    (project / "dbwarden.py").write_text(CONFIGURATION + replica, encoding="utf-8")

    assert "copy" not in states(cli("migrate", "--all", "--json"))
    ran = cli("migrate", "-d", "copy")
    assert ran.code == 2
    assert "replica of primary" in ran.err
