"""Define what a database kind does for backfills, and the batch that a user's coroutine gets.

A backfill runs in batches. The transaction of each batch locks the backfill's row, reads its
cursor, changes the rows of the batch and moves the cursor. So each batch is applied exactly once,
even with several runners, and whatever is killed.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from dbwarden.dialects.base import PendingMigration, Statement, Step
from dbwarden.errors import DBWardenError, HistoryError, MigrationFileError, StatementFailed
from dbwarden.files.backfills import advise_on_edited_backfill, backfill_checksum
from dbwarden.files.lexing import lexis_of
from dbwarden.files.migration import Backfill, Migration, Section
from dbwarden.files.placeholders import BATCH, Filled, fill, placeholders
from dbwarden.migration_history import BackfillRow, BackfillState
from dbwarden.types import Checksum, DatabaseName, DialectName

SMALL = 10_000
"""The number of rows up to which ``migrate`` runs a backfill to its end."""

REPLAYED = 2
"""The rows of the first batch in a scratch database, whose tables have a few."""

MOST_LEFT = 1_000_000
"""The number up to which rows that do not satisfy ``until`` are counted."""

FRESH: Mapping[str, int | float | None] = {
    "cycle": 1,
    "cursor": None,
    "last_key": None,
    "rows_done": 0,
    "rows_left": None,
    "batches": 0,
    "batch_size": 0,
    "active_ms": 0.0,
    "waiting": None,
    "error": None,
    "finished_at": None,
}
"""The columns of ``dbwarden_backfill`` where a backfill begins, or begins again."""


class BatchConnection(Protocol):
    """The transaction of one batch. Parameters are written as the driver does: $1 or ?."""

    async def fetch(self, query: str, *values: Any) -> Sequence[Mapping[str, Any]]:
        """Run *query* and return its rows by the names of their columns.

        Raises:
            StatementFailed: The server refused it.
        """
        ...

    async def execute(self, query: str, *values: Any) -> int:
        """Run one statement and return the number of rows that it changed.

        Raises:
            StatementFailed: The server refused it.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The rows that a user's coroutine is to change: ``f"SELECT ... WHERE {batch}"``.

    ``connection`` is the transaction of the batch: it commits what it changes together with the
    cursor, or neither. ``rows`` is the number of rows, ``number`` counts the batches from 1.
    """

    connection: BatchConnection
    condition: str
    rows: int
    number: int

    def __str__(self) -> str:
        return self.condition


Apply = Callable[[Batch], Awaitable[None]]
"""The ``upgrade`` of a backfill in Python."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillWork:
    """A backfill to run: its file, and its statements or its coroutine."""

    migration: Migration
    statements: tuple[Statement, ...] = ()
    apply: Apply | None = None

    @property
    def backfill(self) -> Backfill:
        """The options of the backfill."""
        assert self.migration.backfill is not None
        return self.migration.backfill

    @property
    def checksum(self) -> Checksum:
        """The checksum for ``BackfillRow.checksum``."""
        return backfill_checksum(self.migration)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDone:
    """A batch that was committed: the row of its backfill afterwards, and its rows.

    ``busy`` are the seconds that its statements took, in which its rows were locked, without the
    distance to the server: waiting for that is no reason for a smaller batch.
    """

    row: BackfillRow
    rows: int = 0
    busy: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressure:
    """What others suffer now: the lag of the slowest replica, and sessions that wait for a lock.

    ``lag_seconds`` is ``None`` if there is no replica, or if its lag is unknown.
    """

    lag_seconds: float | None = None
    lock_waits: int = 0


class BatchRefused(Exception):
    """A batch was rolled back and may be tried again. Internal.

    ``too_long`` means that it exceeded its time limit, so that it has to be smaller.
    """

    def __init__(self, error: DBWardenError, *, too_long: bool = False) -> None:
        """Store the error to raise if it is not tried again."""
        self.error = error
        self.too_long = too_long
        super().__init__(str(error))


class Backfills(Protocol):
    """The backfills of one database, over one connection.

    ``breath`` are the seconds between two batches in which others can write. ``share`` is the
    share of a table's rows that one batch may lock.
    """

    breath: float
    share: float

    async def read(self) -> tuple[BackfillRow, ...]:
        """Return the rows of all backfills, oldest first."""
        ...

    async def start(self, pending: PendingMigration, work: BackfillWork) -> BackfillRow:
        """Record in the ledger that a backfill has started. Requires the migration lock.

        Raises:
            MigrationFileError: Its table does not exist, or has no usable unique key.
        """
        ...

    async def run_batch(self, work: BackfillWork, size: int, limit: float) -> BatchDone:
        """Run the next batch of *size* rows, or finish the backfill after the last one.

        Nothing is done if its state is not ``running``.

        Args:
            work: The backfill.
            size: The number of rows.
            limit: Seconds after which the server stops a statement.

        Raises:
            BatchRefused: A lock, a conflict or the time limit stopped it.
            StatementFailed: It failed; nothing of the batch remains.
            MigrationFileError: Its table does not exist any more, or the file was edited.
        """
        ...

    async def set_state(self, key: str, state: BackfillState, *, error: str | None = None) -> None:
        """Set the state of a backfill that has not ended."""
        ...

    async def restart(self, work: BackfillWork, *, keep_cursor: bool) -> None:
        """Accept the file of *work* as it is now, and begin again unless *keep_cursor*."""
        ...

    async def report_waiting(self, key: str, reason: str | None) -> None:
        """Record why the runner of a backfill waits now."""
        ...

    async def pressure(self) -> Pressure:
        """Return what others suffer now."""
        ...


Condition = Callable[[str | None], str]
"""The condition of a batch for the alias of its table, if it has one."""


def whole_table(
    dialect: DialectName, migration: Migration, section: Section, steps: Sequence[Step]
) -> Sequence[Step]:
    """Return the *steps* of a section as SQL for all rows, if it has placeholders of batches."""
    if migration.backfill is None or section is not migration.upgrade:
        return steps

    lexis = lexis_of(dialect)

    def whole(text: str) -> str:
        return fill(text, list(placeholders(lexis, text)), lambda alias: "TRUE").text

    return [
        replace(
            step,
            text=whole(step.text),
            statements=tuple(replace(each, text=whole(each.text)) for each in step.statements),
        )
        for step in steps
    ]


def filled(dialect: DialectName, statement: Statement, condition: Condition) -> Filled:
    """Return *statement* with the *condition* of a batch."""
    found = [p for p in placeholders(lexis_of(dialect), statement.text) if p.name == BATCH]
    return fill(statement.text, found, condition)


def no_table(work: BackfillWork, database: DatabaseName) -> MigrationFileError:
    """Return the error for a backfill whose table does not exist."""
    return MigrationFileError(
        f"the backfill's table {work.backfill.table} does not exist",
        database=database,
        location=work.migration.at(work.backfill.line),
        next_step="Correct -- table in the header. If the table was dropped, give the backfill up "
        f"with: dbwarden backfill cancel {work.migration.key} -d {database}",
    )


def no_key(work: BackfillWork, database: DatabaseName) -> MigrationFileError:
    """Return the error for a table whose rows have no order."""
    return MigrationFileError(
        f"the table {work.backfill.table} has no primary key and no unique key of columns that "
        "are NOT NULL, so that it cannot be walked in batches",
        database=database,
        location=work.migration.at(work.backfill.line),
        next_step="Add a key to the table in a migration before this one.",
    )


def no_cycle_left(
    work: BackfillWork, cycle: int, left: int, database: DatabaseName
) -> StatementFailed:
    """Return the error for *left* rows that do not satisfy ``until`` however often it runs."""
    return StatementFailed(
        f"{left} rows do not satisfy -- until: {work.backfill.until}, and cycle {cycle} over "
        "the table did not make them fewer",
        database=database,
        location=work.migration.at(work.backfill.until_line),
        next_step="Correct the condition or the SQL, or find out what adds such rows; then run: "
        f"dbwarden backfill resume {work.migration.key} -d {database} --accept",
    )


def bad_until(work: BackfillWork, message: str, database: DatabaseName) -> StatementFailed:
    """Return the error for a condition ``until`` that the server refused."""
    return StatementFailed(
        f"the condition -- until: {work.backfill.until} is refused: {message}",
        database=database,
        location=work.migration.at(work.backfill.until_line),
        next_step="Correct it. It is a condition on the columns of the table.",
    )


def rolled_back(work: BackfillWork, database: DatabaseName) -> HistoryError:
    """Return the error for a backfill that was rolled back while it ran."""
    return HistoryError(
        f"the backfill {work.migration.key} was rolled back while it ran",
        database=database,
        next_step=f"Apply it again with: dbwarden migrate -d {database}",
    )


def edited(work: BackfillWork, row: BackfillRow, database: DatabaseName) -> HistoryError:
    """Return the error for a file that was edited after its backfill had started."""
    at = f"after {row.rows} rows" if row.rows else "before its first row"
    return HistoryError(
        f"the file was edited while its backfill is unfinished ({at})",
        database=database,
        location=work.migration.at(work.migration.upgrade.line),
        next_step=advise_on_edited_backfill(work.migration.key, database),
    )


def backfill_row(row: Mapping[str, Any]) -> BackfillRow:
    """Convert a row of ``dbwarden_backfill``, whose keys are JSON and times ISO 8601."""
    return BackfillRow(
        key=row["key"],
        table=row["table_name"],
        columns=tuple(json.loads(row["columns"])),
        types=tuple(json.loads(row["types"])),
        checksum=Checksum(row["checksum"]),
        state=BackfillState(row["state"]),
        cycle=row["cycle"],
        cursor=_key(row["cursor"]),
        last_key=_key(row["last_key"]),
        rows=row["rows_done"],
        total=row["rows_total"],
        left=row["rows_left"],
        batches=row["batches"],
        batch_size=row["batch_size"],
        active_ms=row["active_ms"],
        waiting=row["waiting"],
        error=row["error"],
        application=row["application"],
        host=row["host"],
        pid=row["pid"],
        started_at=_time(row["started_at"]),
        updated_at=_time(row["updated_at"]),
        finished_at=_time(row["finished_at"]) if row["finished_at"] else None,
    )


def _key(text: str | None) -> tuple[str, ...] | None:
    return tuple(json.loads(text)) if text is not None else None


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
