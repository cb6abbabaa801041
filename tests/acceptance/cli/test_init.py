"""init and new begin a project."""

import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.acceptance.cli.projects import CONFIGURATION, USERS, Cli


def test_init_and_new_lead_to_a_project_that_migrates(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    begun = cli("init")
    assert begun.code == 0
    # Both ways to go on: SQL by hand, and from models.
    following, _, other = begun.out.partition("\nNext:\n")[2].partition("\n\n")
    assert other == "Does the database already have tables? Start with: dbwarden baseline\n"
    commands = [line.partition("#")[0].split() for line in following.splitlines()]
    assert [words[:2] for words in commands] == [
        ["dbwarden", "new"],
        ["dbwarden", "make-migrations"],
        ["dbwarden", "migrate"],
    ]
    ran = cli("make-migrations", "-m", "create users")
    assert ran.code == 2
    assert "its model_paths name no module" in ran.err
    assert "model_paths=['app.models']" in ran.err

    made = cli("new", "-m", "Create users!", "--json")
    path = Path(made.json["path"])
    assert path.name == "primary__0001_create_users.sql"
    path.write_text(USERS, encoding="utf-8")
    assert cli("migrate").code == 0
    assert (tmp_path / "app.db").exists()


def test_a_fresh_project_runs_in_a_row_and_passes_strict_type_checks(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    begun = cli("init", "--models", "shop.models", "--fastapi")
    assert begun.out.startswith(
        "Wrote dbwarden.py, shop/models.py, shop/main.py, .gitignore and migrations/primary/.\n"
    )
    commands = [line.split() for line in begun.out.splitlines() if line.startswith("  ")]
    assert [words[-1] for words in commands] == ['tables"', "migrate", "shop.main:app"]
    assert (tmp_path / ".gitignore").read_text() == "/app.db*\n"
    assert cli("make-migrations", "-m", "create tables").code == 0
    assert cli("migrate").code == 0
    assert cli("check", "--models").code == 0
    asked = (
        "from fastapi.testclient import TestClient\nfrom shop.main import app\n"
        "with TestClient(app) as client:\n"
        "    assert client.post('/notes?text=hello').json() == 1\n"
        "    assert client.get('/notes').json() == ['hello']\n"
        "    assert client.get('/health').json()['status'] == 'ok'\n"
    )
    subprocess.run([sys.executable, "-c", asked], cwd=tmp_path, check=True)
    _check_types(tmp_path, cli)


def _check_types(folder: Path, cli: Cli) -> None:
    """dbwarden.py has the name of the package, which a type checker takes for the file."""
    (folder / "app.py").write_text(
        "from dbwarden.config import database_config, tenant_databases\n"
        "reveal_type(database_config)\nreveal_type(tenant_databases)\n"
    )
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "dbwarden.py", "app.py", "shop"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "TypedDict(dbwarden.config.registry.DatabaseOptions" in checked.stdout
    assert 'Revealed type is "Any"' not in checked.stdout
    ran = cli("databases", "--config", str(folder / "dbwarden.py"), "--json")
    assert [item["database_name"] for item in ran.json["databases"]] == ["primary"]


def test_files_that_exist_are_left_as_they_are(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "models").mkdir()
    (tmp_path / ".gitignore").write_text("*.pyc")
    ran = cli("init", "--folder", str(tmp_path), "--models", "shop.models", "--fastapi")
    assert ran.code == 0
    assert not (tmp_path / "shop" / "models.py").exists()
    assert f"Left {tmp_path / 'shop' / 'models.py'} as it is." in ran.out
    assert "Note" not in (tmp_path / "shop" / "main.py").read_text()
    assert (tmp_path / ".gitignore").read_text() == "*.pyc\n/app.db*\n"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--models", "my models"), "'my models' is not the name of a module"),
        (("--kind", "postgresql", "--url", "sqlite:///a.db"), "of kind sqlite, not postgresql"),
    ],
)
def test_init_refuses_what_does_not_fit(
    tmp_path: Path, cli: Cli, arguments: tuple[str, ...], problem: str
) -> None:
    ran = cli("init", "--folder", str(tmp_path / "new"), *arguments)
    assert (ran.code, list(tmp_path.iterdir())) == (2, [])
    assert problem in ran.err


def test_init_names_the_file_that_stands_in_its_way(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "migrations").write_text("")

    ran = cli("init", "--folder", str(tmp_path))

    assert ran.code == 2
    assert f"{tmp_path / 'migrations'}" in ran.err and "dbwarden.py exists" not in ran.err


def test_init_never_overwrites(project: Path, cli: Cli) -> None:
    ran = cli("init")

    assert ran.code == 2
    assert "exists already" in ran.err
    assert (project / "dbwarden.py").read_text(encoding="utf-8") == CONFIGURATION


@pytest.mark.parametrize("name", ["my db", 'a"b', "../outside", "all"])
def test_init_refuses_names_that_a_configuration_would_refuse(
    tmp_path: Path, cli: Cli, name: str
) -> None:
    ran = cli("init", "--folder", str(tmp_path / "new"), "--name", name)

    assert ran.code == 2
    assert repr(name) in ran.err
    assert list(tmp_path.iterdir()) == []


def test_init_writes_a_url_that_python_reads_as_it_was(tmp_path: Path, cli: Cli) -> None:
    url = 'sqlite:///it\'s "here" {x}.db'
    assert cli("init", "--folder", str(tmp_path), "--url", url).code == 0
    ran = cli("databases", "--config", str(tmp_path / "dbwarden.py"), "--json")
    assert ran.code == 0, ran.err
    assert unquote(ran.json["databases"][0]["database_url"]).endswith('it\'s "here" {x}.db')


def test_init_writes_no_password(tmp_path: Path, cli: Cli) -> None:
    ran = cli("init", "--folder", str(tmp_path), "--url", "postgresql://me:hunter2@db/app")

    assert ran.code == 2
    assert "hunter2" not in ran.out + ran.err
    assert not (tmp_path / "dbwarden.py").exists()


def test_two_empty_migrations_can_be_made_in_a_row(project: Path, cli: Cli) -> None:
    assert cli("new", "-m", "one").code == 0
    assert cli("new", "-m", "two", "--json").json["version"] == "0004"
    assert cli("make-migrations", "-m", "three", "--empty").code == 0


def test_init_uses_the_kind_of_the_environment(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", "postgresql://app@localhost/app")
    assert cli("init").code == 0
    assert cli("settings", "--json").json["databases"][0]["database_type"] == "postgresql"


def test_the_development_server_needs_no_other_command(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    begun = cli("init", "--kind", "postgresql", "--models", "own.models", "--dev-server")
    try:
        assert (begun.code, begun.err) == (0, "Starting the development server ...\n")
        assert not (tmp_path / ".gitignore").exists()
        assert cli("make-migrations", "-m", "create tables").code == 0
        assert cli("migrate").code == 0
        (found,) = cli("status", "--json").json["databases"]
        assert found["result"]["server_version"].split(".")[0].isdigit()
        (found,) = cli("settings", "--json").json["databases"]
        assert (found["database_url"], found["database_type"]) == ("embedded", "postgresql")
    finally:
        assert cli("dev-server", "stop", "--remove").code == 0
    stopped = cli("status")
    assert stopped.code == 1
    assert "next: Start it: dbwarden dev-server start\n" in stopped.err
