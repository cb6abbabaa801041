"""Record changes outside of migrations before a run, and the schema after it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from dbwarden import telemetry
from dbwarden.dialects.base import Connection
from dbwarden.errors import ConnectionLost, DBWardenError
from dbwarden.migration_history import DatabaseStatus
from dbwarden.planning.outside_changes import changed_since


async def record_outside_change(connection: Connection, reading: DatabaseStatus) -> None:
    """Record that the schema has changed since the last run, if *reading* shows it.

    Requires the lock, under which *reading* was read.
    """
    row = changed_since(reading.rows or (), reading.fingerprint)
    if row is None or reading.fingerprint is None:
        return
    telemetry.emit("schema_changed_outside", level="warning", after=row.key)
    await connection.record_change(row, reading.fingerprint)


@asynccontextmanager
async def recording_failures(connection: Connection) -> AsyncGenerator[None]:
    """Record the schema if the block fails, because a part of it may have been applied."""
    try:
        yield
    except ConnectionLost:
        raise
    except DBWardenError:
        await connection.record_fingerprint()
        raise
