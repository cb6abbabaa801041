"""A long history: a read costs only live rows, and `history` shows the newest."""

import sqlite3
from contextlib import closing

import pytest

import dbwarden
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.sqlite.migrate.history_queries import Ledger
from dbwarden.errors import UsageError
from dbwarden.kinds import dialect_for
from tests.integration.running.conftest import write_tables

OLD = 5000
COPIES = {
    "postgresql": "SELECT n::text FROM generate_series(1, 5000) AS old (n)",
    "sqlite": "WITH RECURSIVE old (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM old WHERE n < 5000)"
    " SELECT n FROM old",
}
FILL = """
INSERT INTO dbwarden_ledger (key, description, kind, upgrade_checksum, state, step, started_at,
  application, host, pid, dbwarden_version)
SELECT '0002', 't2', 'versioned', '', 'rolled_back', 1, '2020-01-01 00:00:00+00:00', 'a', 'h', 1,
  '1' FROM ({copies}) AS copies
"""


async def grown_old(config: DatabaseConfig) -> None:
    """0001 is applied, 0002 was rolled back 5,000 times, 0003 is applied, 0004 is pending."""
    write_tables(config, 1)
    await dbwarden.migrate(config)
    fill = FILL.format(copies=COPIES[config.database_type])
    write_tables(config, 3, 4)
    path = config.migrations_dir / f"{config.files_of}__0003_t3.sql"
    path.write_text(f"-- upgrade\n{fill};\n-- rollback\nSELECT 1;\n")
    await dbwarden.migrate(config, to="3")


async def test_a_read_returns_only_live_rows(config: DatabaseConfig) -> None:
    await grown_old(config)
    for read_only in (True, False):
        async with dialect_for(config.database_type).connect(
            config, read_only=read_only
        ) as connection:
            reading = await connection.read()
            last = await connection.read_last()
        assert [row.key for row in reading.rows or ()] == ["0001", "0003"]
        assert last.rows == reading.rows

    status = await dbwarden.status(config)
    assert (status.applied, status.pending) == (("0001", "0003"), ("0004",))
    assert (await dbwarden.check(config)).status == status
    result = await dbwarden.migrate(config)
    assert [item.key for item in result.applied] == ["0004"]
    back = await dbwarden.rollback(config)
    assert [item.key for item in back.rolled_back] == ["0004"]
    assert back.rolled_back[0].duration_ms is not None


async def test_history_returns_the_newest_rows_and_how_many_are_older(
    config: DatabaseConfig,
) -> None:
    await grown_old(config)

    newest = await dbwarden.history(config)
    assert len(newest.rows) == 100
    assert newest.older == OLD + 2 - 100
    # The row of 0003 is written in the transaction of its own INSERT, and so comes last.
    assert [row.key for row in newest.rows[-2:]] == ["0002", "0003"]
    assert [row.id for row in newest.rows] == sorted(row.id for row in newest.rows)

    three = await dbwarden.history(config, limit=3)
    assert three.rows == newest.rows[-3:]
    everything = await dbwarden.history(config, limit=None)
    assert (len(everything.rows), everything.older) == (OLD + 2, 0)
    assert everything.rows[0].key == "0001"


async def test_the_history_of_an_empty_database_is_empty(config: DatabaseConfig) -> None:
    found = await dbwarden.history(config)
    assert (found.rows, found.older) == ((), 0)


async def test_a_limit_below_one_is_refused(config: DatabaseConfig) -> None:
    with pytest.raises(UsageError, match="--limit 0"):
        await dbwarden.history(config, limit=0)


def test_sqlite_reads_live_rows_by_their_index() -> None:
    asked: list[str] = []
    with closing(sqlite3.connect(":memory:")) as database:
        ledger = Ledger(database, "dbwarden_ledger")
        ledger.create()
        database.set_trace_callback(asked.append)
        ledger.rows()
        ledger.rows([1])
        database.set_trace_callback(None)
        asked = [sql for sql in asked if " l WHERE " in sql]
        plans = [database.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall() for sql in asked]
    by_index = "SCAN l USING INDEX dbwarden_ledger_live"
    assert [plan[0][3] for plan in plans] == [
        by_index,
        by_index,
        "SEARCH l USING INTEGER PRIMARY KEY (rowid=?)",
    ]
