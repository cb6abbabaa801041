"""Import the Alembic histories of real applications from PyPI. Run by `make imports`.

Each application is installed into an environment of its own, in the folder that is given. Its
history is imported, and the result is one row of a table in Markdown. Exit 1 if the files of one
application do not lead where its revisions lead. dagster is known to fail: a revision of it asks
for the running application.
"""

import json
import os
import subprocess
import sys
import time
import venv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

URLS = {
    "postgresql": "postgresql://app@nowhere.invalid/app",
    "sqlite": "sqlite:///app.db",
}
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Application:
    """One application: how it is installed, and the options of the import.

    ``{site}`` stands for its folder of packages.
    """

    name: str
    packages: Sequence[str]
    options: Sequence[str]
    kind: str = "postgresql"
    environment: dict[str, str] = field(default_factory=dict)


ASYNC = "postgresql+asyncpg://app@nowhere.invalid/app"
SYNC = "postgresql+psycopg2://app@nowhere.invalid/app"
APPLICATIONS = (
    Application(
        "arize-phoenix",
        ["arize-phoenix", "asyncpg"],
        ["--ini", "{site}/phoenix/db/alembic.ini", "--script-location", "phoenix:db/migrations"],
        environment={"PHOENIX_SQL_DATABASE_URL": "postgresql://app:x@nowhere.invalid/app"},
    ),
    Application(
        "apache-airflow",
        ["apache-airflow", "asyncpg", "psycopg2-binary"],
        ["--ini", "{site}/airflow/alembic.ini"],
        environment={"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": SYNC},
    ),
    Application(
        "prefect",
        ["prefect"],
        ["--ini", "{site}/prefect/server/database/alembic.ini"],
        environment={"PREFECT_API_DATABASE_CONNECTION_URL": ASYNC},
    ),
    Application(
        "mlflow",
        ["mlflow-skinny", "alembic", "sqlalchemy", "psycopg2-binary"],
        [
            "--script-location",
            "mlflow:store/db_migrations",
            "--base",
            "mlflow.store.tracking.dbmodels.initial_models:Base.metadata",
        ],
    ),
    Application(
        "langflow",
        ["langflow-base", "psycopg[binary]"],
        ["--ini", "{site}/langflow/alembic.ini", "--script-location", "langflow:alembic"],
        environment={"LANGFLOW_DATABASE_URL": "postgresql+psycopg://app@nowhere.invalid/app"},
    ),
    Application(
        "dagster",
        ["dagster", "dagster-postgres"],
        ["--ini", "{site}/dagster_postgres/alembic/alembic.ini", "--share-connection"],
    ),
    Application(
        "optuna",
        ["optuna"],
        [
            "--ini",
            "{site}/optuna/storages/_rdb/alembic.ini",
            "--script-location",
            "optuna:storages/_rdb/alembic",
        ],
        kind="sqlite",
    ),
)


def install(application: Application, folder: Path) -> Path:
    """Install *application* into *folder*, if it is not there, and return its Python."""
    python = folder / "venv" / "bin" / "python"
    if not (folder / "installed").exists():
        venv.create(folder / "venv", with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *application.packages], check=True)
        (folder / "installed").touch()
    return python


def import_history(application: Application, folder: Path, python: Path) -> dict[str, Any]:
    """Import the history into a new project in *folder*, and return the JSON of the command."""
    project = folder / "project"
    subprocess.run(["rm", "-rf", str(project)], check=True)
    project.mkdir()
    (project / "dbwarden.py").write_text(
        "from dbwarden import database_config\n"
        f'database_config(database_name="primary", database_url="{URLS[application.kind]}")\n'
    )
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    options = [option.replace("{site}", str(site)) for option in application.options]
    done = subprocess.run(
        [str(BIN / "dbwarden"), "import", "alembic", "--json", "--python", str(python), *options],
        cwd=project,
        env={**os.environ, **application.environment, "HOME": str(folder)},
        capture_output=True,
        text=True,
    )
    (folder / "result.json").write_text(done.stdout)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def row_of(application: Application, document: dict[str, Any], seconds: float) -> tuple[str, bool]:
    """Return the row of the table, and whether the end schemas are equal."""
    (outcome,) = document["databases"]
    if outcome["result"] is None:
        error = outcome["error"]
        return f"| {application.name} | | | | failed: {error['message']} |", False
    files = outcome["result"]["files"]
    upgrades = [f for f in files if any(not r.startswith("in the rollback") for r in f["reviews"])]
    differ = [file for file in files if file["problems"]]
    equal = "equal" if not differ else f"{len(differ)} differ"
    share = 100 * (len(files) - len(upgrades)) / len(files)
    return (
        f"| {application.name} | {outcome['result']['server']} | {len(files)} | "
        f"{len(files) - len(upgrades)} ({share:.0f} %) | {equal} | {seconds:.0f} s |"
    ), not differ


def main(folder: Path, names: Sequence[str]) -> int:
    """Import all applications, or those that *names* lists."""
    lines, good = ["| application | server | files | without review | schemas | time |"], True
    lines.append("|---|---|---|---|---|---|")
    for application in APPLICATIONS:
        if names and application.name not in names:
            continue
        place = folder.absolute() / application.name
        place.mkdir(parents=True, exist_ok=True)
        python = install(application, place)
        start = time.monotonic()
        row, equal = row_of(
            application, import_history(application, place, python), time.monotonic() - start
        )
        sys.stdout.write(f"{row}\n")
        sys.stdout.flush()
        lines.append(row)
        good = good and equal
    sys.stdout.write("\n" + "\n".join(lines) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
