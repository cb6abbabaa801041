"""Define a backfill to run, and the batch that a user's coroutine gets."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dbwarden.dialects.base import Statement, Step
from dbwarden.errors import DBWardenError
from dbwarden.files.backfills import backfill_checksum
from dbwarden.files.lexing import lexis_of
from dbwarden.files.migration import Backfill, Migration, Section
from dbwarden.files.placeholders import BATCH, Filled, fill, placeholders
from dbwarden.migration_history import BackfillRow
from dbwarden.types import Checksum, DialectName

SMALL = 10_000
"""The number of rows up to which ``migrate`` runs a backfill to its end."""

REPLAYED = 2
"""The rows of the first batch in a scratch database, whose tables have a few."""

MOST_LEFT = 1_000_000
"""The number up to which rows that do not satisfy ``until`` are counted."""


@dataclass(frozen=True, slots=True)
class BatchConnection:
    """The transaction of one batch. Parameters are written as the driver does: $1 or ?."""

    _fetch: Callable[[str, Sequence[Any]], Awaitable[Sequence[Mapping[str, Any]]]]
    _execute: Callable[[str, Sequence[Any]], Awaitable[int]]

    async def fetch(self, query: str, *values: Any) -> Sequence[Mapping[str, Any]]:
        """Run *query* and return its rows by the names of their columns.

        Raises:
            StatementFailed: The server refused it.
        """
        return await self._fetch(query, values)

    async def execute(self, query: str, *values: Any) -> int:
        """Run one statement and return the number of rows that it changed.

        Raises:
            StatementFailed: The server refused it.
        """
        return await self._execute(query, values)


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
    batch_placeholders = [
        p for p in placeholders(lexis_of(dialect), statement.text) if p.name == BATCH
    ]
    return fill(statement.text, batch_placeholders, condition)
