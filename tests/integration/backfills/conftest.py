"""Databases of each kind with a table to fill, and the files of backfills."""

import sqlite3
from pathlib import Path
from typing import Any

import anyio.to_thread
import asyncpg
import pytest

from dbwarden.config.database_options import DatabaseConfig
from tests.conftest import MakeConfig

USERS = "CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL, country text, hits int);"
FILL = "UPDATE users SET country = 'de', hits = coalesce(hits, 0) + 1 WHERE {batch};"
HEADER = ("dbwarden: backfill", "table: users", "batch: 100")


@pytest.fixture(params=["postgresql", "sqlite"])
def config(
    request: pytest.FixtureRequest, tmp_path: Path, make_config: MakeConfig
) -> DatabaseConfig:
    """An empty database of each kind."""
    if request.param == "postgresql":
        return make_config(request.getfixturevalue("postgres_url"))
    return make_config(f"sqlite:///{tmp_path}/app.db", database_type="sqlite")


def write(
    config: DatabaseConfig, name: str, upgrade: str, *header: str, rollback: str | None = None
) -> Path:
    """Write a migration; its name ends in .py if *upgrade* is Python."""
    python = "async def" in upgrade or "def upgrade" in upgrade
    mark = "#" if python else "--"
    text = "".join(f"{mark} {line}\n" for line in header)
    text += upgrade if python else f"\n-- upgrade\n{upgrade}\n"
    text += "" if rollback is None else f"\n-- rollback\n{rollback}\n"
    path = config.migrations_dir / f"{config.files_of}__{name}.{'py' if python else 'sql'}"
    path.write_text(text, encoding="utf-8")
    return path


async def execute(config: DatabaseConfig, sql: str) -> None:
    """Run SQL as the application."""
    url = await config.resolve_url()
    if config.database_type == "postgresql":
        raw = await asyncpg.connect(str(url.render()))
        try:
            await raw.execute(sql)
        finally:
            await raw.close()
        return
    await anyio.to_thread.run_sync(_execute_sqlite, config, sql)


def _execute_sqlite(config: DatabaseConfig, sql: str) -> None:
    database = sqlite3.connect(path_of(config))
    try:
        database.executescript(sql)
    finally:
        database.close()


async def query(config: DatabaseConfig, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of *sql*."""
    if config.database_type == "postgresql":
        raw = await asyncpg.connect(str((await config.resolve_url()).render()))
        try:
            return [tuple(row) for row in await raw.fetch(sql)]
        finally:
            await raw.close()

    def read() -> list[tuple[Any, ...]]:
        database = sqlite3.connect(path_of(config))
        try:
            return database.execute(sql).fetchall()
        finally:
            database.close()

    return await anyio.to_thread.run_sync(read)


def path_of(config: DatabaseConfig) -> str:
    """Return the file of an SQLite database."""
    return str(config.root / "app.db")


async def add_users(config: DatabaseConfig, first: int, last: int) -> None:
    """Insert users with the ids from *first* to *last*."""
    numbers = (
        f"WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last})"
    )
    await execute(config, f"INSERT INTO users (id, name) {numbers} SELECT i, 'u' || i FROM n")
