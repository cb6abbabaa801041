"""Apply pending migrations."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import anyio.to_thread

from dbwarden import telemetry
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.base import Connection, LedgerAppeared, PendingMigration
from dbwarden.errors import LockTimeout, StatementFailed
from dbwarden.files.migration import Migration, Phase
from dbwarden.migration_history import DatabaseStatus
from dbwarden.operations.operation import (
    dialect_of,
    files_once,
    forget_files,
    migration_files,
    operation,
    refuse_read_only,
)
from dbwarden.operations.outside_changes import record_outside_change, recording_failures
from dbwarden.operations.steps_to_run import fresh_migrations, resume_migration
from dbwarden.planning.backfill_progress import BackfillProgress, progress_of
from dbwarden.planning.comparing import HistoryComparison, compare
from dbwarden.planning.gating import refuse_waiting, waiting_for_backfills
from dbwarden.planning.upgrading import plan_upgrade
from dbwarden.types import DatabaseName

DATA_EXCEPTION = "22"
CONSTRAINT = "23"
"""The SQLSTATE classes of errors about row values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationRun:
    """One migration that ran. ``duration_ms`` is measured by the server, in milliseconds."""

    key: str
    description: str
    resumed: bool = False
    duration_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSQL:
    """The SQL of one migration in a dry run, as written."""

    key: str
    description: str
    path: str
    sql: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrateResult:
    """The result of a migrate.

    ``applied`` lists the migrations in the order in which they ran. ``version`` is the newest
    applied version afterwards. ``ahead`` lists applied versions newer than any file. ``planned``
    is set only by a dry run, which applies nothing. ``backfills`` are those that have not ended;
    ``waiting`` lists the pending migrations that wait for one of them. ``drift`` lists the
    objects that differed before it, if that was asked for.
    """

    database: DatabaseName
    version: str | None
    applied: tuple[MigrationRun, ...] = ()
    ahead: tuple[str, ...] = ()
    dry_run: bool = False
    planned: tuple[PlannedSQL, ...] = ()
    backfills: tuple[BackfillProgress, ...] = ()
    waiting: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()


DriftMode = Literal["fail", "warn"]


@operation("migrate")
async def migrate(
    config: DatabaseConfig,
    *,
    to: str | None = None,
    count: int | None = None,
    out_of_order: bool = False,
    at_least: bool = False,
    phase: Phase | None = None,
    dry_run: bool = False,
    check_drift: DriftMode | None = None,
) -> MigrateResult:
    """Apply the pending migrations of one database.

    First reads without a lock, so that programs that start together with nothing to do do not
    queue. Then takes the lock, reads again, and applies what is still pending.

    Args:
        config: The database, its name, or ``None`` for the default one.
        to: The last version to apply (``"7"`` or ``"0007"``).
        count: The maximum number of migrations to apply.
        out_of_order: Also apply files that are older than the newest applied one.
        at_least: Accept a database that is already past *to*, instead of raising an error.
        phase: Only the migrations that run before (``"pre"``) or after (``"post"``) the deployment.
        dry_run: Return the SQL in order instead; read-only, enforced by the server.
        check_drift: Before anything runs, compare the database with the files that are applied to
            it: ``"fail"`` runs nothing if it differs, ``"warn"`` reports the differences.

    Raises:
        DriftFound: The database is not as its files say; nothing ran.
        HistoryError: Files and migration history do not agree; says what to do.
        MigrationFileError: A file cannot be read; nothing ran.
        StatementFailed: The server refused a statement; earlier ones are applied.
        MigratorBusy: Another migrator held the database for ``migration_lock_timeout`` seconds.
    """
    choose = partial(
        plan_upgrade,
        to=to,
        count=count,
        out_of_order=out_of_order,
        at_least=at_least,
        phase=phase,
    )
    named = to is not None or phase is not None
    async with files_once():
        try:
            files = await migration_files(config)
            async with dialect_of(config).connect(config, read_only=dry_run) as connection:
                run = _Run(config, connection, choose, named, check_drift, files)
                return await (run.preview() if dry_run else run.upgrade())
        except StatementFailed as error:
            _quote_header(error, await migration_files(config))
            raise


def _quote_header(error: StatementFailed, files: Sequence[Migration]) -> None:
    """Add the reason why the upgrade fails on rows, from the file's header, to *error*."""
    about_rows = error.sqlstate is None or error.sqlstate[:2] in (DATA_EXCEPTION, CONSTRAINT)
    if error.location is None or isinstance(error, LockTimeout) or not about_rows:
        return
    for migration in files:
        if migration.path == error.location.path and (reason := migration.declares.reason):
            advice = f"{error.next_step or ''} The header of the file says: {reason.rstrip('.')}."
            error.next_step = advice.lstrip()


@dataclass(frozen=True, slots=True)
class _Run:
    """An upgrade: the migrations to *choose*, and whether they were *named* and must all run."""

    config: DatabaseConfig
    connection: Connection
    choose: Callable[[HistoryComparison], Sequence[Migration]]
    named: bool
    check_drift: DriftMode | None
    files: Sequence[Migration]

    async def preview(self) -> MigrateResult:
        """Return the SQL that would run."""
        reading = await self.connection.read()
        planned = planned_sql(self._plan(reading))
        result = replace(self._result(reading), dry_run=True, planned=planned)
        return replace(result, backfills=(), waiting=())

    async def upgrade(self) -> MigrateResult:
        """Run what is pending."""
        reading = await self.connection.read(claim=bool(self.files))
        pending = self._plan(reading)
        if not self._anything_to_run(reading, pending):
            return self._result(reading)
        refuse_read_only(self.config, reading)
        async with self.connection.lock():
            if not await anyio.to_thread.run_sync(_all_exist, pending):  # renumber moved a file
                await forget_files(self.config)
                moved = replace(self, files=await migration_files(self.config))
                return await moved._upgrade_under_lock()
            if reading.rows is None and self.check_drift is None and not _any_backfill(pending):
                with suppress(LedgerAppeared):
                    return await self._upgrade_first(pending)
            return await self._upgrade_under_lock()

    async def _upgrade_first(self, pending: Sequence[PendingMigration]) -> MigrateResult:
        """Run *pending* in a database that had no ledger when they were chosen.

        Raises:
            LedgerAppeared: Another migrator created one before the lock was held; nothing ran.
        """
        async with recording_failures(self.connection):
            await self.connection.run_first(pending, _report_applied)
        return self._result(await self.connection.read_last(), pending)

    async def _upgrade_under_lock(self) -> MigrateResult:
        connection = self.connection
        reading = await connection.read()
        if reading.rows is None:
            await connection.create_ledger()
        pending = self._plan(reading)
        if not self._anything_to_run(reading, pending):
            return self._result(reading)
        await record_outside_change(connection, reading)
        drift = await self._find_drift(reading)
        telemetry.emit("planned", level="debug", migrations=len(pending))
        ran: Sequence[PendingMigration] = pending
        async with recording_failures(connection):
            if _any_backfill(pending) or reading.backfills:
                from dbwarden.operations.backfill_start import Backfilling

                backfilling = Backfilling(self.config, connection, _report_applied)
                ran = await backfilling.run(self.files, reading, pending)
            else:
                await connection.run(pending, _report_applied)
        reading = await connection.read_last()
        if self.named:
            left = [item.migration for item in pending if item not in ran]
            refuse_waiting(self._compare(reading), left, reading.backfills)
        return replace(self._result(reading, ran), drift=drift)

    def _compare(self, reading: DatabaseStatus) -> HistoryComparison:
        return compare(self.files, reading.rows, self.config.database_name)

    def _plan(self, reading: DatabaseStatus) -> tuple[PendingMigration, ...]:
        """Return the migrations to run, in order: partial ones first, then pending ones.

        Raises:
            HistoryError: The history needs a repair first.
        """
        dialect, history = dialect_of(self.config), self._compare(reading)
        migrations = self.choose(history)
        resumed = [
            resume_migration(dialect, migration, row)
            for row, migration in history.partial
            if migration is not None
        ]
        return (*resumed, *fresh_migrations(dialect, migrations, reading.rows or ()))

    def _anything_to_run(
        self, reading: DatabaseStatus, pending: Sequence[PendingMigration]
    ) -> bool:
        """Return whether migrations are pending, or a small backfill was interrupted."""
        if pending or not reading.backfills:
            return bool(pending)
        from dbwarden.operations.backfill_start import small_backfills

        return bool(small_backfills(self.files, reading))

    async def _find_drift(self, reading: DatabaseStatus) -> tuple[str, ...]:
        """Return the differences of the database to report; raise if they stop the upgrade.

        Raises:
            DriftFound: The database is not as its files say.
        """
        if self.check_drift is None:
            return ()
        from dbwarden.operations import drift_check  # imports SQLAlchemy

        history = compare(self.files, reading.rows)
        if self.check_drift == "fail":
            await drift_check.refuse_drift(self.config, history)
            return ()
        found = tuple(item.what for item in await drift_check.find_drift(self.config, history))
        if found:
            telemetry.emit("drift_found", level="warning", objects=len(found))
        return found

    def _result(
        self, reading: DatabaseStatus, ran: Sequence[PendingMigration] = ()
    ) -> MigrateResult:
        history = self._compare(reading)
        return MigrateResult(
            database=self.config.database_name,
            version=history.version,
            applied=runs_of(ran, reading),
            ahead=tuple(row.key for row in history.ahead),
            backfills=tuple(progress_of(row) for row in reading.backfills),
            waiting=tuple(item.key for item in waiting_for_backfills(history)),
        )


def _all_exist(pending: Sequence[PendingMigration]) -> bool:
    return all(item.migration.path.exists() for item in pending)


def _any_backfill(pending: Sequence[PendingMigration]) -> bool:
    return any(item.migration.backfill is not None for item in pending)


async def _report_applied(item: PendingMigration) -> None:
    telemetry.emit("migration_applied", version=item.migration.key, outcome="succeeded")


def runs_of(
    pending: Sequence[PendingMigration], reading: DatabaseStatus
) -> tuple[MigrationRun, ...]:
    """Return the runs of *pending*; *reading* has their rows as they are now."""
    rows = {(row.kind, row.key): row for row in reading.rows or ()}
    current_rows = [rows.get((item.migration.kind, item.migration.key)) for item in pending]
    return tuple(
        MigrationRun(
            key=item.migration.key,
            description=item.migration.description,
            resumed=item.resumed,
            duration_ms=row.duration_ms if row is not None else None,
        )
        for item, row in zip(pending, current_rows, strict=True)
    )


def planned_sql(pending: Sequence[PendingMigration]) -> tuple[PlannedSQL, ...]:
    """Return the SQL of *pending* migrations, as written."""
    return tuple(
        PlannedSQL(
            key=item.migration.key,
            description=item.migration.description,
            path=str(item.migration.path),
            sql=_remaining_sql(item),
        )
        for item in pending
    )


def _remaining_sql(item: PendingMigration) -> str:
    """Return the whole section as written, or the SQL of the steps that are not done yet."""
    section = item.migration.section(item.direction)
    if not item.done and section is not None:
        return section.text.strip("\n")
    return "\n".join(step.text.strip("\n").rstrip(";") + ";" for step in item.steps[item.done :])
