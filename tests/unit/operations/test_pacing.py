"""The size of batches, and the reasons to wait."""

import pytest

from dbwarden.dialects.backfill.work import Pressure
from dbwarden.errors import UsageError
from dbwarden.files.migration import Backfill
from dbwarden.operations.pacing import Pace, most_rows, smaller


def test_a_batch_grows_to_twice_its_size_and_shrinks_to_what_fits() -> None:
    pace = Pace(target=0.5)
    assert pace.next_size(1000, 0.01) == 2000
    assert pace.next_size(1000, 0.4) == 1250
    assert pace.next_size(1000, 5.0) == 100
    assert pace.next_size(1, 60.0) == 1
    assert smaller(1000) == 250
    assert smaller(1) == 1


def test_the_file_says_how_long_a_batch_takes_unless_the_user_does() -> None:
    file = Backfill(table="t", line=1, batch_seconds=0.05)
    assert Pace().of(file).seconds == 0.05
    assert Pace(target=2).of(file).seconds == 2
    assert Pace().of(Backfill(table="t", line=1)).seconds == 0.5


def test_a_batch_locks_a_small_share_of_a_large_table() -> None:
    assert most_rows(1000, 1_000_000, 1 / 200) == 5000
    assert most_rows(1000, 40_000, 1 / 200) == 1000
    assert most_rows(1000, 9_000, 1 / 200) > 9_000
    assert Pace().next_size(4000, 0.01, 5000) == 5000


def test_a_rate_limits_the_size_and_adds_pauses() -> None:
    pace = Pace(target=0.5, rate=1000)
    assert pace.first_size(5000) == 500
    assert pace.next_size(500, 0.01) == 500
    assert pace.pause(500, 0.1) == pytest.approx(0.4)
    assert pace.pause(500, 2.0) == pytest.approx(0.5)
    assert Pace().pause(500, 0.4) == pytest.approx(0.1)


def test_it_waits_for_replicas_and_locks() -> None:
    pace = Pace(max_lag=10, max_lock_waits=2)
    assert pace.reason_to_wait(Pressure(lag_seconds=9, lock_waits=2)) is None
    assert "a replica is 11.0 s behind" in str(pace.reason_to_wait(Pressure(lag_seconds=11)))
    assert "3 sessions wait" in str(pace.reason_to_wait(Pressure(lock_waits=3)))
    free = Pace(max_lag=None, max_lock_waits=None)
    assert free.reason_to_wait(Pressure(lag_seconds=99, lock_waits=99)) is None
    assert not free.needs_pressure


@pytest.mark.parametrize("wrong", [Pace(target=0), Pace(rate=-1), Pace(max_lag=-3)])
def test_limits_that_make_no_sense_are_refused(wrong: Pace) -> None:
    with pytest.raises(UsageError):
        wrong.check()
