"""health prints the document of the endpoint."""

from pathlib import Path

from tests.acceptance.cli.projects import Cli


def test_health_prints_the_json_of_the_endpoint(project: Path, cli: Cli) -> None:
    cli("migrate", "-d", "primary")
    ran = cli("health", "-d", "primary", "-d", "analytics")

    assert ran.code == 3
    assert ran.json == {
        "status": "degraded",
        "databases": [
            {
                "database": "primary",
                "status": "ok",
                "connected": True,
                "pending_migrations": 0,
                "lock_active": False,
                "error": None,
            },
            {
                "database": "analytics",
                "status": "degraded",
                "connected": True,
                "pending_migrations": 1,
                "lock_active": False,
                "error": None,
            },
        ],
    }


def test_health_of_a_database_that_cannot_be_read_is_an_error_and_exit_1(
    project: Path, cli: Cli
) -> None:
    (project / "primary.db").write_bytes(b"this is no database, only text" * 100)
    ran = cli("health")

    assert ran.code == 1
    assert ran.json["status"] == "error"
    assert str(project) not in ran.out
