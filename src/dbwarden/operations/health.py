"""Report the health of a database. Never raises if the database is down."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dbwarden.config.database_options import DatabaseConfig
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
from dbwarden.operations.operation import operation
from dbwarden.operations.status import status_of
from dbwarden.planning.status_result import ProblemSeverity, StatusProblem, StatusResult
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
        return diagnose(await status_of(config))
    except DBWardenError as error:
        return unwell(config.database_name, error)


def diagnose(status: StatusResult, *, pool_full: bool = False) -> DatabaseHealth:
    """Return the health of a database from its status. A running migration is no fault.

    Args:
        status: The status of the database.
        pool_full: The application holds all connections of its pool, so that requests wait.
    """
    sentences = [_migration_faults(status.problems), _replica_problem(status.problems)]
    stuck = [f"{item.key} {item.state}" for item in status.backfills if item.needs_attention]
    sentences += [f"backfills: {', '.join(stuck)}"] if stuck else []
    sentences += [POOL_FULL] if pool_full else []
    return DatabaseHealth(
        database=status.database,
        status="ok" if status.clean and not pool_full else "degraded",
        connected=True,
        pending_migrations=len(status.pending),
        lock_active=status.lock_holder is not None,
        error="; ".join(sentence for sentence in sentences if sentence) or None,
    )


def _migration_faults(problems: Sequence[StatusProblem]) -> str | None:
    """Count the migrations with problems, if one is a fault; pending ones alone are none."""
    if all(problem.severity is not ProblemSeverity.FAULT for problem in problems):
        return None
    counted = ("pending", "changed", "missing", "partial", "contracted")
    counts = [f"{len(each.keys)} {each.code}" for each in problems if each.code in counted]
    return f"migrations: {', '.join(counts)}"


def _replica_problem(problems: Sequence[StatusProblem]) -> str | None:
    """Describe the problems of a replica; an unreachable primary is none."""
    keys = {problem.code: problem.keys for problem in problems}
    words = ["accepts writes"] if "replica_writable" in keys else []
    if count := len(keys.get("replica_behind", ())):
        words.append(f"{count} migration{'s' if count > 1 else ''} behind")
    return f"replica: {', '.join(words)}" if words else None


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


_SENTENCES: tuple[tuple[type[DBWardenError], str], ...] = (
    (AccessDenied, "access denied"),
    (DatabaseMissing, "the database does not exist"),
    (PoolExhausted, POOL_FULL),
    (TimedOut, "no answer in time"),
    (NotStarted, "not asked in time"),
    (TooManyConnections, "all connections of the server are in use"),
    (ConnectionLost, "the connection broke"),
    (ConnectError, "cannot connect"),
    (LedgerError, "the ledger cannot be read"),
    (HistoryError, "the ledger cannot be read"),
    (UsageError, "the configuration or a migration file has an error"),
)
"""The kinds of failures; the first that fits counts."""


def public_sentence(error: DBWardenError) -> str:
    """Return the kind of failure for the public, without hosts, users or server messages."""
    fitting = (sentence for kind, sentence in _SENTENCES if isinstance(error, kind))
    return next(fitting, "the database cannot be read")


def overall(databases: Sequence[DatabaseHealth]) -> Health:
    """Combine the health of several databases; the worst status wins."""
    states = {database.status for database in databases}
    order: tuple[HealthStatus, ...] = ("error", "degraded")
    worst: HealthStatus = next((status for status in order if status in states), "ok")
    return Health(status=worst, databases=tuple(databases))
