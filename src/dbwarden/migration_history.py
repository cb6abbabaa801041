"""Define the rows of the migration history. Pure; the dialects hold the SQL.

A row describes one migration. It is never deleted, because a rollback marks it ``rolled_back``;
so the table is also the history of who did what and when. At most one row of a migration is
*live* (in any other state), which a unique index in every dialect guarantees.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from dbwarden.types import LONGEST_NAME, Checksum

DEFAULT_TABLE = "dbwarden_ledger"
FORMAT = 1
"""The newest format of a row. Tables of dbwarden 0.1 have no column ``format``, and that is 1."""


def check_format(found: int) -> None:
    """Refuse a row that only a newer dbwarden understands.

    Raises:
        ValueError: The format is newer than :data:`FORMAT`.
    """
    if found > FORMAT:
        raise ValueError(f"its format is {found}, and this dbwarden knows formats up to {FORMAT}")


def backfill_table(ledger_table: str) -> str:
    """Return the name of the table with the progress of backfills, next to the ledger's."""
    suffix = "_backfill"
    if ledger_table == DEFAULT_TABLE:
        return "dbwarden_backfill"
    return ledger_table.encode()[: LONGEST_NAME - len(suffix)].decode(errors="ignore") + suffix


class HistoryKind(StrEnum):
    """The kind of a migration."""

    VERSIONED = "versioned"
    ALWAYS = "repeatable_always"
    ON_CHANGE = "repeatable_on_change"


class State(StrEnum):
    """The state of a migration.

    ``upgrading`` and ``rolling_back`` occur between the steps of a migration with statements
    outside a transaction: ``step`` of them are done, ``running`` is the statement in progress.
    ``backfilling`` is a backfill that was started and has not ended; its progress is in the table
    of backfills.
    """

    APPLIED = "applied"
    UPGRADING = "upgrading"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    BACKFILLING = "backfilling"


class BackfillState(StrEnum):
    """The state of a backfill that was started. Only ``running`` ones are carried on."""

    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    FAILED = "failed"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillRow:
    """The progress of one backfill.

    ``columns`` are those of the unique key that orders the rows, ``types`` their types as the
    server writes them. ``cursor`` is the key of the last row that is done, ``last_key`` that of the
    last row of this ``cycle`` over the table, each as texts. ``rows`` are done of about ``total``.
    ``left`` is the number of rows that did not satisfy ``until`` after the cycle before this one.
    ``active_ms`` is the time for which it ran. ``waiting`` says why the runner waits now.
    """

    key: str
    table: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    checksum: Checksum
    state: BackfillState
    cycle: int = 1
    cursor: tuple[str, ...] | None = None
    last_key: tuple[str, ...] | None = None
    rows: int = 0
    total: int | None = None
    left: int | None = None
    batches: int = 0
    batch_size: int = 0
    active_ms: float = 0.0
    waiting: str | None = None
    error: str | None = None
    application: str = ""
    host: str = ""
    pid: int = 0
    started_at: datetime
    updated_at: datetime
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A time within which something happened, in UTC."""

    since: datetime
    until: datetime


def parse_intervals(text: str | None) -> tuple[Interval, ...]:
    """Return the intervals of a text such as ``2026-11-01T10:00:00Z/2026-11-03T09:12:00Z``.

    Raises:
        ValueError: The text is no list of intervals.
    """
    pairs = [item.partition("/") for item in (text or "").split()]
    return tuple(Interval(since=_utc(since), until=_utc(until)) for since, _, until in pairs)


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One row of the ledger.

    ``key`` is the version (``"0007"``) of a versioned migration, or the name of a repeatable one.
    ``step`` counts the completed steps in the direction of ``state``; ``running`` is the
    statement whose effect is not known yet, else ``None``. ``steps_checksum`` covers the text
    of the completed steps. ``phase`` is ``"post"`` for a migration that runs after a deployment.
    Times are in UTC, ``duration_ms`` in milliseconds.

    ``fingerprint`` is that of the schema at ``fingerprint_at``, while this row was the newest one.
    ``changed_outside`` are the times within which the schema was changed outside of migrations
    while it was. These three are read by ``history``, and under the migration lock.
    """

    id: int
    key: str
    description: str
    kind: HistoryKind
    upgrade_checksum: Checksum
    rollback_checksum: Checksum | None
    state: State
    step: int
    running: str | None
    steps_checksum: Checksum | None
    started_at: datetime
    finished_at: datetime | None
    duration_ms: float | None
    application: str
    host: str
    pid: int
    dbwarden_version: str
    phase: str | None = None
    fingerprint: str | None = None
    fingerprint_at: datetime | None = None
    changed_outside: tuple[Interval, ...] = ()

    @property
    def live(self) -> bool:
        """True if the row was not rolled back."""
        return self.state is not State.ROLLED_BACK

    @property
    def corrected(self) -> dict[str, str | int | None]:
        """The columns that a repair writes, with their values."""
        return {
            "state": self.state.value,
            "step": self.step,
            "upgrade_checksum": self.upgrade_checksum,
            "rollback_checksum": self.rollback_checksum,
            "steps_checksum": self.steps_checksum,
        }

    @property
    def marked(self) -> bool:
        """True if ``baseline`` marked the migration as applied and none of its steps ran."""
        return self.state is State.APPLIED and self.step == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LockHolder:
    """The holder of the migration lock; ``pid`` is the server's process number."""

    pid: int | None
    application: str | None = None
    host: str | None = None
    user: str | None = None
    since: datetime | None = None
    statement: str | None = None

    def __str__(self) -> str:
        parts = [
            f"pid {self.pid}" if self.pid is not None else None,
            self.application,
            f"from {self.host}" if self.host else None,
            f"since {self.since:%Y-%m-%d %H:%M:%S} UTC" if self.since else None,
            f"running: {self.statement}" if self.statement else None,
        ]
        return ", ".join(part for part in parts if part) or "an unknown process"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerExcerpt:
    """The newest rows of a ledger, rolled-back ones included, oldest first, and the row count.

    ``fingerprint`` is that of the schema now, if it could be read.
    """

    rows: tuple[LedgerRow, ...] = ()
    total: int = 0
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaState:
    """The state of a read replica; ``lag_seconds`` is ``None`` if it is unknown."""

    lag_seconds: float | None
    replayed: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseStatus:
    """The status of one database, read in one round trip and without writing.

    ``rows`` are the live ones only, so that reading does not get slower with every rollback;
    ``None`` if there is no ledger yet. ``namespace`` is where the ledger is or would be created
    (``None`` on kinds without namespaces). ``replica`` is set on a server that replays the
    changes of another one. ``backfills`` are those that have not ended. ``fingerprint`` is that of
    the schema now; it is read under the migration lock only.
    """

    server_version: str
    namespace: str | None
    rows: tuple[LedgerRow, ...] | None
    holder: LockHolder | None
    read_only: bool
    replica: ReplicaState | None = None
    backfills: tuple[BackfillRow, ...] = ()
    fingerprint: str | None = None
