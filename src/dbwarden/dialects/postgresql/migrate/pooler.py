"""Is there a pooler between us and the server, and does it hand our session to others?

A migrator needs one session from beginning to end: the lock belongs to it. A pooler in transaction
mode gives each transaction to any session, so that two migrators could hold "the" lock.
"""

import anyio

from dbwarden.dialects.postgresql.migrate.session import ServerRefused, Session
from dbwarden.errors import ConnectionLost, PoolerDetected
from dbwarden.types import DatabaseName

_PID = "SELECT pg_backend_pid()::text"


def is_behind_pooler(session: Session, backend_pid: int) -> bool:
    """Whether the process that answers is another than the one that greeted us."""
    return backend_pid != session.backend_pid


async def shares_sessions(session: Session) -> bool:
    """Whether others can get the session that we have, as in PgBouncer's transaction mode.

    A second connection opens a transaction. If it gets the process that we had just now, or
    leaves us with another one, ours was not ours.
    """
    first = await session.value(_PID)
    other = await session.open_second()
    try:
        await other.send("BEGIN")
        if await other.value(_PID) == first:
            return True
        return await session.value(_PID) != first
    except (ConnectionLost, ServerRefused):
        return True  # in its statement mode it ends who begins a transaction
    finally:
        with anyio.CancelScope(shield=True):
            await other.close()


def pooler_detected(database: DatabaseName) -> PoolerDetected:
    """The error for a migrator that a transaction pooler stands before."""
    return PoolerDetected(
        "a connection pooler in transaction mode stands between: its sessions are shared, and "
        "the lock that keeps other migrators out would be shared too",
        database=database,
        next_step="Give the way past it as migration_url= in its database_config; reading "
        "(status, check, health) works through the pooler.",
    )
