"""Report the health of a database. Never raises if the database is down."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dbwarden.config.model import DatabaseConfig
from dbwarden.errors import (
    AccessDenied,
    ConnectError,
    ConnectionLost,
    DatabaseMissing,
    DBWardenError,
    HistoryError,
    LedgerError,
    NotStarted,
    PoolExhausted,
    TimedOut,
    TooManyConnections,
    UsageError,
)
from dbwarden.operations.check import check
from dbwarden.operations.operation import operation
from dbwarden.operations.replicas import ReplicaStatus
from dbwarden.operations.status import StatusResult
from dbwarden.types import DatabaseName

HealthStatus = Literal["ok", "degraded", "error"]

POOL_FULL = "all connections of the pool are in use"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseHealth:
    """The health of one database; its fields, in this order, are the JSON of the endpoint.

    ``connected`` means that the database answers, even if its history cannot be read or the
    application holds all connections of its pool. ``pending_migrations`` and ``lock_active`` are
    ``None`` if unknown. ``error`` is a short sentence without hosts, users or secrets.
    """

    database: DatabaseName
    status: HealthStatus
    connected: bool
    pending_migrations: int | None
    lock_active: bool | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The health of several databases: the worst status, and each database."""

    status: HealthStatus
    databases: tuple[DatabaseHealth, ...]


@operation("health")
async def health(config: DatabaseConfig) -> DatabaseHealth:
    """Return the health of a database: ``ok``, ``degraded`` (differs from files) or ``error``."""
    try:
        result = await check(config)
    except DBWardenError as error:
        return unwell(config.database_name, error)
    return diagnose(result.status)


def diagnose(status: StatusResult, *, pool_full: bool = False) -> DatabaseHealth:
    """Return the health of a database from its status. A running migration is no fault.

    Args:
        status: The status of the database.
        pool_full: The application holds all connections of its pool, so that requests wait.
    """
    reasons = [
        f"{len(keys)} {word}"
        for word, keys in (
            ("pending", status.pending),
            ("changed", status.changed),
            ("missing", status.missing),
            ("partial", status.partial),
        )
        if keys
    ]
    faults = bool(status.changed or status.missing or status.partial)
    replica_problem = _replica_problem(status.replica)
    messages = [f"migrations: {', '.join(reasons)}"] if faults else []
    messages += [replica_problem] if replica_problem else []
    messages += [POOL_FULL] if pool_full else []
    return DatabaseHealth(
        database=status.database,
        status="degraded" if reasons or replica_problem or pool_full else "ok",
        connected=True,
        pending_migrations=len(status.pending),
        lock_active=status.lock_holder is not None,
        error="; ".join(messages) or None,
    )


def _replica_problem(replica: ReplicaStatus | None) -> str | None:
    """Return the problem of a replica, if any; an unreachable primary is none of them."""
    if replica is None or replica.clean:
        return None
    words = ["accepts writes"] if replica.writable else []
    many = len(replica.behind)
    words += [f"{many} migration{'s' if many > 1 else ''} behind"] if many else []
    return f"replica: {', '.join(words)}"


def unwell(database: DatabaseName, error: DBWardenError) -> DatabaseHealth:
    """Return the health of a database that could not be read, without its address."""
    return DatabaseHealth(
        database=database,
        status="error",
        connected=isinstance(error, LedgerError | HistoryError | PoolExhausted),
        pending_migrations=None,
        lock_active=None,
        error=public_sentence(error),
    )


def public_sentence(error: DBWardenError) -> str:
    """Return the kind of failure for the public, without hosts, users or server messages."""
    match error:
        case AccessDenied():
            return "access denied"
        case DatabaseMissing():
            return "the database does not exist"
        case PoolExhausted():
            return POOL_FULL
        case TimedOut():
            return "no answer in time"
        case NotStarted():
            return "not asked in time"
        case TooManyConnections():
            return "all connections of the server are in use"
        case ConnectionLost():
            return "the connection broke"
        case ConnectError():
            return "cannot connect"
        case LedgerError() | HistoryError():
            return "the ledger cannot be read"
        case UsageError():
            return "the configuration or a migration file has an error"
        case _:
            return "the database cannot be read"


def overall(databases: Sequence[DatabaseHealth]) -> Health:
    """Combine the health of several databases; the worst status wins."""
    states = {database.status for database in databases}
    worst: HealthStatus = "ok"
    if "error" in states:
        worst = "error"
    elif "degraded" in states:
        worst = "degraded"
    return Health(status=worst, databases=tuple(databases))
