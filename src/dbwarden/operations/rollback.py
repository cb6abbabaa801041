"""Take back what was applied, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from dbwarden import telemetry
from dbwarden.config.model import DatabaseConfig
from dbwarden.dialects.base import Dialect, PendingMigration
from dbwarden.errors import HistoryError
from dbwarden.files.migration import Migration
from dbwarden.history import Reading
from dbwarden.operations.migrate import MigrationRun, PlannedSQL, planned_sql, read_only
from dbwarden.operations.operation import dialect_of, migration_files, operation
from dbwarden.operations.pending import resumed_work, rollback_work
from dbwarden.planning import compare, plan_rollback
from dbwarden.types import DatabaseName


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackResult:
    """What a rollback took back, newest first; ``version`` is the newest applied one left."""

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
    """Run the rollback sections of what was applied last; of one migration unless told otherwise.

    Args:
        config: The database, its name, or ``None`` for the default one.
        to: Take back everything newer than this version, which stays (``"0"`` for everything).
        count: Take back so many. What another process took back since the first look is not
            replaced by older ones.
        marked: Also what ``baseline`` marked as applied, so that it never ran here.
        dry_run: Return the SQL in order instead; read-only, enforced by the server.

    Raises:
        RollbackImpossible: A migration is irreversible or has no rollback; nothing was run.
        HistoryError: Files and ledger do not agree.
        StatementFailed: The server refused a statement; what came before it is rolled back.
    """
    files = await migration_files(config)
    dialect = dialect_of(config)
    async with dialect.connect(config, read_only=dry_run) as connection:
        reading = await connection.read()
        planned_for = partial(plan, config, dialect, files, to=to, count=count, marked=marked)
        works = planned_for(reading)
        if dry_run or not works:
            planned = planned_sql(works)
            return _result(config, files, reading, (), dry_run=dry_run, planned=planned)
        if reading.read_only:
            raise read_only(config, replica=reading.replica is not None)
        async with connection.lock():
            previewed, works = works, planned_for(await connection.read())
            if to is None:
                refuse_others(config, previewed, works)
            telemetry.emit("planned", level="debug", migrations=len(works))
            await connection.run(works, _rolled_back)
            ended = [work.row.id for work in works if work.row is not None]
            return _result(config, files, await connection.read_last(ended), works)


async def _rolled_back(work: PendingMigration) -> None:
    telemetry.emit("migration_rolled_back", version=work.migration.key, outcome="succeeded")


def plan(
    config: DatabaseConfig,
    dialect: Dialect,
    files: Sequence[Migration],
    reading: Reading,
    *,
    to: str | None,
    count: int | None,
    marked: bool,
) -> tuple[PendingMigration, ...]:
    """Return what to take back, in order: first what stopped half-way, then the rest.

    Raises:
        HistoryError: Something has to be cleared up first.
    """
    name = config.database_name
    found = compare(files, reading.rows, name)
    chosen = plan_rollback(found, to=to, count=count, marked=marked)
    resumed = (
        resumed_work(dialect, migration, row, "rollback") for row, migration in chosen.resumed
    )
    fresh = (
        rollback_work(dialect, replace(item.migration, database=name), item.row)
        for item in chosen.fresh
    )
    return (*resumed, *fresh)


def refuse_others(
    config: DatabaseConfig, previewed: Sequence[PendingMigration], works: Sequence[PendingMigration]
) -> None:
    """Refuse to take back other migrations than those that were the newest before the lock.

    Raises:
        HistoryError: Another process changed what is applied meanwhile.
    """
    before = [work.migration.key for work in previewed]
    after = [work.migration.key for work in works]
    if set(after) <= set(before):
        return
    raise HistoryError(
        f"another process changed the history while this one waited: to take back was "
        f"{', '.join(before)}, and now it would be {', '.join(after)}; nothing was run",
        database=config.database_name,
        next_step=f"Look at it with: dbwarden status -d {config.database_name}; then run the "
        "command again.",
    )


def _result(
    config: DatabaseConfig,
    files: Sequence[Migration],
    reading: Reading,
    works: Sequence[PendingMigration],
    *,
    dry_run: bool = False,
    planned: tuple[PlannedSQL, ...] = (),
) -> RollbackResult:
    ended = {row.id: row for row in reading.rows or ()}
    return RollbackResult(
        database=config.database_name,
        version=compare(files, reading.rows).version,
        rolled_back=tuple(
            MigrationRun(
                key=work.migration.key,
                description=work.migration.description,
                resumed=work.resumed,
                duration_ms=ended[work.row.id].duration_ms
                if work.row is not None and work.row.id in ended
                else None,
            )
            for work in works
        ),
        dry_run=dry_run,
        planned=planned,
    )
