"""Start backfills among other migrations, and run small ones to their end."""

from collections.abc import Sequence
from dataclasses import dataclass

from dbwarden import telemetry
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.backfill.running import Backfills
from dbwarden.dialects.backfill.work import SMALL
from dbwarden.dialects.base import Connection, OnDone, PendingMigration
from dbwarden.files.migration import Migration
from dbwarden.migration_history import BackfillRow, BackfillState, DatabaseStatus
from dbwarden.operations.backfill_runner import BackfillRunner, work_of
from dbwarden.operations.pacing import Pace
from dbwarden.planning.backfill_progress import progress_of
from dbwarden.planning.comparing import compare
from dbwarden.planning.gating import gated_by, unfinished_backfills
from dbwarden.types import Version

INLINE = Pace(max_lag=None, max_lock_waits=None, rest=0)
"""The limits of a backfill that is small enough to run inside ``migrate``."""


def small_backfills(
    files: Sequence[Migration], reading: DatabaseStatus
) -> tuple[tuple[Migration, BackfillRow], ...]:
    """Return the small backfills that an interrupted ``migrate`` has left running."""
    known = {item.key: item for item in files if item.backfill is not None}
    return tuple(
        (known[row.key], row)
        for row in reading.backfills
        if is_small(row) and row.state is BackfillState.RUNNING and row.key in known
    )


def is_small(row: BackfillRow) -> bool:
    """Return whether ``migrate`` runs the backfill to its end."""
    return row.total is not None and row.total <= SMALL


@dataclass(frozen=True, slots=True)
class Backfilling:
    """A run of migrations among which there are backfills. Requires the lock."""

    config: DatabaseConfig
    connection: Connection
    on_done: OnDone

    async def run(
        self,
        files: Sequence[Migration],
        reading: DatabaseStatus,
        pending: Sequence[PendingMigration],
    ) -> tuple[PendingMigration, ...]:
        """Run *pending* in order up to the first one that waits for a backfill.

        Returns:
            Those that ran to their end.
        """
        unfinished = unfinished_backfills(compare(files, reading.rows, self.config.database_name))
        backfills = await self.connection.backfills()
        for migration, row in small_backfills(files, reading):
            if await self._run_small(backfills, migration, row) and migration.version is not None:
                unfinished.discard(migration.version)
        ran: list[PendingMigration] = []
        batch: list[PendingMigration] = []
        for item in pending:
            if gated_by(item.migration, unfinished) is not None:
                break
            if item.migration.backfill is None:
                batch.append(item)
                continue
            await self.connection.run(batch, self.on_done)
            ran, batch = [*ran, *batch], []
            if await self._start(backfills, item, unfinished):
                ran.append(item)
        await self.connection.run(batch, self.on_done)
        return (*ran, *batch)

    async def _start(
        self, backfills: Backfills, item: PendingMigration, unfinished: set[Version]
    ) -> bool:
        """Start one backfill; return whether it was small and is done."""
        work = await work_of(self.config, item.migration)
        row = await backfills.start(item, work)
        telemetry.emit(
            "backfill_started", version=row.key, table=row.table, total=row.total, key=row.columns
        )
        if is_small(row) and await self._run_small(backfills, item.migration, row):
            await self.on_done(item)
            return True
        assert item.migration.version is not None
        unfinished.add(item.migration.version)
        telemetry.emit("backfill_left", version=row.key, progress=str(progress_of(row)))
        return False

    async def _run_small(
        self, backfills: Backfills, migration: Migration, row: BackfillRow
    ) -> bool:
        work = await work_of(self.config, migration)
        row = await BackfillRunner(backfills, self.config, work, INLINE).run(row)
        return row.state is BackfillState.DONE
