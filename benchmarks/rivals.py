"""The same work done by others: asyncpg by hand, SQLAlchemy's AsyncEngine, Alembic, psql."""

import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import anyio
import asyncpg

from benchmarks.migrations import RAW_LEDGER, raw_message, read_plain, write_revisions
from benchmarks.stage import Place

Each = Callable[[Place], Awaitable[None]]


async def all_at_once(each: Each, places: Sequence[Place], limit: int | None = None) -> None:
    """*each* on all *places* in one task group, at most *limit* at a time."""
    limiter = anyio.CapacityLimiter(limit or len(places))

    async def one(place: Place) -> None:
        async with limiter:
            await each(place)

    async with anyio.create_task_group() as group:
        for place in places:
            group.start_soon(one, place)


async def one_by_one(each: Each, places: Sequence[Place]) -> None:
    for place in places:
        await each(place)


# -- asyncpg by hand ----------------------------------------------------------------------------


async def raw_connect(place: Place) -> asyncpg.Connection:
    return await asyncpg.connect(
        host="127.0.0.1",
        port=place.port,
        user="postgres",
        database=place.name,
        ssl=False,
        statement_cache_size=0,
        server_settings={"application_name": "by hand"},
    )


def raw_check(folder: Path, table: str) -> Each:
    """Connect, read the ledger in one flight, compare it with the files' keys, leave.

    The files are read once: they are the same for all.
    """
    keys = {plain.key for plain in read_plain(folder)}
    query = f"SELECT key FROM {table}"

    async def each(place: Place) -> None:
        connection = await raw_connect(place)
        rows = bytearray()

        async def keep(data: bytes) -> None:
            rows.extend(data)

        await connection.copy_from_query(query, output=keep)
        assert set(rows.decode().split()) == keys
        connection.terminate()

    return each


def raw_check_folders(folder_of: Callable[[str], Path], table: str) -> Each:
    """The same where each database has files of its own: they are read each time."""

    async def each(place: Place) -> None:
        await raw_check(folder_of(place.name), table)(place)

    return each


def raw_migrate(folder: Path, at_once: int) -> Each:
    """Read the files, make the ledger, send *at_once* migrations a message."""

    async def each(place: Place) -> None:
        migrations = read_plain(folder)
        connection = await raw_connect(place)
        await connection.execute(RAW_LEDGER)
        for start in range(0, len(migrations), at_once):
            await connection.execute(raw_message(migrations[start : start + at_once]))
        connection.terminate()

    return each


# -- SQLAlchemy ---------------------------------------------------------------------------------


def alchemy_check(table: str) -> Each:
    """A fresh AsyncEngine, one connection, one query, dispose."""
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import create_async_engine

    query = text(f"SELECT key FROM {table}")

    async def each(place: Place) -> None:
        engine = create_async_engine(place.alchemy_url)
        async with engine.connect() as connection:
            await connection.execute(query)
        await engine.dispose()

    return each


# -- processes ----------------------------------------------------------------------------------


def program(name: str) -> str:
    """A program of this environment."""
    return str(Path(sys.executable).parent / name)


def environment(**more: str) -> dict[str, str]:
    """Ours without what would steer Python or dbwarden: everybody may keep compiled bytecode."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "DBWARDEN", "PG"))
    }
    return {**kept, **more}


async def run_process(
    command: Sequence[str], *, cwd: Path | None = None, env: dict[str, str] | None = None
) -> None:
    """Run a program to its end; what it says is shown only when it fails."""
    done = await anyio.run_process(
        list(command),
        cwd=cwd,
        env=environment() if env is None else env,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(
            f"{' '.join(command)} ended with {done.returncode}:\n"
            f"{done.stdout.decode()}\n{done.stderr.decode()}"
        )


class Alembic:
    """A project as ``alembic init -t async`` makes it, with the URL taken from the environment."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder = folder
        init = [program("alembic"), "init", "-t", "async", "alembic"]
        subprocess.run(init, cwd=folder, check=True, capture_output=True)
        env = folder / "alembic" / "env.py"
        line = "config = context.config\n"
        url = 'config.set_main_option("sqlalchemy.url", os.environ["BENCH_URL"])\n'
        text = env.read_text()
        assert line in text
        env.write_text("import os\n" + text.replace(line, line + url))
        write_revisions(folder / "alembic" / "versions", count)

    def each(self, *arguments: str) -> Each:
        """One process a database, as its users run it."""

        async def each(place: Place) -> None:
            command = [program("alembic"), *arguments]
            env = environment(BENCH_URL=place.alchemy_url)
            await run_process(command, cwd=self.folder, env=env)

        return each


def psql_migrate(psql: str, script: Path) -> Each:
    """``psql -f`` of one script that holds all migrations."""

    async def each(place: Place) -> None:
        options = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(script)]
        where = ["-h", "127.0.0.1", "-p", str(place.port), "-U", "postgres", "-d", place.name]
        await run_process([psql, *where, *options])

    return each
