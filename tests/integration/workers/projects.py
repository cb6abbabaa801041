"""Projects of tenants in SQLite files, and their outcomes as comparable values."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio.to_thread

from dbwarden.config.loading import load_project
from dbwarden.config.project import Project
from dbwarden.fleet import Outcome
from dbwarden.fleet.documents import plain
from tests.commands import migration

TENANTS = [f"t{number:02}" for number in range(12)]
BROKEN = "t05"

CONFIG = """
from dbwarden import database_config, tenant_databases

print("the project is loaded")
database_config(
    database_name="primary",
    database_url="sqlite:///data/primary.db",
    dev_database_url="sqlite:///data/dev.db",
    default=True,
)
tenant_databases(
    name="tenant_{tenant_id}",
    database_url="sqlite:///data/{tenant_id}.db",
    tenants=[f"t{number:02}" for number in range(12)],
)
"""


def _make_project(root: Path) -> Project:
    (root / "data").mkdir(parents=True)
    (root / "dbwarden.py").write_text(CONFIG)
    migration(root, "primary", "0001_tenants", "CREATE TABLE tenants (id TEXT);")
    migration(root, "tenant", "0001_users", "CREATE TABLE users (id INTEGER PRIMARY KEY);")
    orders = migration(root, "tenant", "0002_orders", "CREATE TABLE orders (id INTEGER);")
    orders.write_text(f"-- requires: primary@0001\n\n{orders.read_text()}")
    with closing(sqlite3.connect(root / "data" / f"{BROKEN}.db")) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER)")
    return load_project(root / "dbwarden.py")


async def make_project(root: Path) -> Project:
    """Make a primary and 12 tenants, whose second migration requires the primary's first.

    It fails on one tenant.
    """
    return await anyio.to_thread.run_sync(_make_project, root)


def described(outcomes: Sequence[Outcome[Any]], root: Path) -> Any:
    """Return the outcomes as JSON types, without what differs from run to run."""
    return without_times(
        [
            (each.database, each.state, plain(each.result), str(each.error).replace(str(root), ""))
            for each in outcomes
        ]
    )


VARYING = {"duration_ms", "pid", "started_at", "finished_at", "fingerprint", "fingerprint_at"}


def without_times(value: Any) -> Any:
    """Return a JSON value without durations, times, process numbers and fingerprints."""
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key not in VARYING}
    return [*map(without_times, value)] if isinstance(value, list | tuple) else value
