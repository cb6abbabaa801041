"""Roll back applied migrations, newest first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from dbwarden import telemetry
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.base import PendingMigration
from dbwarden.errors import HistoryError
from dbwarden.files.migration import Migration
from dbwarden.migration_history import DatabaseStatus
from dbwarden.operations.migrate import MigrationRun, PlannedSQL, planned_sql, runs_of
from dbwarden.operations.operation import dialect_of, migration_files, operation, refuse_read_only
from dbwarden.operations.outside_changes import record_outside_change, recording_failures
from dbwarden.operations.steps_to_run import resume_migration, rollback_migration
from dbwarden.planning.comparing import HistoryComparison, compare
from dbwarden.planning.rolling_back import RollbackPlan, plan_rollback
from dbwarden.types import DatabaseName


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackResult:
    """The migrations rolled back, newest first; ``version`` is the newest one still applied."""

    database: DatabaseName
    version: str | None
    rolled_back: tuple[MigrationRun, ...] = ()
    dry_run: bool = False
    planned: tuple[PlannedSQL, ...] = ()


@operation("rollback")
async def rollback(
    config: DatabaseConfig,
    *,
    to: str | None = None,
    count: int | None = None,
    marked: bool = False,
    dry_run: bool = False,
) -> RollbackResult:
    """Run the rollback sections of the last migration, or of several.

    Args:
        config: The database, its name, or ``None`` for the default one.
        to: Roll back everything newer than this version, which stays (``"0"`` for everything).
        count: The number of migrations to roll back. Those that another process rolls back
            meanwhile are not replaced by older ones.
        marked: Also roll back migrations that ``baseline`` marked as applied.
        dry_run: Return the SQL in order instead; read-only, enforced by the server.

    Raises:
        RollbackImpossible: A migration is irreversible or has no rollback; nothing ran.
        HistoryError: Files and migration history do not agree.
        StatementFailed: The server refused a statement; earlier ones are rolled back.
    """
    files = await migration_files(config)
    choose = partial(plan_rollback, to=to, count=count, marked=marked)
    planned_for = partial(plan, config, files, choose)
    async with dialect_of(config).connect(config, read_only=dry_run) as connection:
        reading = await connection.read()
        pending = planned_for(reading)
        result = RollbackResult(
            database=config.database_name,
            version=compare(files, reading.rows).version,
            dry_run=dry_run,
            planned=planned_sql(pending) if dry_run else (),
        )
        if dry_run or not pending:
            return result
        refuse_read_only(config, reading)
        async with connection.lock():
            reading = await connection.read()
            previewed, pending = pending, planned_for(reading)
            if to is None:
                refuse_others(config, previewed, pending)
            telemetry.emit("planned", level="debug", migrations=len(pending))
            await record_outside_change(connection, reading)
            async with recording_failures(connection):
                await connection.run(pending, _report_rolled_back)
            ended = [item.row.id for item in pending if item.row is not None]
            reading = await connection.read_last(ended)
    version = compare(files, reading.rows).version
    return replace(result, version=version, rolled_back=runs_of(pending, reading))


async def _report_rolled_back(item: PendingMigration) -> None:
    telemetry.emit("migration_rolled_back", version=item.migration.key, outcome="succeeded")


def plan(
    config: DatabaseConfig,
    files: Sequence[Migration],
    choose: Callable[[HistoryComparison], RollbackPlan],
    reading: DatabaseStatus,
) -> tuple[PendingMigration, ...]:
    """Return the migrations to roll back, in order: partial ones first.

    Raises:
        HistoryError: The history needs a repair first.
    """
    name, dialect = config.database_name, dialect_of(config)
    chosen = choose(compare(files, reading.rows, name))
    resumed = (resume_migration(dialect, migration, row) for row, migration in chosen.resumed)
    fresh = (
        rollback_migration(dialect, replace(item.migration, database=name), item.row)
        for item in chosen.fresh
    )
    return (*resumed, *fresh)


def refuse_others(
    config: DatabaseConfig,
    previewed: Sequence[PendingMigration],
    pending: Sequence[PendingMigration],
) -> None:
    """Refuse to roll back other migrations than those that were the newest before the lock.

    Raises:
        HistoryError: Another process changed what is applied meanwhile.
    """
    before = [item.migration.key for item in previewed]
    after = [item.migration.key for item in pending]
    if set(after) <= set(before):
        return
    raise HistoryError(
        f"another process changed the history while this one waited: {', '.join(before)} was to "
        f"be rolled back, and now it would be {', '.join(after)}; nothing ran",
        next_step=f"See dbwarden status -d {config.database_name}, then run the command again.",
    )
