"""Measure what a backfill does to others: the lag of replicas, and sessions that wait for locks.

``pg_stat_replication.replay_lag`` stops growing while a replica replays nothing. So the lag is
measured here: for how long the oldest position that a replica has not replayed is known.
"""

from collections import deque
from collections.abc import Sequence

SQL = """SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::text, (
  SELECT count(*) FROM pg_catalog.pg_stat_activity
  WHERE datname = current_database() AND wait_event_type = 'Lock'
)::text, (
  SELECT string_agg(coalesce(pg_wal_lsn_diff(replay_lsn, '0/0')::text, '?'), ' ')
  FROM pg_catalog.pg_stat_replication
  WHERE state IS NULL OR (state IN ('streaming', 'catchup') AND replay_lsn IS NOT NULL)
)"""
"""The current position, the number of waiting sessions, and the position of each replica.

A user without ``pg_read_all_stats`` sees only that there is a replica; its position is ``?``.
"""

Sample = tuple[float, int]


class LagTracker:
    """Remembers when the server wrote up to which position."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque()

    def lag(self, now: float, written: int, replayed: Sequence[int]) -> float | None:
        """Return the lag in seconds of the slowest replica; ``None`` without a replica.

        Args:
            now: The time.
            written: The position up to which the server has written.
            replayed: The position of each replica.
        """
        if not self._samples or self._samples[-1][1] < written:
            self._samples.append((now, written))
        if not replayed:
            return None
        slowest = min(replayed)
        while self._samples and self._samples[0][1] <= slowest:
            self._samples.popleft()
        return now - self._samples[0][0] if self._samples else 0.0


def positions(text: str | None) -> tuple[tuple[int, ...], bool]:
    """Return the known positions of replicas, and whether one is hidden from this user."""
    words = (text or "").split()
    return tuple(int(word) for word in words if word != "?"), "?" in words
