"""The SQL files of Flyway, dbmate and Prisma, and a Django project, become migration files."""

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import ImportFailed, UsageError
from dbwarden.operations.baseline import baseline_from
from dbwarden.operations.import_drafts import ImportResult
from dbwarden.operations.import_files import DjangoOptions, import_django, import_files
from dbwarden.operations.verify import verify
from tests.conftest import MakeConfig


@pytest.fixture
def lite(make_config: MakeConfig) -> DatabaseConfig:
    return make_config("sqlite:///shop.db", database_type="sqlite", timeout=None)


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def names(result: ImportResult) -> list[str]:
    return [file.path.name for file in result.files]


async def test_flyway(lite: DatabaseConfig, tmp_path: Path) -> None:
    folder = write(
        tmp_path / "sql",
        {
            "V1__create_users.sql": "CREATE TABLE users (id INTEGER PRIMARY KEY);\n",
            "U1__create_users.sql": "DROP TABLE users;\n",
            "V10__vacuum.sql": "-- Upgrade\nVACUUM;\nANALYZE;\n",
            "V10__vacuum.sql.conf": "executeInTransaction=false\n",
            "later/V2_1__add_email.sql": "ALTER TABLE users ADD COLUMN email TEXT;\n",
            "R__all names.sql": "DROP VIEW IF EXISTS names;\nCREATE VIEW names AS SELECT 1 AS x;\n",
            "R__all names.sql.conf": "executeInTransaction=false\n",
            "notes.sql": "nothing",
        },
    )
    result = await import_files(lite, tool="flyway", folder=folder)
    assert result.clean, result
    assert names(result) == [
        "primary__0001_create_users.sql",
        "primary__0002_add_email.sql",
        "primary__0003_vacuum.sql",
        "primary__ROC__all_names.sql",
    ]
    first, second, third, view = (file.path.read_text() for file in result.files)
    assert "-- dbwarden: from flyway 1\n" in first and "DROP TABLE users;" in first
    assert "-- dbwarden: from flyway 2.1\n-- dbwarden: irreversible\n" in second
    assert "-- @dbwarden:autocommit\nVACUUM;\n-- @dbwarden:autocommit\nANALYZE;" in third
    assert "-- @dbwarden:autocommit\nCREATE VIEW names" in view
    assert (await verify(lite)).clean

    write(folder, {"V11__x.sql": "INSERT INTO users (email) VALUES ('${mail}');\nCOMMIT;\n"})
    again = await import_files(lite, tool="flyway", folder=folder)
    assert (again.known, names(again)) == (4, ["primary__0004_x.sql"])
    assert again.files[0].reviews[0] == "replace Flyway's placeholders: ${mail}"
    assert "COMMIT controls the transaction" in again.files[0].problems[0]

    with closing(sqlite3.connect(tmp_path / "old.db", isolation_level=None)) as database:
        database.execute("CREATE TABLE flyway_schema_history (version, type, success)")
        database.execute(
            "INSERT INTO flyway_schema_history VALUES ('1', 'SQL', true), ('2.1', 'SQL', true),"
            " ('10', 'SQL', false), (NULL, 'SQL', true)"
        )
    old = replace(lite, database_url="sqlite:///old.db")
    assert (await baseline_from(old, tool="flyway")).marked == ("0001", "0002")


async def test_dbmate(lite: DatabaseConfig, tmp_path: Path) -> None:
    folder = write(
        tmp_path / "db",
        {
            "20240101_users.sql": "-- migrate:up\nCREATE TABLE users (id INTEGER);\n\n"
            "-- migrate:down\nDROP TABLE users;\n",
            "20240202_index.sql": "-- migrate:up transaction:false\nCREATE INDEX i ON users (id);\n"
            "-- migrate:down\n",
        },
    )
    result = await import_files(lite, tool="dbmate", folder=folder)
    assert names(result) == ["primary__0001_users.sql", "primary__0002_index.sql"]
    users, index = (file.path.read_text() for file in result.files)
    assert users.endswith("-- upgrade\n\nCREATE TABLE users (id INTEGER);\n\n-- rollback\n\n"
                          "DROP TABLE users;\n")  # fmt: skip
    assert "-- @dbwarden:autocommit\nCREATE INDEX i" in index and "irreversible" in index


async def test_prisma(lite: DatabaseConfig, tmp_path: Path) -> None:
    folder = write(
        tmp_path / "prisma",
        {
            "20240101_init/migration.sql": '-- CreateTable\nCREATE TABLE "User" (id INTEGER);\n',
            "migration_lock.toml": "provider = 'sqlite'",
        },
    )
    result = await import_files(lite, tool="prisma", folder=folder)
    assert names(result) == ["primary__0001_init.sql"] and result.clean
    assert "from prisma 20240101_init" in result.files[0].path.read_text()
    for missing in (tmp_path / "nothing", tmp_path):
        with pytest.raises(UsageError, match=r"not a folder|has no migration"):
            await import_files(lite, tool="prisma", folder=missing)


SETTINGS = """
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "nowhere.db"}}
INSTALLED_APPS = ["shop"]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
"""
FIRST = """
from django.db import migrations, models

class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel("User", [("id", models.AutoField(primary_key=True)),
                                        ("email", models.CharField(max_length=50))]),
        migrations.AlterUniqueTogether("user", {("id", "email")}),
    ]
"""
SECOND = """
from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AlterUniqueTogether("user", set()),
        migrations.RunPython(lambda apps, editor: None),
    ]
"""


async def test_django(
    lite: DatabaseConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        tmp_path,
        {
            "manage.py": "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site_settings')",
            "site_settings.py": SETTINGS,
            "shop/__init__.py": "",
            "shop/models.py": "",
            "shop/migrations/__init__.py": "",
            "shop/migrations/0001_initial.py": FIRST,
            "shop/migrations/0002_change.py": SECOND,
        },
    )
    monkeypatch.chdir(tmp_path)
    result = await import_django(lite)
    assert result.clean, result
    assert [file.revision for file in result.files] == ["shop.0001_initial", "shop.0002_change"]
    first, second = (file.path.read_text() for file in result.files)
    assert 'CREATE TABLE "shop_user"' in first and 'DROP TABLE "shop_user"' in first
    assert "BEGIN" not in first
    assert "from django shop.0002_change after shop.0001_initial" in second
    assert "review: it runs Python" in second and "irreversible" in second
    assert (await verify(lite)).clean
    assert "nowhere.db" not in os.listdir()
    with pytest.raises(ImportFailed, match="No module named 'missing'"):
        await import_django(lite, options=DjangoOptions(settings="missing"))
