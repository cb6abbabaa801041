"""The migrations that a rollback runs or refuses."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbwarden.errors import (
    ChangedMigration,
    HistoryError,
    MissingMigration,
    PartialMigration,
    RollbackImpossible,
    UsageError,
)
from dbwarden.files.migration import Migration
from dbwarden.migration_history import LedgerRow, State
from dbwarden.planning.comparing import compare
from dbwarden.planning.rolling_back import RollbackPlan, plan_rollback
from dbwarden.planning.upgrading import plan_upgrade
from dbwarden.types import Version, format_version
from tests.unit.planning.histories import (
    ALL,
    FIVE,
    FOUR,
    ONE,
    THREE,
    TWO,
    Choice,
    file,
    keys,
    repeatable,
    rollback_error,
    row,
    rows,
    section,
)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({}, ["0003"]),
        ({"count": 2}, ["0003", "0002"]),
        ({"count": 9}, ["0003", "0002", "0001"]),
        ({"to": "1"}, ["0003", "0002"]),
        ({"to": "3"}, []),
        ({"to": "0"}, ["0003", "0002", "0001"]),
    ],
)
def test_a_rollback_takes_the_newest_first_and_never_a_repeatable(
    choice: Choice, expected: list[str]
) -> None:
    history = compare(ALL, rows(ONE, TWO, THREE, repeatable("v")))
    assert keys(plan_rollback(history, **choice).fresh) == expected


def test_the_newest_migration_is_the_last_applied_one() -> None:
    history = compare([ONE, TWO, THREE], rows(ONE, THREE, TWO))
    assert keys(plan_rollback(history).fresh) == ["0002"]
    assert keys(plan_rollback(history, count=2).fresh) == ["0002", "0003"]
    assert keys(plan_rollback(history, to="1").fresh) == ["0002", "0003"]
    assert keys(plan_rollback(history, to="2").fresh) == ["0003"]


def test_a_rollback_to_a_version_respects_the_order_of_the_run() -> None:
    late = file(2, 3)
    history = compare([ONE, late, THREE], rows(ONE, THREE, late))
    assert keys(plan_rollback(history, to="3").fresh) == ["0002"]
    assert keys(plan_rollback(history, to="2").fresh) == []


def test_with_nothing_applied_a_rollback_is_empty() -> None:
    assert plan_rollback(compare([ONE], None)) == RollbackPlan()
    assert plan_rollback(compare([ONE], None), to="0") == RollbackPlan()


@pytest.mark.parametrize(
    ("newest", "message", "line"),
    [
        (replace(TWO, irreversible=True, rollback=None), "is marked irreversible", ""),
        (file(2, rollback=None), "has no rollback section", ""),
        (file(2, rollback="\n-- nothing\n"), "has an empty rollback", ":5"),
    ],
)
def test_one_irreversible_migration_stops_the_whole_rollback(
    newest: Migration, message: str, line: str
) -> None:
    error = rollback_error([ONE, newest, THREE], rows(ONE, newest, THREE), to="0")
    assert isinstance(error, RollbackImpossible)
    assert error.message == f"0002 (step 2) {message}"
    assert str(error.location) == f"{TWO.path}{line}"
    assert keys(plan_rollback(compare([ONE, newest, THREE], rows(ONE, newest, THREE))).fresh) == [
        "0003"
    ]


def test_an_edited_rollback_is_refused_but_an_edited_upgrade_can_be_rolled_back() -> None:
    edited = replace(TWO, rollback=section("DROP 22", 5))
    error = rollback_error([ONE, edited], rows(ONE, TWO))
    assert isinstance(error, ChangedMigration)
    assert error.message == "the rollback of 0002 (step 2) was edited after it was applied"
    assert (error.next_step or "").endswith("dbwarden repair -d primary --accept 0002")
    removed = rollback_error([replace(TWO, rollback=None)], rows(TWO))
    assert isinstance(removed, ChangedMigration)
    history = compare([replace(TWO, upgrade=section("CREATE 22"))], rows(TWO))
    assert keys(plan_rollback(history).fresh) == ["0002"]


def test_migrations_of_a_newer_application_need_their_files_for_a_rollback() -> None:
    error = rollback_error([ONE], rows(ONE, TWO))
    assert isinstance(error, RollbackImpossible)
    assert error.message == (
        "0002 (step 2) was applied by a newer version of the app: its file is not here"
    )


def test_a_migration_without_its_file_cannot_be_rolled_back() -> None:
    error = rollback_error([ONE, THREE], rows(ONE, THREE, TWO))
    assert isinstance(error, MissingMigration)
    assert error.message == "the file of 0002 (step 2) is gone"


def test_a_dependency_stays_applied_while_its_dependent_is() -> None:
    needing = file(3, 2)
    error = rollback_error([ONE, TWO, needing], rows(ONE, needing, TWO))
    assert isinstance(error, RollbackImpossible)
    assert error.message == "0003 (step 3) depends on 0002 and would stay applied"
    assert str(error.location) == str(needing.path)
    history = compare([ONE, TWO, needing], rows(ONE, needing, TWO))
    assert keys(plan_rollback(history, count=2).fresh) == ["0002", "0003"]


def test_a_missing_file_has_no_dependencies() -> None:
    history = compare([ONE, TWO], rows(ONE, FIVE, TWO))
    assert keys(plan_rollback(history).fresh) == ["0002"]
    assert keys(plan_rollback(history, to="5").fresh) == []


def test_a_half_done_upgrade_must_be_finished_before_a_rollback() -> None:
    error = rollback_error([ONE, TWO], [row(ONE), row(TWO, state=State.UPGRADING)])
    assert isinstance(error, PartialMigration)
    assert error.message == "the upgrade of 0002 (step 2) stopped after step 1"
    assert error.next_step == "Finish it first with: dbwarden migrate -d primary"


@pytest.mark.parametrize("state", [State.UPGRADING, State.ROLLING_BACK])
def test_a_half_done_migration_without_its_file_stops_a_rollback(state: State) -> None:
    error = rollback_error([ONE], [row(ONE), row(TWO, state=state)])
    assert isinstance(error, PartialMigration)
    assert error.message.endswith("its file is gone")


HALF_BACK = compare([ONE, TWO, THREE], [row(ONE), row(TWO), row(THREE, state=State.ROLLING_BACK)])


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({}, []),
        ({"count": 1}, []),
        ({"count": 2}, ["0002"]),
        ({"count": 9}, ["0002", "0001"]),
        ({"to": "2"}, []),
        ({"to": "1"}, ["0002"]),
        ({"to": "0"}, ["0002", "0001"]),
    ],
)
def test_a_half_done_rollback_is_finished_before_the_others(
    choice: Choice, expected: list[str]
) -> None:
    plan = plan_rollback(HALF_BACK, **choice)
    assert [migration for _, migration in plan.resumed] == [THREE]
    assert keys(plan.fresh) == expected


def test_a_half_done_rollback_must_be_finished() -> None:
    with pytest.raises(PartialMigration, match=r"of 0003 .* so it cannot stay") as caught:
        plan_rollback(HALF_BACK, to="3")
    assert "dbwarden rollback -d primary" in (caught.value.next_step or "")


def test_nothing_is_resumed_when_another_migration_cannot_be_rolled_back() -> None:
    """Alone it can be."""
    history = compare(
        [ONE, replace(TWO, rollback=None), THREE],
        [row(ONE), row(replace(TWO, rollback=None)), row(THREE, state=State.ROLLING_BACK)],
    )
    with pytest.raises(RollbackImpossible):
        plan_rollback(history, to="0")
    assert [migration for _, migration in plan_rollback(history).resumed] == [THREE]


@pytest.mark.parametrize(
    ("ledger", "to", "message"),
    [
        (rows(ONE, TWO), "3", "0003 is not applied; the newest applied one is 0002"),
        (rows(ONE, TWO), "9", "0009 is not applied; the newest applied one is 0002"),
        ([], "1", "0001 is not applied; nothing is applied"),
    ],
)
def test_a_rollback_to_an_unapplied_version_is_refused(
    ledger: list[LedgerRow], to: str, message: str
) -> None:
    error = rollback_error([ONE, TWO, THREE], ledger, to=to)
    assert isinstance(error, UsageError)
    assert error.message == message


@given(st.permutations([1, 2, 3, 4, 5]), st.integers(0, 5), st.integers(1, 6))
def test_plans_lead_to_their_target(applied_in: list[int], applied: int, count: int) -> None:
    files = [ONE, TWO, THREE, FOUR, FIVE]
    done = [file(version) for version in applied_in[:applied]]
    history = compare(files, rows(*done))
    upgrade = plan_upgrade(history, count=count, out_of_order=True)
    left = [version for version in range(1, 6) if version not in applied_in[:applied]]
    assert keys(upgrade) == [format_version(Version(one)) for one in left[:count]]
    try:
        in_order = plan_upgrade(history, count=count)
    except HistoryError:
        assert any(one < max(applied_in[:applied]) for one in left[:count])
    else:
        assert in_order == upgrade
    back = plan_rollback(history, count=count)
    assert [item.migration.version for item in back.fresh] == applied_in[:applied][::-1][:count]
