"""Adopt an existing database: mark migrations as applied without running them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.base import Connection, PendingMigration
from dbwarden.errors import HistoryError, UsageError
from dbwarden.files.migration import Migration
from dbwarden.migration_history import HistoryKind
from dbwarden.operations.foreign import Tool, read_foreign_state
from dbwarden.operations.operation import dialect_of, migration_files, operation, refuse_read_only
from dbwarden.operations.outside_changes import record_outside_change
from dbwarden.operations.steps_to_run import fresh_migrations
from dbwarden.planning.comparing import HistoryComparison, compare
from dbwarden.planning.upgrading import plan_upgrade
from dbwarden.types import DatabaseName

Choose = Callable[[HistoryComparison], Sequence[Migration]]
"""Chooses the migrations to mark from those that are pending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineResult:
    """The migrations that were marked as applied, in order."""

    database: DatabaseName
    version: str | None
    marked: tuple[str, ...]


@operation("baseline")
async def baseline(config: DatabaseConfig, *, to: str) -> BaselineResult:
    """Mark everything up to and including *to* as applied; no migration SQL runs.

    Args:
        config: The database, its name, or ``None`` for the default one.
        to: The version that the database already has.

    Raises:
        HistoryError: Files and migration history do not agree, or the version does not exist.
    """
    files = await migration_files(config)
    async with dialect_of(config).connect(config) as connection, connection.lock():
        return await mark_applied(config, connection, files, up_to(to))


@operation("baseline")
async def baseline_from(config: DatabaseConfig, *, tool: Tool) -> BaselineResult:
    """Mark the imported files of what another tool has applied; no migration SQL runs.

    Args:
        config: The database, its name, or ``None`` for the default one.
        tool: The tool from which the files were imported.

    Raises:
        HistoryError: The tool has applied something that has no file here.
        UsageError: No file was imported from *tool*, or the database has no history of it.
    """
    files = await migration_files(config)
    if not any(each.origin is not None and each.origin.tool == tool for each in files):
        raise UsageError(
            f"no file was imported from {tool}",
            database=config.database_name,
            next_step=f"Import its history first: dbwarden import {tool} -d {config.files_of}",
        )
    async with dialect_of(config).connect(config) as connection, connection.lock():
        state = await read_foreign_state(connection, files, tool)
        if state is None:
            raise UsageError(
                f"it has no migration history of {tool}",
                database=config.database_name,
                next_step="A new database runs the files: "
                f"dbwarden migrate -d {config.database_name}",
            )
        if state.unknown:
            raise HistoryError(
                f"{tool} has applied {', '.join(state.unknown)}, which has no file here",
                next_step=f"Import it first: dbwarden import {tool} -d {config.files_of}. A "
                "database that is older than the imported baseline must be brought there by "
                f"{tool}.",
            )
        applied = {migration.key for migration in state.applied}
        return await mark_applied(
            config,
            connection,
            files,
            lambda history: [item for item in history.pending if item.key in applied],
        )


def up_to(version: str) -> Choose:
    """Return the choice of everything up to and including *version*."""
    return partial(plan_upgrade, to=version, out_of_order=True)


async def mark_applied(
    config: DatabaseConfig, connection: Connection, files: Sequence[Migration], choose: Choose
) -> BaselineResult:
    """Mark the chosen versioned migrations as applied. Requires the lock."""
    reading = await connection.read()
    refuse_read_only(config, reading)
    chosen = choose(compare(files, reading.rows, config.database_name))
    versioned = [item for item in chosen if item.kind is HistoryKind.VERSIONED]
    fresh = fresh_migrations(dialect_of(config), versioned)
    pending = [replace(item, fake=True) for item in fresh]
    if pending:
        await connection.create_ledger()
        await record_outside_change(connection, reading)
        await connection.run(pending, _report_nothing)
    reading = await connection.read_last()
    return BaselineResult(
        database=config.database_name,
        version=compare(files, reading.rows).version,
        marked=tuple(item.migration.key for item in pending),
    )


async def _report_nothing(item: PendingMigration) -> None:
    del item  # nothing ran
