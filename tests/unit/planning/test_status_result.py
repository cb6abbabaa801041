"""The judgement of one database, and the doors that present it."""

from typing import Any

import pytest

from dbwarden.fastapi.lifespan import Startup, is_harmless
from dbwarden.migration_history import LockHolder
from dbwarden.operations.check import findings_of
from dbwarden.operations.health import diagnose
from dbwarden.planning.comparing import compare
from dbwarden.planning.status_result import StatusResult, judge
from tests.unit.planning.histories import PRIMARY, file, row
from tests.unit.planning.statuses import NOW, reading, replica_status, status

HOLDER = LockHolder(application="deploy", since=NOW, host="here", pid=7)


def test_files_rows_and_lock_are_judged_together() -> None:
    files, rows = [file(1), file(2), file(4)], [row(file(1)), row(file(4)), row(file(3))]
    judged = judge(PRIMARY, compare(files, rows), reading())
    problems = {problem.code: problem.keys for problem in judged.problems}
    assert problems == {"pending": ("0002",), "missing": ("0003",), "out_of_order": ("0002",)}
    assert (judged.version, judged.clean) == ("0004", False)


class Config:
    """A database that is no replica."""

    replica_of = None


@pytest.mark.parametrize(
    ("judged", "clean", "health", "starts"),
    [
        (status(None), True, "ok", True),
        (status(None, ahead=("0009",)), True, "ok", True),
        (status(None, lock_holder=HOLDER), True, "ok", True),
        (status(None, pending=("0002",)), False, "degraded", False),
        (status(None, changed=("0001",)), False, "degraded", False),
        (status(None, missing=("0001",)), False, "degraded", False),
        (status(None, partial=("0002",)), False, "degraded", False),
        (status(replica_status(writable=True)), False, "degraded", True),
        (status(replica_status(behind=("0002",))), False, "degraded", False),
        (status(replica_status(behind=("0001",)), changed=("0001",)), False, "degraded", False),
    ],
)
def test_status_health_and_startup_agree(
    judged: StatusResult, clean: bool, health: str, starts: bool
) -> None:
    config: Any = Config()
    assert judged.clean is clean
    assert diagnose(judged).status == health
    assert all(is_harmless(Startup(), config, each) for each in judged.problems) is starts
    findings = findings_of(judged, judged.problems)
    assert [finding.code for finding in findings] == [each.code for each in judged.problems]
    assert all(finding.message and finding.next_step for finding in findings)
