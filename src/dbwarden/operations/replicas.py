"""Read the status of a replica and, concurrently, that of its primary."""

from collections.abc import Awaitable, Callable

import anyio

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import DBWardenError
from dbwarden.migration_history import DatabaseStatus
from dbwarden.operations.operation import read_status
from dbwarden.planning.replicas import ReplicaStatus, compare_with_primary

SHARE = 0.8
"""The share of the replica's time limit that its primary may take to answer."""

StatusReader = Callable[[DatabaseConfig], Awaitable[DatabaseStatus]]


async def read_status_with_primary(
    config: DatabaseConfig,
) -> tuple[DatabaseStatus, ReplicaStatus | None]:
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
) -> tuple[DatabaseStatus, ReplicaStatus | None]:
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
    answers: list[DatabaseStatus | DBWardenError] = []
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
    answers: list[DatabaseStatus | DBWardenError],
) -> None:
    seconds = min(primary.connect_timeout, SHARE * (limit or primary.connect_timeout))
    answer: DatabaseStatus | DBWardenError = DBWardenError(
        f"it did not answer within {seconds:g} s"
    )
    with anyio.move_on_after(seconds):
        try:
            answer = await read(primary)
        except DBWardenError as error:
            answer = error
    answers.append(answer)
