"""The migrations that a replica lacks."""

from dataclasses import replace

import pytest

from dbwarden.errors import ConnectError
from dbwarden.migration_history import HistoryKind, LedgerRow, State
from dbwarden.planning.replicas import compare_with_primary, differing_keys
from dbwarden.types import Checksum
from tests.unit.planning.statuses import GONE, ONE, PRIMARY, TWO, reading


@pytest.mark.parametrize(
    ("there", "here", "found"),
    [
        ((), (), ()),
        ((ONE, TWO), (ONE, TWO), ()),
        ((ONE, TWO), (ONE,), ("0002",)),
        ((ONE, TWO), (), ("0001", "0002")),
        ((ONE, GONE), (ONE, TWO), ("0002",)),
        ((ONE, GONE), (ONE,), ()),
        ((replace(ONE, state=State.UPGRADING, step=2),), (ONE,), ("0001",)),
        ((replace(ONE, upgrade_checksum=Checksum("b")),), (ONE,), ("0001",)),
        ((ONE, TWO), (replace(TWO, running="x"), ONE), ("0002",)),
    ],
)
def test_rows_that_differ_between_the_histories_are_behind(
    there: tuple[LedgerRow, ...], here: tuple[LedgerRow, ...], found: tuple[str, ...]
) -> None:
    assert differing_keys(there, here) == found


def test_a_repeatable_and_a_version_with_the_same_key_differ() -> None:
    repeatable = replace(ONE, kind=HistoryKind.ALWAYS)
    assert differing_keys((ONE, repeatable), (ONE,)) == ("0001",)


def test_without_an_answer_of_the_primary_the_lag_is_unknown() -> None:
    found = compare_with_primary(PRIMARY, reading(ONE, lag=3.0), ConnectError("nothing listens"))
    assert found.caught_up is None and found.behind == ()
    assert (found.primary_error, found.lag_seconds) == ("nothing listens", 3.0)
    assert found.clean
