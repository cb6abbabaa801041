"""The sizes and the traffic of a live database scale the severity of findings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import asyncpg
import pytest

import dbwarden
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.postgresql.scratch import sizes
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from dbwarden.linting.sizes import dump_stats
from dbwarden.operations.lint import read_stats
from tests.conftest import MakeConfig

ROWS = 200_000
BASE = """-- upgrade
CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, total integer);
CREATE TABLE shops (id bigint PRIMARY KEY, name varchar(20));
CREATE TABLE events (day integer, body text) PARTITION BY RANGE (day);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (1) TO (2);
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (2) TO (3);
"""
PENDING = """-- dbwarden: irreversible
-- upgrade
ALTER TABLE orders ALTER COLUMN total TYPE bigint;
ALTER TABLE shops ALTER COLUMN id TYPE numeric;
CREATE INDEX ix_events ON events (day);
"""


@pytest.fixture
async def config(
    postgres_url: str, postgres_server: EmbeddedServer, make_config: MakeConfig
) -> DatabaseConfig:
    config = make_config(postgres_url, scratch=postgres_server.url(), timeout=None)
    (config.migrations_dir / "primary__0001_base.sql").write_text(BASE)
    await dbwarden.migrate(config)
    raw = await asyncpg.connect(postgres_url)
    await raw.execute(f"""
        INSERT INTO orders (total) SELECT n FROM generate_series(1, {ROWS}) n;
        INSERT INTO shops VALUES (1, 'north'), (2, 'south'), (3, 'west');
        INSERT INTO events SELECT 1 + n % 2, 'x' FROM generate_series(1, 20000) n;
    """)
    await raw.execute("ANALYZE")
    await raw.close()
    (config.migrations_dir / "primary__0002_pending.sql").write_text(PENDING)
    return config


@asynccontextmanager
async def _writing(url: str) -> AsyncIterator[None]:
    """Change a row of orders again and again, and keep another transaction open."""
    writer, idle = await asyncpg.connect(url), await asyncpg.connect(url)
    report = "SELECT pg_stat_force_next_flush()" if writer.get_server_version()[0] >= 15 else ";"

    async def write() -> None:
        while True:
            await writer.execute(f"UPDATE orders SET total = 0 WHERE id = 1; {report}")

    await idle.execute("BEGIN; SELECT count(*) FROM shops")
    async with anyio.create_task_group() as group:
        group.start_soon(write)
        yield
        group.cancel_scope.cancel()
    writer.terminate()
    idle.terminate()


async def test_a_large_table_is_named_with_its_size(
    config: DatabaseConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizes, "SAMPLE_SECONDS", 0.1)
    rules = ("rewrite", "blocking-index")
    result = await dbwarden.lint(config, pending=True, live=True, ignore=["type-change"])
    found = {(one.rule, one.table): one for one in result.findings}
    assert found["rewrite", "orders"].severity == "warning"
    assert found["rewrite", "orders"].message.startswith("ACCESS EXCLUSIVE on orders (200 k rows, ")
    assert found["blocking-index", "events"].severity == "warning"
    assert "events (20 k rows, " in found["blocking-index", "events"].message
    assert ("rewrite", "shops") not in found  # three rows

    everything = await dbwarden.lint(config, pending=True, live=True, select=rules)
    (shops,) = [one for one in everything.findings if one.table == "shops"]
    assert shops.severity == "info"
    assert "shops (3 rows, " in shops.message

    without = await dbwarden.lint(config, pending=True, select=rules)
    assert {one.severity for one in without.findings} == {"error"}
    assert "rows" not in without.findings[0].message


async def test_writes_and_open_transactions_are_measured(
    config: DatabaseConfig, postgres_url: str, tmp_path: Path
) -> None:
    async with _writing(postgres_url):
        result = await read_stats(config)
    orders = result.stats.tables["orders"]
    assert orders.writes_per_second is not None and orders.writes_per_second > 0
    assert result.stats.tables["shops"].writes_per_second == 0
    assert result.stats.oldest_transaction is not None and result.stats.oldest_transaction > 1

    path = tmp_path / "sizes.json"
    text = dump_stats({"primary": result.stats})
    assert "north" not in text
    path.write_text(text)
    findings = (await dbwarden.lint(config, stats=path, select=["rewrite"])).findings
    assert "writes/s) and rewrites it" in findings[0].message
