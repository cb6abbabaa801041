"""The findings and the health of a replica."""

from dbwarden.operations.check import findings_of
from dbwarden.operations.health import diagnose
from tests.unit.planning.statuses import replica_status, status


def test_a_replica_equal_to_its_primary_is_healthy() -> None:
    found = status(replica_status(lag_seconds=7.0))
    assert found.clean and findings_of(found, found.problems) == ()
    assert (diagnose(found).status, diagnose(found).error) == ("ok", None)


def test_migrations_on_their_way_to_the_replica_are_one_finding() -> None:
    behind = replica_status(caught_up=False, behind=("0002", "0003"), lag_seconds=2.04)
    found = status(behind, pending=("0002", "0003"), missing=("0003",))
    (finding,) = findings_of(found, found.problems)
    assert finding.code == "replica_behind"
    assert finding.message == "2 not here yet: 0002, 0003 (behind primary, 2.0 s late)"
    health = diagnose(status(behind, pending=("0002", "0003")))
    assert (health.status, health.pending_migrations) == ("degraded", 2)
    assert health.error == "replica: 2 migrations behind"
    assert not found.clean


def test_migrations_that_the_primary_lacks_are_pending_on_the_primary() -> None:
    behind = replica_status(caught_up=False, behind=("0002",))
    found = status(behind, pending=("0002", "0003"))
    pending, late = findings_of(found, found.problems)
    assert (pending.code, pending.message) == ("pending", "1 pending: 0003")
    assert pending.next_step == "Apply with: dbwarden migrate -d primary"
    assert late.message == "1 not here yet: 0002 (behind primary)"


def test_a_replica_that_takes_writes_is_a_finding() -> None:
    found = status(replica_status(writable=True))
    (finding,) = findings_of(found, found.problems)
    assert finding.code == "replica_writable"
    assert "not (or no longer) a replica of primary" in finding.message
    assert not found.clean
    health = diagnose(found)
    assert (health.status, health.error) == ("degraded", "replica: accepts writes")


def test_problems_of_migrations_and_of_the_replica_are_both_reported() -> None:
    found = diagnose(status(replica_status(writable=True), changed=("0001",)))
    assert found.error == "migrations: 1 changed; replica: accepts writes"
    assert diagnose(status(None, changed=("0001",))).error == "migrations: 1 changed"
