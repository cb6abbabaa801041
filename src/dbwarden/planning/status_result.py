"""Judge one database from its files, its migration history, its lock and its primary. Pure.

`status`, `check`, the health endpoint and an application's start all present this judgement.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal

from dbwarden.files.migration import Migration
from dbwarden.migration_history import DatabaseStatus, LedgerRow, LockHolder
from dbwarden.planning.backfill_progress import BackfillProgress, progress_of
from dbwarden.planning.comparing import HistoryComparison
from dbwarden.planning.gating import waiting_for_backfills
from dbwarden.planning.phases import is_post
from dbwarden.planning.replicas import ReplicaStatus
from dbwarden.types import DatabaseName

ProblemCode = Literal[
    "pending",
    "changed",
    "missing",
    "partial",
    "out_of_order",
    "replica_writable",
    "replica_behind",
    "waiting",
    "backfill",
    "post",
    "contracted",
    "locked",
]


class ProblemSeverity(Enum):
    """The consequences of a problem."""

    NOTE = auto()
    """Work in progress: the database is healthy."""
    WARNING = auto()
    """The database is degraded, but an application can start."""
    LATE = auto()
    """The database is degraded, and an application starts only if it accepts older schemas."""
    FAULT = auto()
    """The database is degraded, and no application starts."""


_SEVERITIES: dict[ProblemCode, ProblemSeverity] = {
    "pending": ProblemSeverity.LATE,
    "changed": ProblemSeverity.FAULT,
    "missing": ProblemSeverity.FAULT,
    "partial": ProblemSeverity.FAULT,
    "out_of_order": ProblemSeverity.LATE,
    "replica_writable": ProblemSeverity.WARNING,  # promoted: applications start after a failover
    "replica_behind": ProblemSeverity.LATE,
    "waiting": ProblemSeverity.WARNING,  # its file says that it comes later
    "backfill": ProblemSeverity.WARNING,
    "post": ProblemSeverity.NOTE,
    "contracted": ProblemSeverity.FAULT,
    "locked": ProblemSeverity.NOTE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusProblem:
    """One disagreement of a database with its files or its primary, or its lock.

    ``keys`` are the history keys of the migrations concerned.
    """

    code: ProblemCode
    keys: tuple[str, ...] = ()

    @property
    def severity(self) -> ProblemSeverity:
        """The consequences of this problem."""
        return _SEVERITIES[self.code]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusResult:
    """The status of one database.

    ``version`` is the newest applied version (``"0007"``), if any. The tuples hold history keys (a
    version, or the name of a repeatable migration) in the order in which migrations run.
    ``repeatables`` run with every migrate and never count as pending. ``replica`` compares
    a replica with its primary. ``waiting`` are the pending migrations that wait for one of the
    ``backfills``, which are those that have not ended. ``post`` are the pending migrations that run
    after the deployment; ``contracted`` are those among ``ahead`` that ran after the deployment of
    a newer version, so that what this version uses may be gone. ``goes_on_with`` is the command
    that finishes a partial migration; ``None`` if there is none, or if the history needs a repair
    first.
    """

    database: DatabaseName
    version: str | None
    applied: tuple[str, ...]
    pending: tuple[str, ...]
    repeatables: tuple[str, ...]
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    partial: tuple[str, ...]
    out_of_order: tuple[str, ...]
    ahead: tuple[str, ...]
    lock_holder: LockHolder | None
    server_version: str
    replica: ReplicaStatus | None = None
    goes_on_with: Literal["migrate", "rollback"] | None = None
    waiting: tuple[str, ...] = ()
    backfills: tuple[BackfillProgress, ...] = ()
    post: tuple[str, ...] = ()
    contracted: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[StatusProblem, ...]:
        """The problems of the database. Being ahead of the files is none."""
        # A replica gets migrations from its primary, so missing ones are a single problem.
        replica = self.replica
        behind = replica.behind if replica is not None else ()
        concerned: tuple[tuple[ProblemCode, tuple[str, ...]], ...] = (
            (
                "pending",
                tuple(k for k in self.pending if k not in self.waiting and k not in self.post),
            ),
            ("waiting", tuple(key for key in self.waiting if key not in self.post)),
            ("post", self.post),
            ("contracted", self.contracted),
            ("changed", self.changed),
            ("missing", self.missing),
            ("partial", self.partial),
            ("out_of_order", self.out_of_order),
        )
        problems = [
            StatusProblem(code=code, keys=own)
            for code, keys in concerned
            if (own := tuple(key for key in keys if key not in behind))
        ]
        if stuck := tuple(item.key for item in self.backfills if item.needs_attention):
            problems.append(StatusProblem(code="backfill", keys=stuck))
        if replica is not None and replica.writable:
            problems.append(StatusProblem(code="replica_writable"))
        if behind:
            problems.append(StatusProblem(code="replica_behind", keys=behind))
        if self.lock_holder is not None:
            problems.append(StatusProblem(code="locked"))
        return tuple(problems)

    @property
    def clean(self) -> bool:
        """True if there is nothing to do and nothing in doubt. Being ahead is clean."""
        return all(problem.severity is ProblemSeverity.NOTE for problem in self.problems)


def judge(
    database: DatabaseName,
    history: HistoryComparison,
    reading: DatabaseStatus,
    *,
    replica: ReplicaStatus | None = None,
    goes_on_with: Literal["migrate", "rollback"] | None = None,
) -> StatusResult:
    """Judge *database*.

    Args:
        database: The name of the database.
        history: Its files compared with its migration history.
        reading: The reading of which *history* has the rows; it tells who holds the lock.
        replica: The comparison of a replica with its primary.
        goes_on_with: The command that finishes a partial migration.
    """
    return StatusResult(
        database=database,
        version=history.version,
        applied=_keys([item.row for item in history.applied]),
        pending=_keys([item for item in history.pending if not item.always]),
        repeatables=_keys([item for item in history.pending if item.always]),
        changed=_keys([item.row for item in history.changed]),
        missing=_keys(history.missing),
        partial=_keys([row for row, _ in history.partial]),
        out_of_order=_keys(history.out_of_order),
        ahead=_keys(history.ahead),
        lock_holder=reading.holder,
        server_version=reading.server_version,
        replica=replica,
        goes_on_with=goes_on_with,
        waiting=_keys(waiting_for_backfills(history)) if history.backfilling else (),
        backfills=tuple(progress_of(row) for row in reading.backfills),
        post=_keys([item for item in history.pending if is_post(item)]),
        contracted=_keys([row for row in history.ahead if row.phase == "post"]),
    )


def _keys(items: Sequence[LedgerRow | Migration]) -> tuple[str, ...]:
    return tuple([item.key for item in items]) if items else ()
