"""Run backfills that ``migrate`` started, and show, pause, resume or cancel them."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio

from dbwarden import telemetry
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.backfill.running import Backfills
from dbwarden.errors import ConnectError, ConnectionLost, HistoryError, UsageError
from dbwarden.files.migration import Migration
from dbwarden.files.naming import parse_version
from dbwarden.migration_history import BackfillRow, BackfillState, DatabaseStatus
from dbwarden.operations.backfill_runner import BackfillRunner, work_of
from dbwarden.operations.operation import (
    dialect_of,
    migration_files,
    operation,
    read_status,
    refuse_read_only,
)
from dbwarden.operations.pacing import MAX_LAG, MAX_LOCK_WAITS, Pace, PauseWhen
from dbwarden.planning.backfill_progress import BackfillProgress, progress_of
from dbwarden.types import DatabaseName, format_version

RECONNECTED_FOR = 120.0
"""Seconds for which a runner whose connection broke tries to connect again."""

RECONNECT_PAUSE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillResult:
    """The backfills of one database, in the order of their versions."""

    database: DatabaseName
    backfills: tuple[BackfillProgress, ...]

    @property
    def clean(self) -> bool:
        """True if all of them are done."""
        return all(item.state == BackfillState.DONE for item in self.backfills)


@operation("backfill", timed=False)
async def backfill(
    config: DatabaseConfig,
    *,
    key: str | None = None,
    target: float | None = None,
    rate: float | None = None,
    max_lag: float | None = MAX_LAG,
    max_lock_waits: int | None = MAX_LOCK_WAITS,
    pause_when: PauseWhen | None = None,
) -> BackfillResult:
    """Run the backfills of one database to their end, one after the other.

    ``migrate`` starts them.

    Several processes may run the same backfill. Whatever is killed, each batch is applied exactly
    once. Paused, cancelled and failed backfills are not run. There is no time limit.

    Args:
        config: The database, its name, or ``None`` for the default one.
        key: The version of the only backfill to run (``"7"`` or ``"0007"``).
        target: The seconds that a batch should take; its rows are adapted to that. ``None`` for
            what the file says, or half a second.
        rate: The maximum number of rows per second.
        max_lag: Wait while a replica lags behind by more seconds; ``None`` for no limit.
        max_lock_waits: Wait while more sessions wait for locks; ``None`` for no limit.
        pause_when: A coroutine function; wait while it returns true, or a reason as text.

    Raises:
        UsageError: There is no such backfill, or a number is not positive.
        HistoryError: The file was edited or is gone.
        StatementFailed: A batch failed; the backfill is not run again until it is resumed.
    """
    pace = Pace(
        target=target,
        rate=rate,
        max_lag=max_lag,
        max_lock_waits=max_lock_waits,
        pause_when=pause_when,
    )
    pace.check()
    files = await _backfill_files(config)
    chosen = _find(config, await read_status(config), key)
    ended = [
        await _run(config, _file_of(config, files, row), pace)
        if row.state is BackfillState.RUNNING
        else row
        for row in chosen
    ]
    return _result(config, ended)


async def _backfill_files(config: DatabaseConfig) -> Mapping[str, Migration]:
    files = await migration_files(config)
    return {item.key: item for item in files if item.backfill is not None}


def _find(
    config: DatabaseConfig, reading: DatabaseStatus, key: str | None
) -> Sequence[BackfillRow]:
    """Return the unfinished backfills, or the one with *key*.

    Raises:
        UsageError: There is none with *key*.
    """
    rows = sorted(reading.backfills, key=lambda row: row.key)
    if key is None:
        return rows
    wanted = format_version(parse_version(key))
    found = [row for row in rows if row.key == wanted]
    if not found:
        there = ", ".join(row.key for row in rows) or "none"
        name = config.database_name
        raise UsageError(
            f"{wanted} is no unfinished backfill; unfinished: {there}",
            database=name,
            next_step=f"dbwarden migrate -d {name} starts a backfill. Those that have ended are "
            f"listed by: dbwarden backfill status -d {name}",
        )
    return found


def _file_of(config: DatabaseConfig, files: Mapping[str, Migration], row: BackfillRow) -> Migration:
    if row.key in files:
        return files[row.key]
    raise HistoryError(
        f"the file of the backfill {row.key} is gone, or is no backfill any more",
        next_step="Restore the file, or give the backfill up with: "
        f"dbwarden backfill cancel {row.key} -d {config.database_name}",
    )


async def _run(config: DatabaseConfig, migration: Migration, pace: Pace) -> BackfillRow:
    """Run one backfill, and connect again if the connection breaks or the server restarts."""
    work = await work_of(config, migration)
    last = 0
    broken: ConnectError | ConnectionLost | None = None
    give_up = anyio.current_time() + RECONNECTED_FOR
    while True:
        try:
            async with _opened(config) as backfills:
                row = await _row(config, backfills, migration.key)
                if row.batches > last:
                    last, give_up = row.batches, anyio.current_time() + RECONNECTED_FOR
                runner = BackfillRunner(backfills, config, work, pace)
                return await runner.run(row)
        except (ConnectError, ConnectionLost) as error:
            broken = error
        if anyio.current_time() >= give_up:
            raise broken
        telemetry.emit(
            "backfill_reconnects", level="warning", version=migration.key, error=broken.message
        )
        await anyio.sleep(RECONNECT_PAUSE)


@asynccontextmanager
async def _opened(config: DatabaseConfig) -> AsyncGenerator[Backfills]:
    async with dialect_of(config).connect(config) as connection:
        refuse_read_only(config, await connection.read())
        yield await connection.backfills()


async def _row(config: DatabaseConfig, backfills: Backfills, key: str) -> BackfillRow:
    for row in await backfills.read():
        if row.key == key:
            return row
    raise HistoryError(f"the backfill {key} was rolled back meanwhile")


@operation("backfill_status")
async def backfill_status(config: DatabaseConfig) -> BackfillResult:
    """Return the progress of all backfills of one database, including those that have ended."""
    async with dialect_of(config).connect(config, read_only=True) as connection:
        reading = await connection.read()
        rows = await (await connection.backfills()).read() if reading.rows is not None else ()
    return _result(config, rows)


def _result(config: DatabaseConfig, rows: Sequence[BackfillRow]) -> BackfillResult:
    ordered = sorted(rows, key=lambda row: row.key)
    return BackfillResult(
        database=config.database_name, backfills=tuple(progress_of(row) for row in ordered)
    )


@operation("backfill_pause")
async def backfill_pause(config: DatabaseConfig, *, key: str | None = None) -> BackfillResult:
    """Pause running backfills after their current batch; *key* names the only one."""
    return await _change(config, key, BackfillState.PAUSED)


@operation("backfill_cancel")
async def backfill_cancel(config: DatabaseConfig, *, key: str | None = None) -> BackfillResult:
    """Give up unfinished backfills; what their batches changed remains.

    Migrations that require one of them wait until it is resumed and done, or rolled back.
    """
    return await _change(config, key, BackfillState.CANCELLED)


@operation("backfill_resume")
async def backfill_resume(
    config: DatabaseConfig,
    *,
    key: str | None = None,
    restart: bool = False,
    accept: bool = False,
) -> BackfillResult:
    """Let paused, failed or cancelled backfills run again, from their cursor.

    It runs no batch; ``backfill`` does, in this or another process.

    Args:
        config: The database, its name, or ``None`` for the default one.
        key: The version of the only backfill to resume.
        restart: Begin again with the first row, with the file as it is now.
        accept: Go on from the cursor with the file as it is now.

    Raises:
        UsageError: There is no such backfill; or *restart* and *accept* are given without *key*.
    """
    if (restart or accept) and key is None:
        raise UsageError("--restart and --accept need the version of the backfill")
    if restart and accept:
        raise UsageError("--restart and --accept exclude each other", next_step="Give one of them.")
    return await _change(config, key, BackfillState.RUNNING, restart=restart, accept=accept)


async def _change(
    config: DatabaseConfig,
    key: str | None,
    state: BackfillState,
    *,
    restart: bool = False,
    accept: bool = False,
) -> BackfillResult:
    files = await _backfill_files(config)
    async with dialect_of(config).connect(config) as connection:
        reading = await connection.read()
        chosen = _find(config, reading, key)
        refuse_read_only(config, reading)
        backfills = await connection.backfills()
        for row in chosen:
            if restart or accept:
                work = await work_of(config, _file_of(config, files, row))
                await backfills.restart(work, keep_cursor=accept)
            elif row.state is not state and (
                row.state is BackfillState.RUNNING or state is not BackfillState.PAUSED
            ):
                await backfills.set_state(row.key, state)
        wanted = {row.key for row in chosen}
        rows = [row for row in await backfills.read() if row.key in wanted]
    return _result(config, rows)
