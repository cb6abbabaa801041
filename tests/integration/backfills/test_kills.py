"""kill -9 at observed progress: each batch is applied exactly once."""

import anyio
import asyncpg
import pytest

import dbwarden
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.operations import backfill_start
from tests.conftest import MakeConfig
from tests.integration.backfills.conftest import (
    FILL,
    USERS,
    add_users,
    execute,
    query,
    write,
)
from tests.integration.backfills.killing import kill_at_work, rows_done, write_configuration

pytestmark = pytest.mark.anyio


async def prepare(
    config: DatabaseConfig, monkeypatch: pytest.MonkeyPatch, rows: int, batch: int
) -> None:
    """Start the backfill of a table of *rows* users."""
    monkeypatch.setattr(backfill_start, "SMALL", 10)
    await write_configuration(config)
    write(config, "0001_users", USERS)
    await dbwarden.migrate(config)
    await add_users(config, 1, rows)
    write(config, "0002_fill", FILL, "dbwarden: backfill", "table: users", f"batch: {batch}")
    await dbwarden.migrate(config)


async def test_kills_lose_and_repeat_nothing(
    config: DatabaseConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await prepare(config, monkeypatch, 3000, 50)

    assert await kill_at_work(config, 2, "--rate", "1000") == 2

    done, _ = await rows_done(config)
    assert 0 < done < 3000
    assert set(await query(config, "SELECT hits, count(*) FROM users GROUP BY hits")) == {
        (1, done),
        (None, 3000 - done),
    }
    assert (await dbwarden.backfill(config)).clean
    assert await query(config, "SELECT hits, count(*) FROM users GROUP BY hits") == [(1, 3000)]


MILLION = 1_000_000
KILLS = 50


@pytest.mark.long
async def test_a_million_rows_survive_fifty_kills_under_traffic(
    postgres_url: str, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writers change and insert rows all the time; none of their changes is lost."""
    config = make_config(postgres_url)
    await prepare(config, monkeypatch, MILLION, 1000)
    await execute(config, "ALTER TABLE users ADD COLUMN writes int NOT NULL DEFAULT 0")
    written = 0
    inserted = 0

    async def write_rows(number: int) -> None:
        nonlocal written, inserted
        raw = await asyncpg.connect(postgres_url)
        try:
            for step in range(10**9):
                row = (step * 7919 + number * 104729) % MILLION + 1
                await raw.execute("UPDATE users SET writes = writes + 1 WHERE id = $1", row)
                written += 1
                if step % 10 == 0:
                    await raw.execute(
                        "INSERT INTO users (id, name) VALUES ($1, 'new')",
                        MILLION + 1 + number * 10**7 + step,
                    )
                    inserted += 1
        finally:
            raw.terminate()

    async with anyio.create_task_group() as writers:
        for number in range(3):
            writers.start_soon(write_rows, number)
        killed = await kill_at_work(config, KILLS, "--batch-seconds", "0.05", "--rate", "15000")
        assert killed == KILLS
        result = await dbwarden.backfill(config)
        assert result.clean
        writers.cancel_scope.cancel()

    old = await query(
        config, f"SELECT hits, count(*) FROM users WHERE id <= {MILLION} GROUP BY hits"
    )
    assert old == [(1, MILLION)]
    ((total, rows),) = await query(config, "SELECT sum(writes), count(*) FROM users")
    assert written <= total <= written + 3  # the last statement of each was cancelled
    assert MILLION + inserted <= rows <= MILLION + inserted + 3
