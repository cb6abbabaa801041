"""One database of each kind with migration files, for behaviour that all kinds share."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from dbwarden import telemetry
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.base import Connection, Dialect
from dbwarden.files.migration import Migration
from dbwarden.kinds import dialect_for
from dbwarden.migration_history import LedgerRow
from dbwarden.operations.operation import migration_files
from dbwarden.operations.steps_to_run import fresh_migrations, resume_migration, rollback_migration
from tests.conftest import MakeConfig


@pytest.fixture(params=["postgresql", "sqlite"])
def config(
    request: pytest.FixtureRequest, tmp_path: Path, make_config: MakeConfig
) -> DatabaseConfig:
    """An empty database of each kind."""
    if request.param == "postgresql":
        return make_config(request.getfixturevalue("postgres_url"))
    return make_config(f"sqlite:///{tmp_path}/app.db", database_type="sqlite")


def write(config: DatabaseConfig, name: str, upgrade: str, rollback: str) -> Path:
    """Write the migration file *name* of this database."""
    path = config.migrations_dir / f"{config.files_of}__{name}.sql"
    path.write_text(f"-- upgrade\n{upgrade}\n\n-- rollback\n{rollback}\n", encoding="utf-8")
    return path


def write_tables(config: DatabaseConfig, *numbers: int) -> None:
    """Write one migration for each of *numbers*, which makes the table of that number."""
    for number in numbers:
        name = f"{number:04d}_t{number}"
        write(config, name, f"CREATE TABLE t{number} (id int);", f"DROP TABLE t{number};")


async def rows(config: DatabaseConfig) -> dict[str, LedgerRow]:
    """The newest row of each migration, rolled-back ones included."""
    async with dialect_for(config.database_type).connect(config, read_only=True) as connection:
        found = await connection.history(None)
    return {row.key: row for row in found.rows}


async def states(config: DatabaseConfig) -> dict[str, str]:
    """The state of the newest row of each migration."""
    return {key: row.state.value for key, row in (await rows(config)).items()}


class Other:
    """Another process that migrates the same database, at the moment it is told to."""

    def __init__(self, config: DatabaseConfig, connection: Connection) -> None:
        self._config = config
        self._connection = connection
        self._dialect: Dialect = dialect_for(config.database_type)
        self._files: dict[str, Migration] = {}

    async def read_files(self) -> None:
        self._files = {item.key: item for item in await migration_files(self._config)}

    async def apply(self, key: str) -> None:
        """Apply the migration *key*."""
        await self._connection.create_ledger()
        await self._connection.run(fresh_migrations(self._dialect, [self._files[key]]), _nothing)

    async def finish(self, key: str) -> None:
        """Go on with the migration *key*, which stopped half-way."""
        row, file = await self._row(key), self._files[key]
        await self._connection.run([resume_migration(self._dialect, file, row)], _nothing)

    async def roll_back(self, key: str) -> None:
        """Take back the migration *key*."""
        row = await self._row(key)
        await self._connection.run(
            [rollback_migration(self._dialect, self._files[key], row)], _nothing
        )

    async def _row(self, key: str) -> LedgerRow:
        reading = await self._connection.read()
        (row,) = (row for row in reading.rows or () if row.key == key)
        return row


async def _nothing(_: object) -> None:
    pass


@asynccontextmanager
async def another_migrator(config: DatabaseConfig) -> AsyncGenerator[Other]:
    """Another process that holds the migration lock for the time of the block."""
    dialect = dialect_for(config.database_type)
    async with dialect.connect(config) as connection, connection.lock():
        other = Other(config, connection)
        await other.read_files()
        yield other


async def interleaved(
    config: DatabaseConfig,
    operation: Callable[[], Awaitable[object]],
    meanwhile: Callable[[Other], Awaitable[object]],
) -> Exception | None:
    """Do *meanwhile* in another process while *operation* waits for the lock; its error."""
    waits = anyio.Event()
    errors: list[Exception] = []

    def hear(event: telemetry.Event) -> None:
        if event.name == "waiting_for_lock":
            waits.set()

    async def attempt() -> None:
        with telemetry.listening(hear):
            try:
                await operation()
            except Exception as error:
                errors.append(error)
            waits.set()

    async with anyio.create_task_group() as tasks, another_migrator(config) as other:
        tasks.start_soon(attempt)
        await waits.wait()
        assert not errors, "it did not wait for the lock"
        await meanwhile(other)
    return next(iter(errors), None)
