"""Read the sizes and the traffic of the tables of a live database. No rows are read."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, LiteralString

import anyio
import asyncpg

from dbwarden.linting.sizes import LiveStats, TableSize
from dbwarden.schema import QualifiedName

SAMPLE_SECONDS = 2.0
"""The time in which writes are counted. Sessions report their writes about once a second."""

_SIZES: LiteralString = """
SELECT n.nspname AS namespace, c.relname AS name, t.rows, t.bytes, t.writes
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT coalesce(sum(CASE WHEN p.reltuples > 0 THEN p.reltuples
                             ELSE coalesce(s.n_live_tup, 0) END), 0)::bigint AS rows,
           coalesce(sum(pg_catalog.pg_total_relation_size(p.oid)), 0)::bigint AS bytes,
           coalesce(sum(s.n_tup_ins + s.n_tup_upd + s.n_tup_del), 0)::bigint AS writes
    FROM pg_catalog.pg_class p
    LEFT JOIN pg_catalog.pg_stat_all_tables s ON s.relid = p.oid
    WHERE p.relkind IN ('r', 'm') AND p.oid IN (
        SELECT c.oid UNION ALL
        SELECT tree.relid FROM pg_catalog.pg_partition_tree(c.oid) tree
        WHERE c.relkind = 'p' AND tree.isleaf)
) t
WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname !~ '^(pg_|information_schema$)'
"""
_OLDEST: LiteralString = """
SELECT extract(epoch FROM pg_catalog.clock_timestamp() - min(since))::float8 FROM (
    SELECT xact_start AS since FROM pg_catalog.pg_stat_activity
    WHERE datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid()
    UNION ALL
    SELECT prepared FROM pg_catalog.pg_prepared_xacts
    WHERE database = pg_catalog.current_database()
) open
"""


async def read_sizes(raw: asyncpg.Connection, default_namespace: str) -> LiveStats:
    """Return the sizes of all tables, and their writes within :data:`SAMPLE_SECONDS`."""
    first = {_name(row): row["writes"] for row in await raw.fetch(_SIZES)}
    await anyio.sleep(SAMPLE_SECONDS)
    tables = {}
    for row in await raw.fetch(_SIZES):
        writes = row["writes"] - first.get(_name(row), row["writes"])
        tables[_name(row).label(default_namespace)] = TableSize(
            rows=row["rows"],
            bytes=row["bytes"],
            writes_per_second=round(max(writes, 0) / SAMPLE_SECONDS, 1),
        )
    version = raw.get_server_version()
    return LiveStats(
        server=f"PostgreSQL {version.major}.{version.minor or version.micro}",
        taken_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        oldest_transaction=await raw.fetchval(_OLDEST),
        tables=tables,
    )


def _name(row: Mapping[str, Any]) -> QualifiedName:
    return QualifiedName(row["namespace"], row["name"])
