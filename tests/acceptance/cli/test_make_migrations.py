"""Commands that read models."""

from pathlib import Path

import pytest

from tests.acceptance.cli.projects import Cli, states


def test_files_written_before_a_failure_are_reported(project: Path, cli: Cli) -> None:
    file = project / "dbwarden.py"
    models = 'model_paths=[f"{name}_models.py"] if name != "logging" else []'
    text = file.read_text()
    file.write_text(
        text.replace('default=name == "primary"', f'default=name == "primary", {models}')
    )
    for name in ("primary", "analytics"):
        (project / f"{name}_models.py").write_text(
            "from sqlalchemy import Column, Integer, MetaData, Table\n"
            f'THINGS = Table("{name}_things", MetaData(), Column("id", Integer))\n'
        )
        for path in (project / "migrations" / name).glob("*.sql"):
            path.unlink()
    (project / "analytics_models.py").write_text("import nowhere\n")
    ran = cli("make-migrations", "--all", "-m", "things", "--json")
    assert ran.code == 2
    assert ran.json["error"]["database"] == "analytics"
    made, failed = ran.json["databases"]
    assert (made["database"], made["state"]) == ("primary", "succeeded")
    assert made["path"] == made["result"]["path"]
    assert Path(made["path"]).name == "primary__0001_things.sql"
    assert (failed["database"], failed["state"]) == ("analytics", "failed")
    assert failed["error"] == ran.json["error"]
    again = cli("make-migrations", "--all", "-m", "more", "--rename", "nothing:things")
    assert "primary: --rename 'nothing:things': there is no nothing" in again.err
    assert "next: Pass --rename with -d DATABASE; it does not apply to primary.\n" in again.err


def test_all_skips_databases_without_models(
    project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = project / "dbwarden.py"
    file.write_text(
        file.read_text().replace(
            'default=name == "primary"',
            'default=name == "primary", model_paths=["things.py"] if name == "logging" else []',
        )
    )
    (project / "things.py").write_text(
        "from sqlalchemy import Column, Integer, MetaData, Table\n"
        'THINGS = Table("things", MetaData(), Column("id", Integer, primary_key=True))\n'
    )
    ran = cli("make-migrations", "--all", "-m", "things")

    assert ran.code == 0
    assert "Wrote migrations/logging/logging__0001_things.sql" in ran.out
    assert ran.err == "".join(
        f"{name}: skipped because it has no model_paths and no schema_paths.\n"
        for name in ("primary", "analytics")
    )
    checked = cli("check", "--models", "--all", "--json")
    assert (checked.code, states(checked)) == (0, {"logging": "succeeded"})
    assert "name no module" in cli("make-migrations", "-m", "x").err


def test_a_password_in_an_error_of_the_models_is_not_shown(
    project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = project / "dbwarden.py"
    file.write_text(
        file.read_text().replace("default=name", 'model_paths=["broken.py"], default=name')
    )
    (project / "broken.py").write_text("raise OSError('postgresql://app:hunter2@localhost/app')\n")
    ran = cli("check", "--models")

    assert "OSError: postgresql://app:***@localhost/app" in ran.err
    assert "hunter2" not in ran.err
