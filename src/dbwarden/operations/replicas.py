"""A replica beside its primary: what has not arrived yet, and how late it is."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import anyio

from dbwarden.config.model import DatabaseConfig
from dbwarden.errors import DBWardenError
from dbwarden.history import LedgerRow, Reading
from dbwarden.operations.operation import look
from dbwarden.types import DatabaseName

SHARE = 0.8
"""How much of the replica's own time limit its primary may take to answer."""

Look = Callable[[DatabaseConfig], Awaitable[Reading]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaStatus:
    """What is known of a replica beside its own ledger.

    ``writable`` says that it takes writes, so it is no replica (any more). ``behind`` has the keys
    of what the primary applied or rolled back and this one did not yet; ``caught_up`` is ``None``
    where the primary's ledger cannot be read, and ``primary_error`` says why. ``lag_seconds`` is
    how long ago what it shows was true, ``None`` where the server can't say.
    """

    primary: DatabaseName
    writable: bool
    caught_up: bool | None
    behind: tuple[str, ...] = ()
    lag_seconds: float | None = None
    primary_error: str | None = None

    @property
    def clean(self) -> bool:
        """Whether it is a replica and nothing is known to be missing."""
        return not (self.writable or self.behind)


async def look_with_primary(config: DatabaseConfig) -> tuple[Reading, ReplicaStatus | None]:
    """Look at a database; at a replica together with its primary, at the same time.

    A primary that cannot be read in time is told of in the status. In development both are one
    database.

    Raises:
        ConnectError: The database itself cannot be reached.
    """
    primary = None if config.dev else config.primary
    return await look_beside(config, primary, look, limit=config.timeout)


async def look_beside(
    config: DatabaseConfig, primary: DatabaseConfig | None, look: Look, *, limit: float | None
) -> tuple[Reading, ReplicaStatus | None]:
    """Look at a database, with *look*, and at *primary* at the same time where there is one.

    Args:
        config: The database.
        primary: The one of which it is a replica.
        look: How a database is looked at.
        limit: Seconds that the whole may take, so that the primary gets less.

    Raises:
        ConnectError: The database itself cannot be reached.
    """
    if primary is None:
        return await look(config), None
    answers: list[Reading | DBWardenError] = []
    failure: DBWardenError | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(_ask, primary, look, limit, answers)
        try:
            reading = await look(config)
        except DBWardenError as error:
            # Kept to be raised outside, where no group is wrapped around it.
            failure = error
            group.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return reading, compare_with_primary(primary.database_name, reading, answers[0])


async def _ask(
    primary: DatabaseConfig,
    look: Look,
    limit: float | None,
    answers: list[Reading | DBWardenError],
) -> None:
    seconds = min(primary.connect_timeout, SHARE * (limit or primary.connect_timeout))
    answer: Reading | DBWardenError = DBWardenError(f"it did not answer within {seconds:g} s")
    with anyio.move_on_after(seconds):
        try:
            answer = await look(primary)
        except DBWardenError as error:
            answer = error
    answers.append(answer)


def compare_with_primary(
    primary: DatabaseName, reading: Reading, answer: Reading | DBWardenError
) -> ReplicaStatus:
    """The status of a replica, from its own reading and its primary's answer. Pure."""
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
    behind = differing(answer.rows or (), reading.rows or ())
    return ReplicaStatus(
        primary=primary,
        writable=writable,
        caught_up=not behind,
        behind=behind,
        lag_seconds=lag,
    )


def differing(there: Sequence[LedgerRow], here: Sequence[LedgerRow]) -> tuple[str, ...]:
    """The keys whose state is not the same in both ledgers, oldest first. Pure."""
    rows = {(row.kind, row.key): _state(row) for row in there if row.live}
    own = {(row.kind, row.key): _state(row) for row in here if row.live}
    return tuple(
        dict.fromkeys(item[1] for item in (*rows, *own) if rows.get(item) != own.get(item))
    )


def _state(row: LedgerRow) -> tuple[object, ...]:
    """What tells that a row is as its primary's: an update gives the same row another of these."""
    return (row.state, row.step, row.running, row.upgrade_checksum)
