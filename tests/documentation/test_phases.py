"""The example of a deployment without downtime works for both versions of the application."""

import re
from pathlib import Path

import anyio
import pytest

import dbwarden
from dbwarden.errors import BackfillUnfinished
from dbwarden.operations import backfill_start
from tests.conftest import MakeConfig
from tests.integration.backfills.conftest import execute, query

PAGE = Path(__file__).parents[2] / "docs" / "phases.md"

pytestmark = pytest.mark.anyio


async def test_the_deployment(
    postgres_url: str, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(postgres_url)
    monkeypatch.setattr(backfill_start, "SMALL", 1)
    text = PAGE.read_text(encoding="utf-8")
    files = dict(re.findall(r"^`(\S+\.sql)`\n\n```sql\n(.*?)^```", text, re.M | re.S))
    assert len(files) == 4
    files["primary__0001_users.sql"] = (
        "-- upgrade\nCREATE TABLE users (id int PRIMARY KEY, name text);\n"
        "-- rollback\nDROP TABLE users;\n"
    )
    for name, content in files.items():
        await anyio.Path(config.migrations_dir / name).write_text(content)
    await dbwarden.migrate(config, to="0001")
    await execute(config, "INSERT INTO users VALUES (1, 'Ada King'), (2, 'Alan M Turing')")

    async def old_version(number: int) -> None:
        await execute(config, f"INSERT INTO users (id, name) VALUES ({number}, 'Old One')")
        await execute(config, "UPDATE users SET name = name WHERE id = 1")
        await query(config, "SELECT id, name FROM users")

    async def new_version(number: int) -> None:
        columns = "id, first_name, last_name"
        await execute(config, f"INSERT INTO users ({columns}) VALUES ({number}, 'New', 'One')")
        await query(config, f"SELECT {columns} FROM users")

    await old_version(10)
    await dbwarden.migrate(config, phase="pre")
    await old_version(11)
    await new_version(20)
    with pytest.raises(BackfillUnfinished):
        await dbwarden.migrate(config, phase="post")
    assert (await dbwarden.backfill(config)).clean
    await old_version(12)
    await new_version(21)
    await dbwarden.migrate(config, phase="post")
    await new_version(22)

    rows = await query(config, "SELECT first_name, last_name FROM users ORDER BY id")
    assert rows == [
        *[("Ada", "King"), ("Alan", "M Turing")],
        *[("Old", "One")] * 3,
        *[("New", "One")] * 3,
    ]
    verified = await dbwarden.verify(config)
    assert verified.clean, [item.problem for item in verified.migrations]
