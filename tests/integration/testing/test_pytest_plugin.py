"""The pytest plugin in a project's own pytest process."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

CONFIG = """
from dbwarden import database_config
database_config(database_name="primary", default=True, database_type={kind!r},
                database_url={url!r}, model_paths={models!r}, scratch="embedded")
"""

UPGRADE = "CREATE TABLE users (id integer NOT NULL PRIMARY KEY, name text NOT NULL);"


class Project:
    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "pyproject.toml").write_text("[project]\nname = 'project'\n")

    def configure(self, kind: str = "sqlite", models: tuple[str, ...] = ()) -> None:
        url = "sqlite:///never.db" if kind == "sqlite" else "postgresql://127.0.0.1:1/never"
        text = CONFIG.format(kind=kind, url=url, models=list(models))
        (self.root / "dbwarden.py").write_text(text)

    def migration(self, version: str, upgrade: str, rollback: str, name: str = "step") -> None:
        folder = self.root / "migrations" / "primary"
        folder.mkdir(parents=True, exist_ok=True)
        text = f"-- upgrade\n{upgrade}\n\n-- rollback\n{rollback}\n"
        (folder / f"primary__{version}_{name}.sql").write_text(text)

    def tests(self, text: str) -> None:
        (self.root / "test_project.py").write_text(textwrap.dedent(text))

    def pytest(self, *words: str) -> tuple[int, str]:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "anyio",
            "-p",
            "dbwarden.testing.plugin",
            "-q",
            "-p",
            "no:cacheprovider",
        ]
        done = subprocess.run(
            [*command, *words], cwd=self.root, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.configure("postgresql")
    made.migration("0001", UPGRADE, "DROP TABLE users;")
    return made


APP_TESTS = """
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from dbwarden.fastapi import DBWardenHealthRouter, dbwarden_lifespan, get_session
from dbwarden.testing import override_database

app = FastAPI(lifespan=dbwarden_lifespan)
app.include_router(DBWardenHealthRouter(), prefix="/health")

@app.post("/users/{number}")
async def add(number: int, session: Annotated[AsyncSession, Depends(get_session())]) -> int:
    await session.execute(text("INSERT INTO users VALUES (:id, 'ada')"), {"id": number})
    await session.commit()
    return (await session.execute(text("SELECT count(*) FROM users"))).scalar_one()

@pytest.fixture
def client(dbwarden_database):
    with override_database("primary", dbwarden_database.url), TestClient(app) as client:
        yield client

@pytest.mark.parametrize("turn", range(3))
def test_each_test_has_its_own_database(client, turn):
    assert client.post("/users/1").json() == 1
    assert client.get("/health").json()["status"] == "ok"

def test_its_name_is_the_configured_one(dbwarden_database):
    assert dbwarden_database.name == "primary"

async def test_the_fixture_works_in_async_tests(dbwarden_database, anyio_backend):
    with override_database("primary", dbwarden_database.url):
        async with get_session() as session:
            assert (await session.execute(text("SELECT count(*) FROM users"))).scalar_one() == 0
        from dbwarden.engines import engines
        await engines().close()

@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.mark.dbwarden("primary")
def test_a_marker_names_the_database(dbwarden_database):
    assert dbwarden_database.name == "primary"
"""


def test_the_server_of_the_plugin_does_not_listen_on_tcp(project: Project) -> None:
    project.configure("postgresql")
    project.tests(SERVER_TESTS)
    code, said = project.pytest()
    assert code == 0, said


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_every_test_gets_a_fresh_migrated_database(project: Project, kind: str) -> None:
    project.configure(kind)
    project.tests(APP_TESTS.replace("async def test_it", "@pytest.mark.anyio\nasync def test_it"))
    code, said = project.pytest()
    assert code == 0, said
    assert "6 passed" in said
    assert not (project.root / "never.db").exists()


SERVER_TESTS = """
import stat
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import text
from dbwarden.engines import engines
from dbwarden.fastapi import get_session
from dbwarden.testing import override_database

import pytest

@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.mark.anyio
async def test_only_its_owner_can_connect(dbwarden_database, anyio_backend):
    url = urlsplit(dbwarden_database.url)
    (folder,) = parse_qs(url.query)["host"]
    assert url.hostname is None
    assert stat.S_IMODE(Path(folder).stat().st_mode) == 0o700
    with override_database("primary", dbwarden_database.url):
        async with get_session() as session:
            listens = (await session.execute(text("SHOW listen_addresses"))).scalar_one()
        await engines().close()
    assert listens == ""
"""


KINDS = pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
READY_MADE = "from dbwarden.testing.ready_made import *\n"


@KINDS
def test_ready_made_tests_pass_on_good_migrations(project: Project, kind: str) -> None:
    project.configure(kind)
    project.tests(READY_MADE)
    code, said = project.pytest()
    assert code == 0, said
    assert "3 passed" in said


@KINDS
def test_a_rollback_that_does_not_lead_back_fails(project: Project, kind: str) -> None:
    project.configure(kind)
    project.migration("0002", "CREATE TABLE extra (id integer);", "SELECT 1;")
    project.tests(READY_MADE)
    code, said = project.pytest()
    assert code == 1
    assert "FAILED test_project.py::test_rollbacks[primary]" in said
    assert "2 passed" in said


def test_two_files_of_one_version_fail(project: Project) -> None:
    project.migration("0001", "CREATE TABLE extra (id integer);", "DROP TABLE extra;", name="twin")
    project.tests(READY_MADE)
    code, said = project.pytest("-k", "single_version")
    assert code == 1
    assert "FAILED test_project.py::test_single_version[primary]" in said


@KINDS
def test_models_without_a_migration_fail(project: Project, kind: str) -> None:
    project.configure(kind, models=("models",))
    (project.root / "models.py").write_text(
        "from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column\n"
        "class Base(DeclarativeBase): pass\n"
        "class User(Base):\n"
        "    __tablename__ = 'users'\n"
        "    id: Mapped[int] = mapped_column(primary_key=True)\n"
        "    name: Mapped[str]\n"
        "    email: Mapped[str | None]\n"
    )
    project.tests(READY_MADE)
    code, said = project.pytest("-k", "models")
    assert code == 1
    assert "FAILED test_project.py::test_models_match_migrations[primary]" in said
    assert "email" in said


def test_loading_the_plugin_loads_neither_sqlalchemy_nor_fastapi() -> None:
    program = (
        "import sys, dbwarden.testing.plugin;"
        "print({'sqlalchemy', 'fastapi', 'anyio', 'structlog'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr
