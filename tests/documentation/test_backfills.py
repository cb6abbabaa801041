"""The files on the page about backfills can be read, and run."""

import re
from pathlib import Path

import anyio
import pytest

import dbwarden
from dbwarden.config.database_options import DatabaseConfig
from tests.conftest import MakeConfig
from tests.integration.backfills.conftest import execute, query

PAGE = Path(__file__).parents[2] / "docs" / "backfills.md"

pytestmark = pytest.mark.anyio


def shown() -> dict[str, str]:
    """The files of the page, by name."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.findall(r"^`(\S+\.(?:sql|py))`\n\n```\w+\n(.*?)^```", text, re.M | re.S)
    return dict(found)


async def test_the_files_run(postgres_url: str, make_config: MakeConfig) -> None:
    config: DatabaseConfig = make_config(postgres_url)
    files = shown()
    assert len(files) == 3
    code = files["primary__0004_geocode.py"]
    assert "from app.geocoding import locate" in code
    files["primary__0004_geocode.py"] = code.replace(
        "from app.geocoding import locate", "async def locate(address): return address.upper()"
    )
    files["primary__0001_users.sql"] = (
        "-- upgrade\nCREATE TABLE users (id int PRIMARY KEY, country text, address text,"
        " place text);\n-- rollback\nDROP TABLE users;\n"
    )
    for name, text in files.items():
        await anyio.Path(config.migrations_dir / name).write_text(text)
    await dbwarden.migrate(config, to="0001")
    await execute(config, "INSERT INTO users (id, address) VALUES (1, 'a'), (2, 'b')")

    assert (await dbwarden.migrate(config)).version == "0004"

    assert await query(config, "SELECT country, place FROM users") == [("de", "A"), ("de", "B")]
    assert (await dbwarden.verify(config)).clean
