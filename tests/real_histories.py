"""Import the Alembic histories of real applications from PyPI. Run by `make imports`.

Each application is installed into an environment of its own, in the folder that is given. Its
history is imported. Then Alembic itself makes two databases, one at its newest revision and one in
the middle of its history; they are marked with `baseline --from alembic`, migrated to the end, and
compared with the files. Each application is a row of a table in Markdown.

Exit 1 if an application cannot be imported, if its files do not lead where its revisions lead, or
if a database of Alembic differs from the files. Applications run at the same time, as many as
`--jobs` says.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import venv
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer

BIN = Path(sys.executable).parent
MADE = ("newest", "middle")
"""The databases that Alembic makes, which are tenants of the project."""
UPGRADE = """
import importlib, sys
from alembic import command
from alembic.config import Config

ini, location, url, base, revision = sys.argv[1:]
config = Config(ini or None)
config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
if location:
    config.set_main_option("script_location", location)
if base:
    from sqlalchemy import create_engine

    module, _, path = base.partition(":")
    found = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    found.create_all(create_engine(url))
try:
    command.upgrade(config, revision)
except Exception as error:
    if "AnyIO worker thread" not in str(error):
        raise
    import anyio.to_thread

    anyio.run(anyio.to_thread.run_sync, command.upgrade, config, revision)
"""


@dataclass(frozen=True, kw_only=True)
class Application:
    """One application: how it is installed, and where its history is.

    ``alone`` are packages that are installed without the packages that they need, because those
    would be gigabytes; ``packages`` has what its migrations need of them. ``{site}`` stands for its
    folder of packages, ``{folder}`` for its own one, ``{url}`` for the URL of the database.
    """

    name: str
    packages: Sequence[str]
    driver: str
    ini: str = ""
    location: str = ""
    base: str = ""
    alone: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The name of its folder; an application may be there with two database kinds."""
        return f"{self.name}-{self.kind}"

    @property
    def kind(self) -> str:
        """The database kind."""
        return self.driver.partition("+")[0]


OPEN_WEBUI = (
    *("alembic", "sqlalchemy[asyncio]", "asyncpg", "aiosqlite", "psycopg[binary]", "redis"),
    *("fastapi", "uvicorn", "typer", "pydantic", "peewee", "peewee-migrate", "cryptography"),
    *("bcrypt", "passlib", "pyjwt", "requests", "aiohttp", "markdown", "beautifulsoup4", "orjson"),
    *("loguru", "python-dotenv", "opentelemetry-api", "python-socketio", "python-mimeparse"),
    *("pillow", "psycopg2-binary"),
)
WEBUI = {"WEBUI_SECRET_KEY": "x", "ENABLE_DB_MIGRATIONS": "false", "DATA_DIR": "{folder}"}
APPLICATIONS = (
    Application(
        name="arize-phoenix",
        packages=["arize-phoenix", "asyncpg"],
        driver="postgresql+asyncpg",
        ini="{site}/phoenix/db/alembic.ini",
        location="phoenix:db/migrations",
        environment={"PHOENIX_SQL_DATABASE_URL": "{url}"},
    ),
    Application(
        name="apache-airflow",
        packages=["apache-airflow", "asyncpg", "psycopg2-binary"],
        driver="postgresql+psycopg2",
        ini="{site}/airflow/alembic.ini",
        environment={"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "{url}"},
    ),
    Application(
        name="prefect",
        packages=["prefect"],
        driver="postgresql+asyncpg",
        ini="{site}/prefect/server/database/alembic.ini",
        environment={"PREFECT_API_DATABASE_CONNECTION_URL": "{url}"},
    ),
    Application(
        name="prefect",
        packages=["prefect"],
        driver="sqlite+aiosqlite",
        ini="{site}/prefect/server/database/alembic.ini",
        environment={"PREFECT_API_DATABASE_CONNECTION_URL": "{url}"},
    ),
    Application(
        name="mlflow",
        packages=["mlflow-skinny", "alembic", "sqlalchemy", "psycopg2-binary"],
        driver="postgresql+psycopg2",
        location="mlflow:store/db_migrations",
        base="mlflow.store.tracking.dbmodels.initial_models:Base.metadata",
    ),
    Application(
        name="langflow",
        packages=["langflow-base", "psycopg[binary]"],
        driver="postgresql+psycopg",
        ini="{site}/langflow/alembic.ini",
        location="langflow:alembic",
        environment={"LANGFLOW_DATABASE_URL": "{url}"},
    ),
    Application(
        name="datajunction",
        packages=["datajunction-server", "greenlet", "psycopg[binary]"],
        driver="postgresql+psycopg",
        ini="{site}/datajunction_server/alembic.ini",
        location="datajunction_server:alembic",
        environment={"DATABASE_URI": "{url}"},
    ),
    Application(
        name="argilla-server",
        packages=["argilla-server", "asyncpg"],
        driver="sqlite+aiosqlite",
        ini="{site}/argilla_server/alembic.ini",
        location="argilla_server:alembic",
        environment={"ARGILLA_DATABASE_URL": "{url}"},
    ),
    Application(
        name="open-webui",
        alone=["open-webui"],
        packages=OPEN_WEBUI,
        driver="postgresql+psycopg2",
        location="open_webui:migrations",
        environment={"DATABASE_URL": "{url}", **WEBUI},
    ),
    Application(
        name="open-webui",
        alone=["open-webui"],
        packages=OPEN_WEBUI,
        driver="sqlite",
        location="open_webui:migrations",
        environment={"DATABASE_URL": "{url}", **WEBUI},
    ),
    Application(
        name="optuna",
        packages=["optuna"],
        driver="sqlite",
        ini="{site}/optuna/storages/_rdb/alembic.ini",
        location="optuna:storages/_rdb/alembic",
    ),
)


@dataclass(frozen=True)
class Workplace:
    """The folder of one application, its environment, and the server of its databases."""

    application: Application
    folder: Path
    server: EmbeddedServer

    @property
    def project(self) -> Path:
        """The folder of dbwarden's project."""
        return self.folder / self.application.kind

    @property
    def python(self) -> Path:
        """The Python of the application."""
        return self.folder / "venv" / "bin" / "python"

    def fill(self, text: str, url: str = "") -> str:
        """Return *text* with its placeholders replaced."""
        (site,) = (self.folder / "venv" / "lib").glob("python*/site-packages")
        text = text.replace("{site}", str(site)).replace("{folder}", str(self.project))
        return text.replace("{url}", url)

    def url(self, driver: str, database: str) -> str:
        """Return the URL of *database* for *driver*."""
        if driver.startswith("sqlite"):
            return f"{driver}:///{self.project}/{database}.db"
        name = f"{self.application.name}_{database}"
        return f"{driver}://postgres@127.0.0.1:{self.server.port}/{name}"

    def run(self, *command: str | Path, url: str = "") -> subprocess.CompletedProcess[str]:
        """Run *command* in the project, with the application's environment for *url*."""
        own = self.application.environment
        return subprocess.run(
            list(map(str, command)),
            cwd=self.project,
            env={
                **os.environ,
                **{name: self.fill(value, url) for name, value in own.items()},
                "HOME": str(self.project),
            },
            capture_output=True,
            text=True,
        )

    def dbwarden(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command of dbwarden in the project."""
        nowhere = f"{self.application.driver}://app:x@nowhere.invalid/app"
        lite = f"{self.application.driver}:///{self.project}/scratch.db"
        url = lite if self.application.kind == "sqlite" else nowhere
        return self.run(BIN / "dbwarden", *arguments, url=url)

    def install(self) -> None:
        """Create the environment, if it is not there; uv is much faster than pip."""
        if (self.folder / "installed").exists():
            return
        uv = shutil.which("uv", path=f"{BIN}:{os.environ['PATH']}")
        venv.create(self.folder / "venv", with_pip=uv is None, clear=True)
        pip = [uv, "pip", "install", "--python"] if uv else [self.python, "-m", "pip", "install"]
        pip += [self.python, "--quiet"] if uv else ["--quiet"]
        for more in (["--no-deps", *self.application.alone], self.application.packages):
            if len(more) > 1 or more is self.application.packages:
                subprocess.run(list(map(str, [*pip, *more])), check=True)
        (self.folder / "installed").touch()

    @property
    def version(self) -> str:
        """The version that is installed."""
        package = (*self.application.alone, *self.application.packages)[0]
        code = f"from importlib.metadata import version; print(version({package!r}))"
        return self.run(self.python, "-c", code).stdout.strip()

    def prepare(self) -> None:
        """Write a new project whose databases are those that Alembic makes."""
        shutil.rmtree(self.project, ignore_errors=True)
        self.project.mkdir()
        url = self.url(self.application.kind, "{tenant_id}")
        (self.project / "dbwarden.py").write_text(
            "from dbwarden import tenant_databases\n"
            f'tenant_databases(name="{{tenant_id}}_db", database_url="{url}", '
            f"tenants={MADE!r})\n"
        )

    def import_history(self) -> dict[str, Any]:
        """Import the history, and return the JSON of the command."""
        one = self.application
        options = [("--ini", one.ini), ("--script-location", one.location), ("--base", one.base)]
        given = [part for name, value in options if value for part in (name, self.fill(value))]
        command = ("import", "alembic", "--json", "-d", "newest_db", "--python", self.python)
        done = self.dbwarden(*command, *given)
        (self.project / "result.json").write_text(done.stdout)
        (self.project / "errors.txt").write_text(done.stderr)
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def make_database(self, name: str, revision: str) -> None:
        """Let Alembic make a database at *revision*."""
        one = self.application
        if one.kind == "postgresql":
            anyio.run(self.server.create_database, f"{one.name}_{name}")
        url = self.url(one.driver, name)
        place = (self.fill(one.ini), one.location, url, one.base, revision)
        done = self.run(self.python, "-c", UPGRADE, *place, url=url)
        if done.returncode:
            raise Unexpected(f"alembic upgrade {revision}: {done.stderr.strip()[-300:]}")

    def adopt(self, middle: str) -> str:
        """Return whether databases of Alembic are as the files say, once they are migrated."""
        try:
            for name, revision in zip(MADE, ("heads", middle), strict=True):
                self.make_database(name, revision)
            for command in (
                ("baseline", "--from", "alembic", "--all"),
                ("migrate", "--all", "--check-drift", "--timeout", "0"),
                ("diff", "--all", "--timeout", "0"),
                ("check", "--all"),
            ):
                done = self.dbwarden(*command)
                if done.returncode:
                    (self.project / "differs.txt").write_text(done.stdout + done.stderr)
                    raise Unexpected(f"{command[0]} exits with {done.returncode}")
        except Unexpected as error:
            return " ".join(str(error).split())
        return "none"


class Unexpected(Exception):
    """A command failed; the text is for the table."""


HEAD = "| application | version | server | files | without review | schemas | drift | time |"


@dataclass(slots=True)
class Total:
    """The rows of the table, and what they come to."""

    rows: list[str] = field(default_factory=list)
    files: int = 0
    plain: int = 0
    good: bool = True
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(self, place: Workplace, why: str) -> None:
        """Add the row of an application that could not be imported."""
        self.add(f"| {place.application.name} | | | | | {' '.join(why.split())} | | |", False)

    def add(self, row: str, good: bool) -> None:
        """Add and print a row."""
        with self.lock:
            self.rows.append(row)
            self.good = self.good and good
            sys.stdout.write(f"{row}\n")
            sys.stdout.flush()

    def count(self, place: Workplace, result: dict[str, Any], drift: str, seconds: float) -> None:
        """Add the row of an application that was imported."""
        files = result["files"]
        upgrades = [
            f for f in files if any(not why.startswith("in the rollback") for why in f["reviews"])
        ]
        differ = [file for file in files if file["problems"]]
        equal = f"{len(differ)} differ" if differ else "equal"
        plain = len(files) - len(upgrades)
        self.files, self.plain = self.files + len(files), self.plain + plain
        share = f"{plain} ({100 * plain / len(files):.0f} %)"
        name, server = place.application.name, result["server"]
        row = (
            f"| {name} | {place.version} | {server} | {len(files)} | {share} | {equal} | {drift} "
            f"| {seconds:.0f} s |"
        )
        self.add(row, not differ and drift == "none")

    def table(self) -> str:
        """Return the table in Markdown, and the sum."""
        lines = [HEAD, "|---" * 8 + "|", *sorted(self.rows)]
        share = 100 * self.plain / max(1, self.files)
        return "\n".join(
            [*lines, "", f"{self.plain} of {self.files} without review ({share:.1f} %)", ""]
        )


def try_one(place: Workplace, total: Total, lock: threading.Lock) -> None:
    """Install, import and adopt one application; *lock* is that of its environment."""
    try:
        with lock:
            place.install()
        place.prepare()
        start = time.monotonic()
        (outcome,) = place.import_history()["databases"]
        if outcome["result"] is None:
            total.fail(place, f"failed: {outcome['error']['message']}")
            return
        seconds = time.monotonic() - start
        files = [file for file in outcome["result"]["files"] if file["revision"] != "base"]
        drift = place.adopt(files[len(files) // 2]["revision"])
        total.count(place, outcome["result"], drift, seconds)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        total.fail(place, f"failed: {error}")


def main(arguments: Sequence[str]) -> int:
    """Try all applications, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    given = parser.parse_intermixed_args(arguments)
    server, total, runs = EmbeddedServer(tcp=True), Total(), list[Future[None]]()
    locks = {application.name: threading.Lock() for application in APPLICATIONS}
    server.start()
    try:
        with ThreadPoolExecutor(given.jobs) as pool:
            for application in APPLICATIONS:
                if given.names and application.name not in given.names:
                    continue
                folder = given.folder.absolute() / application.name
                folder.mkdir(parents=True, exist_ok=True)
                place = Workplace(application, folder, server)
                runs.append(pool.submit(try_one, place, total, locks[application.name]))
        for run in runs:
            run.result()
    finally:
        server.stop()
    sys.stdout.write(f"\n{total.table()}")
    return 0 if total.good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
