"""Run one backfill over a connection: batch by batch, throttled, with retries."""

import random
import time
from collections import deque
from dataclasses import dataclass, field

import anyio

from dbwarden import telemetry
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.backfill.code import work_of_steps
from dbwarden.dialects.backfill.running import Backfills
from dbwarden.dialects.backfill.work import BackfillWork, BatchDone, BatchRefused
from dbwarden.errors import DBWardenError, StatementFailed, UsageError
from dbwarden.files.migration import Migration
from dbwarden.kinds import dialect_for
from dbwarden.migration_history import BackfillRow, BackfillState
from dbwarden.operations.pacing import Pace, PauseWhen, most_rows, smaller
from dbwarden.planning.backfill_progress import progress_of
from dbwarden.secrets import clean_cause, describe_error

SAMPLES = 3
"""The number of batches whose fastest one decides. One that a busy machine held up does not."""

CHECKED_EVERY = 1.0
"""Seconds between two checks of the pressure on others, while the backfill runs or waits."""

RECORDED_EVERY = 15
"""The number of checks after which the reason to wait is recorded again."""

REPORTED_EVERY = 5.0
"""Seconds between two log events about the progress."""


async def work_of(config: DatabaseConfig, migration: Migration) -> BackfillWork:
    """Return the backfill *migration* with its statements or its coroutine.

    Raises:
        MigrationFileError: A statement cannot run in batches.
        StatementFailed: The Python file cannot be run.
    """
    steps = dialect_for(config.database_type).steps(migration, migration.upgrade)
    return await work_of_steps(migration, steps)


@dataclass(slots=True)
class BackfillRunner:
    """Runs one backfill until it has ended, or until someone pauses it."""

    backfills: Backfills
    config: DatabaseConfig
    work: BackfillWork
    pace: Pace
    _row_seconds: deque[float] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    _tries: int = 0
    _checked: float = -CHECKED_EVERY
    _reported: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.pace = self.pace.of(self.work.backfill)

    @property
    def _key(self) -> str:
        return self.work.migration.key

    async def run(self, row: BackfillRow) -> BackfillRow:
        """Run batches until the backfill is done, and return its row.

        It also returns if the backfill is paused, cancelled or failed by another process.

        Raises:
            StatementFailed: A batch failed; the backfill is now ``failed``.
            ConnectionLost: The connection broke; each committed batch remains.
        """
        first = self.work.backfill.batch
        size = self.pace.first_size(row.batch_size or first)
        most = most_rows(first, row.total, self.backfills.share)
        while row.state is BackfillState.RUNNING:
            if not await self._wait_for_calm():
                return await self._row()
            started = time.monotonic()
            try:
                done = await self.backfills.run_batch(self.work, size, self.pace.limit)
            except BatchRefused as refused:
                size = await self._after_refusal(refused, size)
                continue
            except StatementFailed as error:
                raise await self._fail(error)  # noqa: B904  # the same error
            seconds, self._tries = time.monotonic() - started, 0
            row = done.row
            self._report(done, seconds)
            if done.rows:
                if done.rows >= size:
                    self._row_seconds.append(done.busy / done.rows)
                    size = self.pace.next_size(size, size * min(self._row_seconds), most)
                pause = self.pace.pause(done.rows, seconds)
                await anyio.sleep(max(pause, self.backfills.breath))
        return row

    async def _row(self) -> BackfillRow:
        return next(row for row in await self.backfills.read() if row.key == self._key)

    async def _after_refusal(self, refused: BatchRefused, size: int) -> int:
        """Wait before the next try, and return its size.

        Raises:
            StatementFailed: There were too many tries.
        """
        if refused.too_long and size > 1:
            telemetry.emit("backfill_shrinks", level="warning", version=self._key, rows=size)
            return smaller(size)
        if refused.too_long or self._tries >= self.config.lock_retries:
            raise await self._fail(refused.error)
        self._tries += 1
        telemetry.emit(
            "lock_retry",
            level="warning",
            version=self._key,
            attempt=self._tries,
            of=self.config.lock_retries,
            error=refused.error.message,
        )
        await anyio.sleep(min(4.0, 0.1 * 2.0**self._tries) * random.uniform(0.5, 1.5))
        return size

    async def _fail(self, error: DBWardenError) -> DBWardenError:
        """Record that the backfill failed, and return *error* with a location."""
        error.location = error.location or self.work.migration.at(self.work.migration.upgrade.line)
        await self.backfills.set_state(
            self._key, BackfillState.FAILED, error=f"{error.location}: {error.message}"
        )
        telemetry.emit("backfill_failed", level="error", version=self._key, error=error.message)
        return error

    # -- throttling -------------------------------------------------------------------------

    async def _wait_for_calm(self) -> bool:
        """Wait while others suffer; return whether the backfill is still to run then."""
        waits = 0
        while (reason := await self._reason()) is not None:
            if not waits:
                telemetry.emit("backfill_waits", version=self._key, reason=reason)
            if waits % RECORDED_EVERY == 0:
                await self.backfills.report_waiting(self._key, reason)
            waits += 1
            telemetry.doing(f"backfill {self._key} waits: {reason}")
            await anyio.sleep(CHECKED_EVERY)
            if (await self._row()).state is not BackfillState.RUNNING:
                return False
        if waits:
            telemetry.emit("backfill_goes_on", version=self._key)
        return True

    async def _reason(self) -> str | None:
        now = time.monotonic()
        if now - self._checked < CHECKED_EVERY:
            return None
        if self.pace.pause_when is not None and (reason := await _ask(self.pace.pause_when)):
            return reason
        if self.pace.needs_pressure:
            pressure = await self.backfills.pressure()
            if reason := self.pace.reason_to_wait(pressure):
                return reason
        self._checked = now
        return None

    def _report(self, done: BatchDone, seconds: float) -> None:
        progress = progress_of(done.row)
        telemetry.emit(
            "backfill_batch",
            level="debug",
            version=self._key,
            rows=done.rows,
            done=done.row.rows,
            total=done.row.total and max(done.row.total, done.row.rows),  # an estimate
            duration_ms=round(seconds * 1000, 3),
        )
        telemetry.doing(f"backfill {self._key}: {progress}")
        if done.row.state is BackfillState.DONE:
            telemetry.emit(
                "backfill_done",
                version=self._key,
                rows=done.row.rows,
                duration_ms=round(done.row.active_ms, 3),
            )
        elif time.monotonic() - self._reported >= REPORTED_EVERY:
            self._reported = time.monotonic()
            telemetry.emit(
                "backfill_progress",
                version=self._key,
                rows=done.row.rows,
                total=done.row.total,
                rows_per_second=progress.rows_per_second,
            )


async def _ask(pause_when: PauseWhen) -> str | None:
    """Return the reason of the user's coroutine to wait, if any.

    Raises:
        UsageError: It failed.
    """
    try:
        answer = await pause_when()
    except Exception as error:
        failed = UsageError(
            f"pause_when failed: {describe_error(error)}",
            next_step="Correct the function. The backfill goes on from its cursor when it runs.",
        )
        cause = clean_cause(error)
    else:
        return (answer if isinstance(answer, str) else "pause_when says so") if answer else None
    raise failed from cause
