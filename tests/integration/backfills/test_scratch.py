"""verify and the replay in scratch databases run backfills to their end."""

import pytest

import dbwarden
from dbwarden.config.database_options import DatabaseConfig
from tests.integration.backfills.conftest import FILL, HEADER, USERS, write

pytestmark = pytest.mark.anyio

PYTHON = """
async def upgrade(batch):
    for row in await batch.connection.fetch(f"SELECT id FROM users WHERE {batch}"):
        await batch.connection.execute(f"UPDATE users SET country = 'x' WHERE id = {row['id']}")
"""


async def test_verify_runs_backfills_with_rows(config: DatabaseConfig) -> None:
    write(config, "0001_users", USERS, rollback="DROP TABLE users;")
    write(config, "0002_fill", FILL, *HEADER, "until: country IS NOT NULL")
    write(config, "0003_python", PYTHON, *HEADER)
    write(
        config,
        "0004_back",
        "UPDATE users u SET hits = 7 WHERE {batch:u};"
        if config.database_type == "postgresql"
        else "UPDATE users AS u SET hits = 7 WHERE {batch:u};",
        *HEADER,
        rollback="UPDATE users SET hits = 1;",
    )

    result = await dbwarden.verify(config)

    assert result.clean, result
    verdicts = [item.verdict for item in result.migrations]
    assert verdicts == ["exact", "backfill", "backfill", "loses users.hits"]


async def test_verify_finds_a_backfill_that_fails(config: DatabaseConfig) -> None:
    write(config, "0001_users", USERS, rollback="DROP TABLE users;")
    write(config, "0002_fill", "UPDATE users\nSET nowhere = 1 WHERE {batch};", *HEADER)

    result = await dbwarden.verify(config)

    (_, failed) = result.migrations
    assert failed.verdict == "fails" or "nowhere" in " ".join(failed.findings), failed


@pytest.mark.parametrize("table", ["users", "elsewhere"])
async def test_verify_finds_a_table_that_is_missing(config: DatabaseConfig, table: str) -> None:
    write(config, "0001_free", "CREATE TABLE free (id int);", rollback="DROP TABLE free;")
    write(config, "0002_fill", FILL, "dbwarden: backfill", f"table: {table}")

    result = await dbwarden.verify(config)

    assert result.migrations[-1].verdict == "fails"
    assert "primary__0002_fill.sql:2" in str(result.migrations[-1].problem)
