"""Migrations from text, and queries past dbwarden."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import asyncpg

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.base import PendingMigration
from dbwarden.dialects.postgresql.migrate.connection import PostgresConnection
from dbwarden.dialects.postgresql.migrate.dialect import DIALECT
from dbwarden.files.migration import Migration
from dbwarden.files.parsing import parse
from dbwarden.types import DatabaseName, Direction


def migration(version: int | str, upgrade: str, rollback: str | None = None) -> Migration:
    """A migration as if read from a file; *upgrade* begins on line 2."""
    text = f"-- upgrade\n{upgrade}\n"
    if rollback is not None:
        text += f"-- rollback\n{rollback}\n"
    name = f"{version:04d}_thing" if isinstance(version, int) else version
    path = Path(f"/project/migrations/primary__{name}.sql")
    return parse(text, path=path, database=DatabaseName("primary"), dialect="postgresql")


def work(
    version: int | str,
    upgrade: str,
    rollback: str | None = None,
    *,
    direction: Direction = "upgrade",
    **more: Any,
) -> PendingMigration:
    """One migration to run."""
    file = migration(version, upgrade, rollback)
    section = file.section(direction)
    assert section is not None
    steps = DIALECT.steps(file, section)
    return PendingMigration(migration=file, direction=direction, steps=steps, **more)


class Done(list[str]):
    """Hears which works are confirmed."""

    async def __call__(self, work: PendingMigration) -> None:
        self.append(work.migration.key)


@asynccontextmanager
async def migrator(config: DatabaseConfig) -> AsyncGenerator[PostgresConnection]:
    """A connection that holds the lock and has a ledger."""
    async with DIALECT.connect(config) as connection, connection.lock():
        await connection.read()
        await connection.create_ledger()
        yield connection


async def apply(config: DatabaseConfig, *works: PendingMigration) -> list[str]:
    """Run *works* as an operation would; the keys that were confirmed."""
    done = Done()
    async with migrator(config) as connection:
        await connection.run(works, done)
    return done


async def ledger_of(config: DatabaseConfig) -> dict[str, Any]:
    """The rows of the ledger by their key, the latest of each."""
    async with DIALECT.connect(config, read_only=True) as connection:
        found = await connection.history(None)
    return {row.key: row for row in found.rows}


@asynccontextmanager
async def admin(url: str) -> AsyncGenerator[Any]:
    """A plain connection beside dbwarden's."""
    connection = await asyncpg.connect(url, server_settings={"application_name": "test admin"})
    try:
        yield connection
    finally:
        connection.terminate()


async def value(url: str, query: str) -> Any:
    """What *query* returns in one row and column."""
    async with admin(url) as connection:
        return await connection.fetchval(query)


async def end(url: str, pid: int | None) -> None:
    """End the server process *pid*, and return when it is gone."""
    await value(url, f"SELECT pg_terminate_backend({pid})")
    there = f"SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = {pid}"
    await until(lambda: value(url, there))


async def tables(url: str) -> set[str]:
    """The tables of the database, without the ledger."""
    async with admin(url) as connection:
        rows = await connection.fetch(
            "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE relkind IN ('r', 'p') AND nspname !~ '^pg_|information_schema'"
        )
    return {row[0] for row in rows} - {"dbwarden_ledger"}


async def indexes(url: str, table: str) -> dict[str, bool]:
    """The indexes of *table*, and whether each is valid."""
    async with admin(url) as connection:
        rows = await connection.fetch(
            "SELECT i.relname, x.indisvalid FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid"
            " WHERE x.indrelid = $1::regclass",
            table,
        )
    return {row[0]: row[1] for row in rows}


OURS = "application_name LIKE 'dbwarden %' AND datname = current_database()"


async def left_behind(url: str) -> list[Any]:
    """Sessions of dbwarden's that still run something, and locks that anybody else holds."""
    async with admin(url) as connection:
        running = await connection.fetch(
            f"SELECT query FROM pg_stat_activity WHERE {OURS} AND state <> 'idle'"
        )
        locks = await connection.fetch(
            "SELECT locktype, mode FROM pg_locks WHERE pid <> pg_backend_pid() AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())"
            f" AND pid IN (SELECT pid FROM pg_stat_activity WHERE {OURS})"
        )
    return [*running, *locks]


async def until(question: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Ask again and again until the answer is true; the answer."""
    deadline = time.monotonic() + seconds
    while not (answer := await question()):
        assert time.monotonic() < deadline, "it did not come about in time"
        await anyio.sleep(0.01)
    return answer


async def until_running(url: str, text: str) -> int:
    """The process number of dbwarden's session that runs *text*, or the migration of that key.

    The server shows only how a message begins.
    """

    async def look() -> Any:
        async with admin(url) as connection:
            return await connection.fetchval(
                f"SELECT pid FROM pg_stat_activity WHERE {OURS} AND state = 'active'"
                " AND (position($1 IN query) > 0 OR application_name LIKE '% ' || $1)",
                text,
            )

    pid = await until(look)
    assert isinstance(pid, int)
    return pid
