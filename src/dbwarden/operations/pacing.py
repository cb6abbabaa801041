"""Decide how large the batches of a backfill are, and when it waits. Pure."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from dbwarden.dialects.backfill.work import SMALL, Pressure
from dbwarden.errors import UsageError
from dbwarden.files.backfills import MOST_ROWS
from dbwarden.files.migration import Backfill

PauseWhen = Callable[[], Awaitable[bool | str | None]]
"""A coroutine function of the user: whether to wait now, or the reason to."""

TARGET = 0.5
"""The seconds that a batch should take if neither its file nor the user says so."""

MAX_LAG = 10.0
MAX_LOCK_WAITS = 5

LIMIT_FACTOR = 20.0
LEAST_LIMIT = 10.0
"""Seconds that a statement of a batch gets at least, whatever the target."""

_LEAST_TIME = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The limits of a backfill.

    Attributes:
        target: The seconds that a batch should take; ``None`` for what its file says.
        rate: The maximum number of rows per second, if any.
        max_lag: Wait while a replica lags behind by more seconds; ``None`` for no limit.
        max_lock_waits: Wait while more sessions wait for locks; ``None`` for no limit.
        pause_when: Wait while this coroutine function returns a true value.
        rest: The pause after a batch, as a share of its time, in which the server serves others.
    """

    target: float | None = None
    rate: float | None = None
    max_lag: float | None = MAX_LAG
    max_lock_waits: int | None = MAX_LOCK_WAITS
    pause_when: PauseWhen | None = None
    rest: float = 0.25

    def check(self) -> None:
        """Refuse limits that make no sense.

        Raises:
            UsageError: A number is not positive.
        """
        if self.target is not None and self.target <= 0:
            raise UsageError(f"a batch cannot take {self.target:g} seconds", option="batch_seconds")
        if self.rate is not None and self.rate <= 0:
            raise UsageError(f"--rate {self.rate:g} is not a number of rows per second")
        if self.max_lag is not None and self.max_lag <= 0:
            raise UsageError(f"--max-lag {self.max_lag:g} is not a number of seconds")

    def of(self, backfill: Backfill) -> "Pace":
        """Return the limits for *backfill*, whose file may have a target of its own."""
        return replace(self, target=self.target or backfill.batch_seconds)

    @property
    def seconds(self) -> float:
        """The seconds that a batch should take."""
        return self.target or TARGET

    @property
    def limit(self) -> float:
        """The seconds after which the server stops a statement of a batch."""
        return max(LEAST_LIMIT, self.seconds * LIMIT_FACTOR)

    @property
    def needs_pressure(self) -> bool:
        """Whether a limit depends on what others suffer."""
        return self.max_lag is not None or self.max_lock_waits is not None

    def first_size(self, size: int) -> int:
        """Return the size of the first batch, which the header or an earlier run gives."""
        return max(1, min(size, self._most))

    def next_size(self, size: int, seconds: float, most: int = MOST_ROWS) -> int:
        """Return the size of the next batch after one of *size* rows was busy for *seconds*.

        It at most doubles, and shrinks to what would have met the target. *most* is its limit.
        """
        wanted = size * self.seconds / max(seconds, _LEAST_TIME)
        return max(1, min(int(wanted), 2 * size, self._most, most))

    @property
    def _most(self) -> int:
        if self.rate is None:
            return MOST_ROWS
        return max(1, min(MOST_ROWS, int(self.rate * self.seconds)))

    def pause(self, rows: int, seconds: float) -> float:
        """Return the seconds to sleep after a batch of *rows* that took *seconds*."""
        if self.rate is None:
            return seconds * self.rest
        return max(seconds * self.rest, rows / self.rate - seconds)

    def reason_to_wait(self, pressure: Pressure) -> str | None:
        """Return why the backfill has to wait under *pressure*; ``None`` if it need not."""
        lag, waits = pressure.lag_seconds, pressure.lock_waits
        if self.max_lag is not None and lag is not None and lag > self.max_lag:
            return f"a replica is {lag:.1f} s behind (at most {self.max_lag:g} s)"
        if self.max_lock_waits is not None and waits > self.max_lock_waits:
            return f"{waits} sessions wait for locks (at most {self.max_lock_waits})"
        return None


def most_rows(batch: int, total: int | None, share: float) -> int:
    """Return the maximum size of a batch that locks at most *share* of *total* rows.

    So a writer seldom meets a locked row. The size *batch* of the header is always allowed, and a
    small table is one batch.
    """
    if total is None or total <= SMALL:
        return MOST_ROWS
    return max(batch, int(total * share))


def smaller(size: int) -> int:
    """Return the size of a batch after one of *size* rows exceeded its time limit."""
    return max(1, size // 4)
