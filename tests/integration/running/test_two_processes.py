"""Commands that write, while another process changes the files or the database."""

import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import anyio.abc
from anyio.streams.text import TextReceiveStream

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.operations.migrations_folder import lock_folder
from tests.integration.running.conftest import (
    another_migrator,
    states,
    write,
    write_tables,
)
from tests.urls import revealed


class Command:
    """A running ``dbwarden``, whose log shows what it waits for."""

    def __init__(self, process: anyio.abc.Process) -> None:
        assert process.stderr is not None
        self._process = process
        self._stderr = TextReceiveStream(process.stderr)
        self.log = ""

    async def waits(self, event: str) -> None:
        while event not in self.log:
            self.log += await self._stderr.receive()

    async def ends(self) -> int:
        async for text in self._stderr:
            self.log += text
        return await self._process.wait()


def configure(config: DatabaseConfig) -> None:
    """Write the project's files for *config*, which is short of one table."""
    declared = {
        "database_name": str(config.database_name),
        "database_type": config.database_type,
        "database_url": revealed(config.database_url),
        "schema_paths": ["schema.sql"],
    }
    (config.root / "schema.sql").write_text("CREATE TABLE t1 (id int); CREATE TABLE x (i int);")
    (config.root / "dbwarden.py").write_text(
        f"from dbwarden import database_config\ndatabase_config(**{declared!r})\n"
    )


@asynccontextmanager
async def started(config: DatabaseConfig, *arguments: str) -> AsyncGenerator[Command]:
    configure(config)
    async with await anyio.open_process(
        [sys.executable, "-m", "dbwarden", *arguments, "--log-level", "info"],
        cwd=config.root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "NO_COLOR": "1"},
    ) as process:
        yield Command(process)


def files(config: DatabaseConfig) -> list[str]:
    return sorted(path.stem.removeprefix("primary__") for path in config.migrations_dir.iterdir())


async def test_a_baseline_writes_nothing_where_another_process_was_first(
    config: DatabaseConfig,
) -> None:
    write_tables(config, 1)
    async with AsyncExitStack() as lock:
        other = await lock.enter_async_context(another_migrator(config))
        (config.migrations_dir / "primary__0001_t1.sql").unlink()
        async with started(config, "baseline") as command:
            await command.waits("waiting_for_lock")
            await other.apply("0001")
            assert files(config) == []
            await lock.aclose()
            code = await command.ends()

    assert code == 2
    assert "its migration history has a migration already, up to 0001" in command.log
    assert files(config) == []


async def test_renumber_waits_for_a_migrate_and_keeps_what_it_applied(
    config: DatabaseConfig,
) -> None:
    write_tables(config, 1)
    async with AsyncExitStack() as lock:
        other = await lock.enter_async_context(another_migrator(config))
        write(config, "0001_u", "CREATE TABLE u (id int);", "DROP TABLE u;")
        async with started(config, "renumber") as command:
            await command.waits("waiting_for_lock")
            await other.apply("0001")
            assert files(config) == ["0001_t1", "0001_u"]
            await lock.aclose()
            code = await command.ends()

    assert code == 0, command.log
    assert files(config) == ["0001_t1", "0002_u"]


async def test_a_migrate_applies_what_was_renamed_while_it_waited(config: DatabaseConfig) -> None:
    write_tables(config, 1, 2)
    async with AsyncExitStack() as lock:
        await lock.enter_async_context(another_migrator(config))
        async with started(config, "migrate") as command:
            await command.waits("waiting_for_lock")
            old = config.migrations_dir / "primary__0002_t2.sql"
            old.rename(config.migrations_dir / "primary__0003_t2.sql")
            await lock.aclose()
            code = await command.ends()

    assert code == 0, command.log
    assert await states(config) == {"0001": "applied", "0003": "applied"}


async def test_make_migrations_writes_nothing_next_to_files_that_it_has_not_read(
    config: DatabaseConfig,
) -> None:
    write_tables(config, 1)
    async with AsyncExitStack() as lock:
        await lock.enter_async_context(lock_folder(config))
        async with started(config, "make-migrations", "-m", "x") as command:
            await command.waits("waiting_for_folder")
            write_tables(config, 2)
            await lock.aclose()
            code = await command.ends()

    assert code == 2
    assert "have changed since they were read; nothing was written" in command.log
    assert files(config) == ["0001_t1", "0002_t2"]


async def test_new_numbers_its_file_after_those_that_are_there(config: DatabaseConfig) -> None:
    write_tables(config, 1)
    async with AsyncExitStack() as lock:
        await lock.enter_async_context(lock_folder(config))
        async with started(config, "new", "-m", "x") as command:
            await command.waits("waiting_for_folder")
            write_tables(config, 2)
            await lock.aclose()
            code = await command.ends()

    assert code == 0, command.log
    assert files(config) == ["0001_t1", "0002_t2", "0003_x"]
