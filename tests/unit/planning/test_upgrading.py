"""The migrations that an upgrade runs or refuses."""

from dataclasses import replace

import pytest

from dbwarden.errors import (
    ChangedMigration,
    MissingMigration,
    OutOfOrder,
    PartialMigration,
    UsageError,
)
from dbwarden.migration_history import State
from dbwarden.planning.comparing import compare
from dbwarden.planning.upgrading import plan_upgrade
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
    rollback_error,
    row,
    rows,
    section,
    upgrade_error,
)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({}, ["0002", "0003", "0004", "0005", "v"]),
        ({"to": "3"}, ["0002", "0003"]),
        ({"to": "00003"}, ["0002", "0003"]),
        ({"to": "0005"}, ["0002", "0003", "0004", "0005", "v"]),
        ({"to": "1"}, []),
        ({"count": 1}, ["0002"]),
        ({"count": 4}, ["0002", "0003", "0004", "0005", "v"]),
        ({"count": 9}, ["0002", "0003", "0004", "0005", "v"]),
    ],
)
def test_an_upgrade_runs_repeatables_after_the_last_pending_version(
    choice: Choice, expected: list[str]
) -> None:
    history = compare(ALL, rows(ONE))
    assert keys(plan_upgrade(history, **choice)) == expected


def test_an_upgrade_to_a_version_includes_its_dependencies() -> None:
    history = compare([ONE, file(2, 4), THREE, FOUR, FIVE], rows(ONE))
    assert keys(plan_upgrade(history, to="2")) == ["0003", "0004", "0002"]
    assert keys(plan_upgrade(history, to="4")) == ["0003", "0004"]


def test_being_ahead_is_fine_when_nothing_is_pending() -> None:
    assert plan_upgrade(compare([ONE], rows(ONE, TWO))) == ()


@pytest.mark.parametrize(
    ("to", "message", "next_step"),
    [
        ("9", "there is no migration 0009 here; the newest is 0005", "Did you mean 0005?"),
        ("0", "there is no migration 0000 here; the newest is 0005", "Did you mean 0001?"),
        (
            "1",
            "0001 is applied, and so is what comes after it: 0002",
            "To go back to it: dbwarden rollback -d primary --to 0001",
        ),
        ("new", "--to 'new' is not a version", "Give the number in the file's name, as in 0007."),
    ],
)
def test_an_upgrade_to_an_impossible_version_names_a_next_step(
    to: str, message: str, next_step: str
) -> None:
    error = upgrade_error(ALL, rows(ONE, TWO), to=to)
    assert isinstance(error, UsageError)
    assert (error.message, error.next_step) == (message, next_step)


def test_an_upgrade_to_an_unknown_version_is_refused() -> None:
    error = upgrade_error([], [], to="1")
    assert error.message == "there is no migration 0001 here; there are none"
    assert error.next_step == "Check migrations_dir in the configuration."


@pytest.mark.parametrize("choice", [{"to": "1", "count": 1}, {"count": 0}, {"count": -1}])
def test_a_contradictory_choice_is_refused_in_both_directions(
    choice: Choice,
) -> None:
    assert isinstance(upgrade_error([ONE], [], **choice), UsageError)
    assert isinstance(rollback_error([ONE], rows(ONE), **choice), UsageError)


def test_an_upgrade_refuses_edited_files_with_their_place_and_a_next_step() -> None:
    edited = replace(TWO, upgrade=section("CREATE 22"))
    error = upgrade_error([ONE, edited, THREE], rows(ONE, TWO))
    assert isinstance(error, ChangedMigration)
    assert error.message == "0002 (step 2) was edited after it was applied: its upgrade"
    assert str(error.location) == f"{TWO.path}:2"
    assert error.next_step == (
        "Undo the edit, and put the change into a new migration: "
        "dbwarden new -d primary -m '...'. "
        "If the database has that change already, accept the file as it is; the edited SQL will "
        "not run: dbwarden repair -d primary --accept 0002"
    )


def test_edited_upgrades_and_rollbacks_are_named_separately() -> None:
    edited = [replace(item, rollback=section("DROP 9", 5)) for item in (ONE, TWO, THREE)]
    error = upgrade_error(edited, rows(ONE, TWO, THREE))
    assert error.message == (
        "0001 (step 1) was edited after it was applied: its rollback; so were 0002, 0003"
    )
    assert str(error.location) == f"{ONE.path}:5"
    assert "--accept 0001 --accept 0002 --accept 0003" in (error.next_step or "")
    error = upgrade_error([*edited[:2], THREE], rows(ONE, TWO, THREE))
    assert error.message.endswith("its rollback; so was 0002")


def test_an_upgrade_refuses_a_missing_file() -> None:
    error = upgrade_error([ONE, FIVE], rows(ONE, TWO, THREE, FIVE))
    assert isinstance(error, MissingMigration)
    assert error.message == "the file of 0002 (step 2) is gone; so is that of 0003"
    assert error.next_step == (
        "Restore the file, or forget that it was applied with: "
        "dbwarden repair -d primary --forget 0002 --forget 0003"
    )
    error = upgrade_error([FIVE], rows(ONE, TWO, THREE, FIVE))
    assert error.message == "the file of 0001 (step 1) is gone; so are those of 0002, 0003"
    error = upgrade_error([ONE, THREE], rows(ONE, TWO, THREE))
    assert error.message == "the file of 0002 (step 2) is gone"


def test_without_any_file_the_error_suspects_the_folder() -> None:
    many = [file(version) for version in range(1, 9)]
    error = upgrade_error([], rows(*many))
    assert isinstance(error, MissingMigration)
    assert error.message == (
        "8 migrations are applied (0001, 0002, 0003, 0004, 0005 and 3 more), but the migrations "
        "folder has no files"
    )
    assert "migrations_dir" in (error.next_step or "")


def test_a_half_done_upgrade_does_not_block_the_others() -> None:
    history = compare([ONE, TWO, THREE], [row(ONE), row(TWO, state=State.UPGRADING)])
    assert keys(plan_upgrade(history)) == ["0003"]
    assert keys(plan_upgrade(history, to="2")) == []


def test_a_half_done_upgrade_without_its_file_is_refused() -> None:
    error = upgrade_error([ONE], [row(ONE), row(TWO, state=State.UPGRADING)])
    assert isinstance(error, PartialMigration)
    assert error.message == "0002 (step 2) stopped after step 1, and its file is gone"
    assert (error.next_step or "").endswith("dbwarden repair -d primary --forget 0002")


def test_an_upgrade_refuses_a_half_done_rollback() -> None:
    error = upgrade_error([ONE, TWO], [row(ONE), row(TWO, state=State.ROLLING_BACK)])
    assert isinstance(error, PartialMigration)
    assert error.message == "the rollback of 0002 stopped after step 1"
    assert error.next_step == "Finish it with: dbwarden rollback -d primary"
    assert str(error.location) == str(TWO.path)


def test_out_of_order_migrations_need_a_flag() -> None:
    error = upgrade_error([ONE, TWO, THREE, FOUR], rows(ONE, THREE))
    assert isinstance(error, OutOfOrder)
    assert error.message == "0002 is older than what is applied (the newest is 0003)"
    assert "dbwarden migrate -d primary --out-of-order" in (error.next_step or "")
    history = compare([ONE, TWO, THREE, FOUR], rows(ONE, THREE))
    assert keys(plan_upgrade(history, out_of_order=True)) == ["0002", "0004"]
    assert keys(plan_upgrade(history, out_of_order=True, to="3")) == ["0002"]
    both = upgrade_error([ONE, TWO, THREE], rows(THREE))
    assert both.message == "0001, 0002 are older than what is applied (the newest is 0003)"


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({}, ["0003", "0004"]),
        ({"count": 1}, []),
        ({"count": 2}, ["0003"]),
        ({"to": "2"}, []),
        ({"to": "3"}, ["0003"]),
    ],
)
def test_a_half_done_upgrade_counts_as_one_of_the_requested_ones(
    choice: Choice, expected: list[str]
) -> None:
    history = compare([ONE, TWO, THREE, FOUR], [row(ONE), row(TWO, state=State.UPGRADING)])
    assert keys(plan_upgrade(history, **choice)) == expected


def test_a_half_done_upgrade_beyond_the_target_is_not_finished() -> None:
    ledger = [row(ONE), row(THREE, state=State.UPGRADING)]
    error = upgrade_error([ONE, TWO, THREE], ledger, to="2", out_of_order=True)
    assert isinstance(error, PartialMigration)
    assert error.message == (
        "the upgrade of 0003 (step 3) stopped after step 1, and it comes after 0002"
    )
    assert error.next_step == "Finish it first with: dbwarden migrate -d primary --to 0003"
