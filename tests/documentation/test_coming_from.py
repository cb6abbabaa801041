"""The pages on other tools, command by command: databases of Alembic, and files of Flyway."""

import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "coming-from.md").read_text(encoding="utf-8")
ALEMBIC_PAGE = (DOCS / "from-alembic.md").read_text(encoding="utf-8")
MODELS = """
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(200), unique=True)


class Post(Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
"""
REVISION = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = {revision!r}, {before!r}


def upgrade():
    {upgrade}


def downgrade():
    pass
"""
USERS = (
    'op.create_table("users", sa.Column("id", sa.Integer, primary_key=True), '
    'sa.Column("email", sa.String(200), nullable=False, unique=True))'
)
POSTS = (
    'op.create_table("posts", sa.Column("id", sa.Integer, primary_key=True), '
    'sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id"), nullable=False)); '
    'op.create_index("ix_posts_user_id", "posts", ["user_id"])'
)


def ran(folder: Path, *arguments: str, database: str = "shop.db", code: int = 0) -> str:
    """What a Python module says, which must end with *code*."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_COLOR": "1", "DATABASE_URL": f"sqlite:///{database}"},
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def commands(heading: str, page: str = PAGE) -> list[list[str]]:
    """The command lines that *page* shows below *heading*, in order."""
    section = re.split(r"\n##+ ", page.partition(f"## {heading}\n")[2])[0]
    return [
        shlex.split(line, comments=True)
        for line in re.findall(r"^\$ (dbwarden .*)$", section, re.MULTILINE)
    ]


@pytest.fixture
def managed(tmp_path: Path) -> Path:
    """A project whose database Alembic brought to its second revision."""
    ran(tmp_path, "alembic", "init", "alembic")
    ini = tmp_path / "alembic.ini"
    text = re.sub(
        r"(?m)^sqlalchemy.url = .*", "sqlalchemy.url = sqlite:///shop.db", ini.read_text()
    )
    ini.write_text(text)
    for revision, before, upgrade in (("1a", None, USERS), ("2b", "1a", POSTS)):
        file = tmp_path / "alembic" / "versions" / f"{revision}.py"
        file.write_text(REVISION.format(revision=revision, before=before, upgrade=upgrade))
    ran(tmp_path, "alembic", "upgrade", "head")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "models.py").write_text(MODELS)
    shutil.copy(tmp_path / "shop.db", tmp_path / "production.db")
    return tmp_path


def revision(database: Path) -> list[tuple[str]]:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        return connection.execute("SELECT version_num FROM alembic_version").fetchall()


@pytest.mark.long
def test_the_page_adopts_a_database_of_alembic(managed: Path) -> None:
    init, baseline, check, diff, mark, migrate = commands("Adopt a database")
    ran(
        managed,
        *[word.replace("postgresql://app@localhost/shop", "sqlite:///x.db") for word in init],
    )
    (block,) = re.findall(r"```python\n# dbwarden.py\n(.*?)```", PAGE, re.DOTALL)
    (managed / "dbwarden.py").write_text(block)

    assert "baselined" in ran(managed, *baseline)
    assert "models and migrations agree" in ran(managed, *check)
    (file,) = (managed / "migrations" / "primary").iterdir()
    assert "alembic_version" not in file.read_text()

    assert "no difference" in ran(managed, *diff, database="production.db")
    ran(managed, *mark, database="production.db")
    ran(managed, *migrate, database="new.db")
    for name in ("shop.db", "production.db", "new.db"):
        assert "ok" in ran(managed, "dbwarden", "check", database=name)
        assert "no difference" in ran(managed, "dbwarden", "diff", "--models", database=name)
    assert "agree" in ran(managed, "dbwarden", "make-migrations", "-m", "nothing")
    assert revision(managed / "shop.db") == revision(managed / "production.db") == [("2b",)]
    assert "marked" in ran(managed, "dbwarden", "history")
    (last,) = re.findall(r"`(dbwarden new -m [^`]*)`", PAGE)
    (sql,) = re.findall(r"`(DROP TABLE [^`]*)`", PAGE)
    ran(managed, *shlex.split(last))
    (file,) = (managed / "migrations" / "primary").glob("*0002*")
    file.write_text(f"-- dbwarden: irreversible\n\n-- upgrade\n{sql}\n")
    assert "irreversible" in ran(managed, "dbwarden", "verify")
    for name in ("production.db", "new.db"):
        ran(managed, "dbwarden", "migrate", database=name)
        assert "no difference" in ran(managed, "dbwarden", "diff", database=name)
    file.unlink()
    ran(managed, "dbwarden", "repair", "--forget", "0002", "--yes", database="new.db")
    ran(managed, "dbwarden", "rollback", code=1)
    assert "rolled back" in ran(managed, "dbwarden", "rollback", database="new.db")


def test_the_page_on_alembic_keeps_its_history(managed: Path) -> None:
    ini = managed / "alembic.ini"
    ini.write_text(ini.read_text().replace("shop.db", "production.db"))
    (managed / "production.db").unlink()
    ran(managed, "alembic", "upgrade", "1a")
    assert revision(managed / "production.db") == [("1a",)]
    (block,) = re.findall(r"```python\n# dbwarden.py\n(.*?)```", ALEMBIC_PAGE, re.DOTALL)
    (managed / "dbwarden.py").write_text(block)
    (load,) = commands("Keep the history", ALEMBIC_PAGE)
    mark, migrate, diff = commands("Mark the databases", ALEMBIC_PAGE)

    assert "2 files from alembic" in ran(managed, *load)
    for name, applied in (("shop.db", 0), ("production.db", 1), ("new.db", 2)):
        if name != "new.db":
            ran(managed, *mark, database=name)
        done = json.loads(ran(managed, *migrate, "--json", database=name))
        assert len(done["databases"][0]["result"]["applied"]) == applied
        assert "no difference" in ran(managed, *diff, database=name)
        assert "ok" in ran(managed, "dbwarden", "check", database=name)
    assert "agree" in ran(managed, "dbwarden", "make-migrations", "-m", "nothing")


def test_the_page_imports_the_files_of_flyway(tmp_path: Path) -> None:
    (tmp_path / "dbwarden.py").write_text(
        "from dbwarden import database_config\n"
        'database_config(database_name="primary", database_url="sqlite:///shop.db")\n'
    )
    folder = tmp_path / "sql"
    folder.mkdir()
    (folder / "V1__create_users.sql").write_text("CREATE TABLE users (id INTEGER PRIMARY KEY);\n")
    (folder / "V12__add_email.sql").write_text("ALTER TABLE users ADD COLUMN email TEXT;\n")
    with closing(sqlite3.connect(tmp_path / "shop.db", isolation_level=None)) as database:
        database.execute("CREATE TABLE flyway_schema_history (version, type, success)")
        database.execute("INSERT INTO flyway_schema_history VALUES ('1', 'SQL', 1)")
    load, mark = commands("Keep the history of Flyway, dbmate or Prisma")

    assert "2 files from flyway" in ran(tmp_path, *load)
    assert sorted(path.name for path in (tmp_path / "migrations" / "primary").iterdir()) == [
        "primary__0001_create_users.sql",
        "primary__0002_add_email.sql",
    ]
    assert "0001" in ran(tmp_path, *mark)
    assert "irreversible" in ran(tmp_path, "dbwarden", "verify")
