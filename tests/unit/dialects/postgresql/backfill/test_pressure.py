"""The lag of replicas, measured by what the server had written when."""

from dbwarden.dialects.postgresql.backfill.pressure import LagTracker, positions


def test_the_lag_grows_while_a_replica_replays_nothing() -> None:
    tracker = LagTracker()
    assert tracker.lag(0.0, 100, [100]) == 0.0
    assert tracker.lag(1.0, 200, [100]) == 0.0
    assert tracker.lag(5.0, 300, [100]) == 4.0
    assert tracker.lag(6.0, 300, [250]) == 1.0
    assert tracker.lag(7.0, 300, [300]) == 0.0


def test_the_slowest_replica_counts() -> None:
    tracker = LagTracker()
    assert tracker.lag(0.0, 100, []) is None
    assert tracker.lag(3.0, 100, [100, 50]) == 3.0


def test_positions_may_be_hidden() -> None:
    assert positions(None) == ((), False)
    assert positions("12 ? 13") == ((12, 13), True)
