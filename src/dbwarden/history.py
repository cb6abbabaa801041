"""The ledger: what its rows say and where it lies. Pure; the dialects hold its SQL.

A row tells of one migration. It is never deleted: a rollback marks it ``rolled_back``, so the
ledger is also the history of who did what and when. At most one row of a migration is *live*
(any other state); a unique index in every dialect guards that.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dbwarden.types import Checksum

DEFAULT_TABLE = "dbwarden_ledger"


class HistoryKind(StrEnum):
    """What sort of migration a file is."""

    VERSIONED = "versioned"
    ALWAYS = "repeatable_always"
    ON_CHANGE = "repeatable_on_change"


class State(StrEnum):
    """How far a migration is.

    ``upgrading`` and ``rolling_back`` stand between the steps of a migration that has statements
    outside a transaction: ``step`` of them are done, ``running`` names the one under way.
    """

    APPLIED = "applied"
    UPGRADING = "upgrading"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One row of the ledger.

    ``key`` is the version (``"0007"``) of a versioned migration, the name of a repeatable one.
    ``step`` counts the steps that are done in the direction of ``state``; ``running`` is the
    statement whose outcome is not known yet, else ``None``. ``steps_checksum`` covers the text
    of the done steps. Times are UTC; ``duration_ms`` is milliseconds.
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

    @property
    def live(self) -> bool:
        """Whether this row still counts: it was not rolled back."""
        return self.state is not State.ROLLED_BACK

    @property
    def marked(self) -> bool:
        """Whether it only counts as applied (``baseline``): no step of it ran here."""
        return self.state is State.APPLIED and self.step == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LockHolder:
    """Who holds the migration lock: the server's process number, who, since when, doing what."""

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
    """The newest rows of a ledger, rolled-back ones included, oldest first; *total* are in it."""

    rows: tuple[LedgerRow, ...] = ()
    total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaState:
    """What a read replica tells of itself; ``lag_seconds`` is ``None`` where it can't say."""

    lag_seconds: float | None
    replayed: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one look at a database tells; made in one round trip, and never by writing.

    ``rows`` are the live ones, so that a look does not get slower with every rollback; ``None``
    when there is no ledger yet. ``namespace`` is where the ledger lies or
    would be made (``None`` on kinds without namespaces). ``replica`` is set on a server that
    replays another one's changes.
    """

    server_version: str
    namespace: str | None
    rows: tuple[LedgerRow, ...] | None
    holder: LockHolder | None
    read_only: bool
    replica: ReplicaState | None = None
