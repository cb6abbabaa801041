"""Compare a replica with its primary: missing migrations and lag."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import anyio

from dbwarden.config.model import DatabaseConfig
from dbwarden.errors import DBWardenError
from dbwarden.migration_history import LedgerRow, Reading
from dbwarden.operations.operation import read_status
from dbwarden.types import DatabaseName

SHARE = 0.8
"""The share of the replica's time limit that its primary may take to answer."""

StatusReader = Callable[[DatabaseConfig], Awaitable[Reading]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaStatus:
    """A replica compared with its primary.

    ``writable`` means that it accepts writes, so it is not (or no longer) a replica. ``behind``
    lists the migrations that only the primary applied or rolled back so far. ``caught_up`` is
    ``None`` if the primary's history cannot be read, and ``primary_error`` says why.
    ``lag_seconds`` is the age of its data, ``None`` if the server does not know.
    """

    primary: DatabaseName
    writable: bool
    caught_up: bool | None
    behind: tuple[str, ...] = ()
    lag_seconds: float | None = None
    primary_error: str | None = None

    @property
    def clean(self) -> bool:
        """True if it is a replica and not known to be behind."""
        return not (self.writable or self.behind)


async def read_status_with_primary(config: DatabaseConfig) -> tuple[Reading, ReplicaStatus | None]:
    """Read the status of a database and, concurrently, of a replica's primary.

    The status reports a primary that cannot be read in time. In development, both are one
    database.

    Raises:
        ConnectError: The database itself cannot be reached.
    """
    primary = None if config.dev else config.primary
    return await read_with_primary(config, primary, read_status, limit=config.timeout)


async def read_with_primary(
    config: DatabaseConfig,
    primary: DatabaseConfig | None,
    read: StatusReader,
    *,
    limit: float | None,
) -> tuple[Reading, ReplicaStatus | None]:
    """Read the status of a database and, concurrently, that of its *primary*.

    Args:
        config: The database.
        primary: The database of which it is a replica, if any.
        read: Read the status of one database.
        limit: Seconds for both; the primary gets less.

    Raises:
        ConnectError: The database itself cannot be reached.
    """
    if primary is None:
        return await read(config), None
    answers: list[Reading | DBWardenError] = []
    failure: DBWardenError | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(_ask, primary, read, limit, answers)
        try:
            reading = await read(config)
        except DBWardenError as error:
            # Raise it outside of the group, which would wrap it.
            failure = error
            group.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return reading, compare_with_primary(primary.database_name, reading, answers[0])


async def _ask(
    primary: DatabaseConfig,
    read: StatusReader,
    limit: float | None,
    answers: list[Reading | DBWardenError],
) -> None:
    seconds = min(primary.connect_timeout, SHARE * (limit or primary.connect_timeout))
    answer: Reading | DBWardenError = DBWardenError(f"it did not answer within {seconds:g} s")
    with anyio.move_on_after(seconds):
        try:
            answer = await read(primary)
        except DBWardenError as error:
            answer = error
    answers.append(answer)


def compare_with_primary(
    primary: DatabaseName, reading: Reading, answer: Reading | DBWardenError
) -> ReplicaStatus:
    """Compare the reading of a replica with the answer of its primary. Pure."""
    lag = reading.replica.lag_seconds if reading.replica is not None else None
    writable = not reading.read_only
    if isinstance(answer, DBWardenError):
        return ReplicaStatus(
            primary=primary,
            writable=writable,
            caught_up=None,
            lag_seconds=lag,
            primary_error=answer.message,
        )
    behind = differing_keys(answer.rows or (), reading.rows or ())
    return ReplicaStatus(
        primary=primary,
        writable=writable,
        caught_up=not behind,
        behind=behind,
        lag_seconds=lag,
    )


def differing_keys(there: Sequence[LedgerRow], here: Sequence[LedgerRow]) -> tuple[str, ...]:
    """Return the keys whose state differs between the histories, oldest first. Pure."""
    rows = {(row.kind, row.key): _state(row) for row in there if row.live}
    mirrored = {(row.kind, row.key): _state(row) for row in here if row.live}
    return tuple(
        dict.fromkeys(
            item[1] for item in (*rows, *mirrored) if rows.get(item) != mirrored.get(item)
        )
    )


def _state(row: LedgerRow) -> tuple[object, ...]:
    """Return the columns of a row that an update changes."""
    return (row.state, row.step, row.running, row.upgrade_checksum)
