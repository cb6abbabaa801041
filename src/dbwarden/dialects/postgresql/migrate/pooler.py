"""Detect a pooler that shares our session with other clients.

A migrator needs one session from beginning to end, because the lock belongs to the session. A
pooler in transaction mode assigns each transaction to any session, so that two migrators could
hold the lock at once.
"""

import anyio

from dbwarden.dialects.postgresql.migrate.session import ServerRefused, Session
from dbwarden.errors import ConnectionLost, PoolerDetected
from dbwarden.types import DatabaseName

_PID = "SELECT pg_backend_pid()::text"


async def shares_sessions(session: Session) -> bool:
    """Return whether other clients can get our session, as in PgBouncer's transaction mode.

    A second connection opens a transaction. The session is shared if that connection gets our
    previous server process, or if we get another one.
    """
    first = await session.value(_PID)
    other = await session.open_second()
    try:
        await other.send("BEGIN")
        if await other.value(_PID) == first:
            return True
        return await session.value(_PID) != first
    except (ConnectionLost, ServerRefused):
        return True  # in statement mode the pooler closes a connection that begins a transaction
    finally:
        with anyio.CancelScope(shield=True):
            await other.close()


def pooler_detected(database: DatabaseName) -> PoolerDetected:
    """Return the error for migrating through a transaction pooler."""
    return PoolerDetected(
        "the connection goes through a pooler in transaction mode, which would share the "
        "migration lock with other clients",
        database=database,
        next_step="Set migration_url= in its database_config to the server itself; reading "
        "(status, check, health) works through the pooler.",
    )
