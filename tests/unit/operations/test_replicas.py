"""What a replica lacks, judged from two readings."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from dbwarden.errors import ConnectError
from dbwarden.migration_history import HistoryKind, LedgerRow, Reading, ReplicaState, State
from dbwarden.operations.check import findings_of
from dbwarden.operations.health import diagnose
from dbwarden.operations.replicas import ReplicaStatus, compare_with_primary, differing_keys
from dbwarden.operations.status import StatusResult
from dbwarden.types import Checksum, DatabaseName

PRIMARY = DatabaseName("primary")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def row(key: str, **values: Any) -> LedgerRow:
    fields: dict[str, Any] = {
        "id": int(key),
        "key": key,
        "description": "",
        "kind": HistoryKind.VERSIONED,
        "upgrade_checksum": Checksum("a"),
        "rollback_checksum": None,
        "state": State.APPLIED,
        "step": 1,
        "running": None,
        "steps_checksum": None,
        "started_at": NOW,
        "finished_at": NOW,
        "duration_ms": 1.0,
        "application": "test",
        "host": "here",
        "pid": 1,
        "dbwarden_version": "0",
    }
    return LedgerRow(**{**fields, **values})


def reading(*rows: LedgerRow, read_only: bool = True, lag: float | None = None) -> Reading:
    return Reading(
        server_version="18",
        namespace="public",
        rows=rows or None,
        holder=None,
        read_only=read_only,
        replica=ReplicaState(lag_seconds=lag, replayed="0/1"),
    )


ONE, TWO = row("0001"), row("0002")
GONE = replace(TWO, state=State.ROLLED_BACK)


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
def test_what_is_not_the_same_in_both_ledgers_is_behind(
    there: tuple[LedgerRow, ...], here: tuple[LedgerRow, ...], found: tuple[str, ...]
) -> None:
    assert differing_keys(there, here) == found


def test_a_repeatable_and_a_version_of_the_same_key_are_two() -> None:
    repeatable = replace(ONE, kind=HistoryKind.ALWAYS)
    assert differing_keys((ONE, repeatable), (ONE,)) == ("0001",)


def test_no_answer_of_the_primary_leaves_it_open_whether_it_is_behind() -> None:
    found = compare_with_primary(PRIMARY, reading(ONE, lag=3.0), ConnectError("nothing listens"))
    assert found.caught_up is None and found.behind == ()
    assert (found.primary_error, found.lag_seconds) == ("nothing listens", 3.0)
    assert found.clean


def status(replica: ReplicaStatus | None, **values: Any) -> StatusResult:
    empty: tuple[str, ...] = ()
    fields: dict[str, Any] = dict.fromkeys(
        (
            *("applied", "pending", "repeatables", "changed", "missing", "partial"),
            *("out_of_order", "ahead"),
        ),
        empty,
    )
    fields |= {"version": "0001", "lock_holder": None, "server_version": "18", **values}
    return StatusResult(database=DatabaseName("replica"), replica=replica, **fields)


def replica_status(**values: Any) -> ReplicaStatus:
    return ReplicaStatus(**{"primary": PRIMARY, "writable": False, "caught_up": True, **values})


def test_a_replica_that_is_as_its_primary_is_well() -> None:
    found = status(replica_status(lag_seconds=7.0))
    assert found.clean and findings_of(found) == ()
    assert (diagnose(found).status, diagnose(found).error) == ("ok", None)


def test_what_is_on_its_way_is_told_as_one_finding() -> None:
    behind = replica_status(caught_up=False, behind=("0002", "0003"), lag_seconds=2.04)
    found = status(behind, pending=("0002", "0003"), missing=("0003",))
    (finding,) = findings_of(found)
    assert finding.code == "replica_behind"
    assert finding.message == "2 not here yet: 0002, 0003 (behind primary, 2.0 s late)"
    health = diagnose(status(behind, pending=("0002", "0003")))
    assert (health.status, health.pending_migrations) == ("degraded", 2)
    assert health.error == "replica: 2 migrations behind"
    assert not found.clean


def test_what_the_primary_lacks_too_is_pending_and_applied_there() -> None:
    behind = replica_status(caught_up=False, behind=("0002",))
    pending, late = findings_of(status(behind, pending=("0002", "0003")))
    assert (pending.code, pending.message) == ("pending", "1 pending: 0003")
    assert pending.next_step == "Apply with: dbwarden migrate -d primary"
    assert late.message == "1 not here yet: 0002 (behind primary)"


def test_a_replica_that_takes_writes_is_a_finding() -> None:
    found = status(replica_status(writable=True))
    (finding,) = findings_of(found)
    assert finding.code == "replica_writable"
    assert "not (or no longer) a replica of primary" in finding.message
    assert not found.clean
    health = diagnose(found)
    assert (health.status, health.error) == ("degraded", "replica: accepts writes")


def test_faults_of_the_migrations_and_of_the_replica_are_both_told() -> None:
    found = diagnose(status(replica_status(writable=True), changed=("0001",)))
    assert found.error == "migrations: 1 changed; replica: accepts writes"
    assert diagnose(status(None, changed=("0001",))).error == "migrations: 1 changed"
