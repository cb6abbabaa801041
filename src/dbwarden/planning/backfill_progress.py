"""Describe the progress of a backfill. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime

from dbwarden.migration_history import BackfillRow, BackfillState

STALLED_AFTER = 120.0
"""Seconds without a batch after which a running backfill counts as one that nothing runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillProgress:
    """The progress of one backfill.

    ``rows`` are done of about ``total``, if that is known. ``waiting`` says why its runner waits.
    ``stalled`` means that it is ``running``, but no process carries it on. ``runner`` is the
    process that ran the last batch. ``error`` is the error of a failed one.
    """

    key: str
    table: str
    state: str
    rows: int
    total: int | None
    rows_per_second: float | None
    eta_seconds: float | None
    cycle: int
    waiting: str | None
    stalled: bool
    error: str | None
    runner: str | None
    started_at: datetime
    updated_at: datetime
    finished_at: datetime | None

    @property
    def needs_attention(self) -> bool:
        """True if it has not ended, and no process is going to carry it on."""
        if self.state == BackfillState.RUNNING:
            return self.stalled
        return self.state != BackfillState.DONE

    @property
    def verb(self) -> str:
        """The action of ``dbwarden backfill`` that goes on with it."""
        return "run" if self.state == BackfillState.RUNNING else "resume"

    @property
    def percent(self) -> int | None:
        """The rows that are done in percent, below 100 until it is done."""
        if self.state == BackfillState.DONE:
            return 100
        return min(99, 100 * self.rows // self.total) if self.total else None

    def __str__(self) -> str:
        parts = [f"{self.percent} %" if self.percent is not None else None]
        parts += [f"{self.rows:,} rows" + (f" of {self.total:,}" if self.total else "")]
        if self.rows_per_second is not None:
            parts.append(f"{self.rows_per_second:,.0f} rows/s")
        if self.eta_seconds is not None:
            parts.append(f"{format_seconds(self.eta_seconds)} left")
        return ", ".join(part for part in parts if part)


def progress_of(row: BackfillRow) -> BackfillProgress:
    """Return the progress of *row* now."""
    is_running = row.state is BackfillState.RUNNING
    rate = row.rows / (row.active_ms / 1000) if row.active_ms and row.rows else None
    left = max(0, row.total - row.rows) if row.total is not None else None
    idle = (datetime.now(UTC) - row.updated_at).total_seconds()
    return BackfillProgress(
        key=row.key,
        table=row.table,
        state=row.state.value,
        rows=row.rows,
        total=row.total,
        rows_per_second=round(rate, 1) if rate is not None else None,
        eta_seconds=round(left / rate, 1) if is_running and rate and left is not None else None,
        cycle=row.cycle,
        waiting=row.waiting,
        stalled=is_running and idle > STALLED_AFTER,
        error=row.error,
        runner=f"{row.application} on {row.host}, pid {row.pid}" if row.batches else None,
        started_at=row.started_at,
        updated_at=row.updated_at,
        finished_at=row.finished_at,
    )


def format_seconds(seconds: float) -> str:
    """Return *seconds* as 12 s, 3 min or 2.5 h."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
