"""Files and ledger, compared; and what an upgrade or a rollback then runs or refuses."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbwarden.errors import (
    ChangedMigration,
    DBWardenError,
    HistoryError,
    MissingMigration,
    OutOfOrder,
    PartialMigration,
    RollbackImpossible,
    UsageError,
)
from dbwarden.files.checksum import checksum
from dbwarden.files.migration import Migration, Section
from dbwarden.migration_history import HistoryKind, LedgerRow, State
from dbwarden.planning import Applied, History, RollbackPlan, compare, plan_rollback, plan_upgrade
from dbwarden.types import Checksum, DatabaseName, Version, format_version

PRIMARY = DatabaseName("primary")


def section(text: str, line: int = 2) -> Section:
    return Section(text=text, line=line, checksum=checksum(text))


def file(version: int, *needs: int, rollback: str | None = "DROP 1") -> Migration:
    return Migration(
        database=PRIMARY,
        kind=HistoryKind.VERSIONED,
        version=Version(version),
        name=f"step_{version}",
        path=Path(f"m/primary__{version:04d}_step_{version}.sql"),
        upgrade=section(f"CREATE {version}"),
        rollback=None if rollback is None else section(rollback, 5),
        depends_on=tuple(Version(need) for need in needs),
    )


def repeatable(
    name: str, kind: HistoryKind = HistoryKind.ON_CHANGE, text: str = "SELECT 1"
) -> Migration:
    return replace(
        file(1), kind=kind, version=None, name=name, upgrade=section(text), rollback=None
    )


def row(migration: Migration, id: int | None = None, state: State = State.APPLIED) -> LedgerRow:
    """The ledger row that applying *migration* leaves."""
    return LedgerRow(
        id=id if id is not None else int(migration.version or 1000),
        key=migration.key,
        description=migration.description,
        kind=migration.kind,
        upgrade_checksum=migration.upgrade.checksum,
        rollback_checksum=migration.rollback.checksum if migration.rollback else None,
        state=state,
        step=1,
        running=None,
        steps_checksum=None,
        started_at=datetime(2026, 11, 22, tzinfo=UTC),
        finished_at=datetime(2026, 11, 22, tzinfo=UTC),
        duration_ms=1.0,
        application="dbwarden",
        host="here",
        pid=1,
        dbwarden_version="0.1.0",
    )


def rows(*migrations: Migration) -> list[LedgerRow]:
    return [row(migration, id) for id, migration in enumerate(migrations, start=1)]


def keys(items: Sequence[Migration | Applied | LedgerRow]) -> list[str]:
    return [item.migration.key if isinstance(item, Applied) else item.key for item in items]


ONE, TWO, THREE, FOUR, FIVE = (file(version) for version in range(1, 6))


# -- compare ------------------------------------------------------------------------------------


@pytest.mark.parametrize("ledger", [None, ()])
def test_without_a_row_everything_is_pending_in_order(ledger: Sequence[LedgerRow] | None) -> None:
    always = repeatable("b", HistoryKind.ALWAYS)
    history = compare([always, THREE, repeatable("a"), ONE, TWO], ledger)
    assert keys(history.pending) == ["0001", "0002", "0003", "a", "b"]
    assert history == History(database=PRIMARY, pending=history.pending)
    assert history.version is None


def test_nothing_and_nothing_is_nothing() -> None:
    assert compare([], None) == History()


def test_what_is_applied_is_not_pending() -> None:
    history = compare([ONE, TWO, THREE], rows(ONE, TWO))
    assert keys(history.applied) == ["0001", "0002"]
    assert keys(history.pending) == ["0003"]
    assert history.version == "0002"


def test_what_was_rolled_back_is_pending_again() -> None:
    history = compare([ONE], [row(ONE, state=State.ROLLED_BACK)])
    assert history == History(database=PRIMARY, pending=(ONE,))


def test_a_wider_version_is_the_same_version() -> None:
    history = compare([ONE], [replace(row(ONE), key="00001")])
    assert keys(history.applied) == ["0001"]


@pytest.mark.parametrize(
    "edited",
    [
        replace(TWO, upgrade=section("CREATE 2 -- edited")),
        replace(TWO, rollback=section("DROP 2")),
        replace(TWO, rollback=section("")),
        replace(TWO, rollback=None),
    ],
)
def test_an_edited_file_is_changed_whichever_section_was_edited(edited: Migration) -> None:
    history = compare([ONE, edited], rows(ONE, TWO))
    assert history.changed == (Applied(migration=edited, row=row(TWO)),)
    assert keys(history.applied) == ["0001"]
    assert history.pending == ()
    assert history.version == "0002"


@pytest.mark.parametrize("before", [None, ""])
def test_a_rollback_written_where_there_was_none_is_no_edit(before: str | None) -> None:
    history = compare([ONE], rows(file(1, rollback=before)))
    assert keys(history.applied) == ["0001"]


def test_a_row_newer_than_any_file_is_ahead_and_one_between_files_is_missing() -> None:
    history = compare([ONE, THREE], rows(ONE, TWO, THREE, FOUR, FIVE))
    assert keys(history.missing) == ["0002"]
    assert keys(history.ahead) == ["0004", "0005"]
    assert history.version == "0005"


def test_without_any_file_no_row_is_taken_for_a_newer_apps() -> None:
    history = compare([], rows(ONE, TWO))
    assert keys(history.missing) == ["0001", "0002"]
    assert history.ahead == ()


def test_a_file_older_than_the_newest_applied_one_is_out_of_order() -> None:
    history = compare([ONE, TWO, THREE, FOUR, FIVE], rows(TWO, FOUR))
    assert keys(history.pending) == ["0001", "0003", "0005"]
    assert keys(history.out_of_order) == ["0001", "0003"]


def test_a_file_older_than_what_a_newer_app_applied_is_out_of_order() -> None:
    history = compare([ONE, TWO], rows(ONE, FIVE))
    assert keys(history.out_of_order) == ["0002"]


def test_a_file_that_waits_for_a_later_one_is_not_out_of_order() -> None:
    late = file(2, 4)
    history = compare([ONE, late, THREE, FOUR, FIVE], rows(ONE, THREE, FOUR))
    assert keys(history.pending) == ["0002", "0005"]
    assert history.out_of_order == ()


def test_repeatables_that_always_run_are_applied_and_pending_at_once() -> None:
    always = repeatable("grants", HistoryKind.ALWAYS)
    history = compare([ONE, always], rows(ONE, always))
    assert keys(history.applied) == ["0001", "grants"]
    assert keys(history.pending) == ["grants"]
    assert history.version == "0001"


@pytest.mark.parametrize("kind", [HistoryKind.ALWAYS, HistoryKind.ON_CHANGE])
def test_an_edited_repeatable_is_pending_and_its_row_superseded(kind: HistoryKind) -> None:
    old, new = repeatable("v", kind), repeatable("v", kind, "SELECT 2")
    history = compare([new], rows(old))
    assert history.superseded == (Applied(migration=new, row=row(old, 1)),)
    assert (history.pending, history.applied, history.changed) == ((new,), (), ())


def test_an_unchanged_repeatable_is_not_pending_whatever_its_rollback_says() -> None:
    view = repeatable("v")
    history = compare([view], [replace(row(view), rollback_checksum=Checksum("x"))])
    assert keys(history.applied) == ["v"]
    assert history.pending == ()


def test_a_repeatable_without_a_file_is_retired_and_no_fault() -> None:
    history = compare([ONE], rows(ONE, repeatable("old")))
    assert keys(history.retired) == ["old"]
    assert plan_upgrade(history) == ()


@pytest.mark.parametrize("state", [State.UPGRADING, State.ROLLING_BACK])
def test_what_stands_between_two_steps_is_partial_with_or_without_its_file(state: State) -> None:
    half = row(TWO, state=state)
    assert compare([ONE, TWO, THREE], [half]).partial == ((half, TWO),)
    without = compare([ONE, THREE], [half])
    assert without.partial == ((half, None),)
    assert keys(without.out_of_order) == ["0001"]


STATES = st.sampled_from(State)
NAMES = st.sampled_from("abc")
KINDS = st.sampled_from([HistoryKind.ALWAYS, HistoryKind.ON_CHANGE])
TEXTS = st.sampled_from(["SELECT 1", "SELECT 2"])
VERSIONED = st.sets(st.integers(1, 8)).map(lambda found: [file(version) for version in found])
NEEDING = st.dictionaries(st.integers(1, 8), st.sets(st.integers(1, 8), max_size=2)).map(
    lambda found: [
        # Only pairs that cannot close a circle: even ones may need odd ones, earlier or later.
        file(version, *(need for need in needs if version % 2 == 0 and need % 2))
        for version, needs in found.items()
    ]
)
REPEATABLES = st.dictionaries(st.tuples(NAMES, KINDS), TEXTS).map(
    lambda found: [repeatable(name, kind, text) for (name, kind), text in found.items()]
)


@given(
    st.one_of(VERSIONED, NEEDING),
    REPEATABLES,
    st.dictionaries(st.integers(1, 9), st.tuples(STATES, st.booleans())),
    st.dictionaries(st.tuples(NAMES, KINDS), st.tuples(STATES, TEXTS)),
)
def test_every_file_and_every_live_row_has_exactly_one_place(
    files: list[Migration],
    repeatables: list[Migration],
    versioned_rows: dict[int, tuple[State, bool]],
    repeatable_rows: dict[tuple[str, HistoryKind], tuple[State, str]],
) -> None:
    ledger = [
        replace(row(file(version), 10 + version, state), upgrade_checksum=Checksum("x"))
        if edited
        else row(file(version), 10 + version, state)
        for version, (state, edited) in versioned_rows.items()
    ] + [
        row(repeatable(name, kind, text), 100 + at, state)
        for at, ((name, kind), (state, text)) in enumerate(repeatable_rows.items())
    ]
    history = compare([*files, *repeatables], ledger)

    pairs = (*history.applied, *history.changed, *history.superseded)
    placed = [item.row.id for item in pairs] + [one.id for one, _ in history.partial]
    placed += [one.id for one in (*history.missing, *history.ahead, *history.retired)]
    assert sorted(placed) == sorted(one.id for one in ledger if one.live)

    everything = [*files, *repeatables]
    begun = [item for _, item in history.partial if item is not None]
    again = [item for item in history.pending if any(pair.migration is item for pair in pairs)]
    assert all(item.version is None for item in again)
    fresh = [item for item in history.pending if not any(item is one for one in again)]
    found = [*(pair.migration for pair in pairs), *begun, *fresh]
    assert sorted(map(id, found)) == sorted(map(id, everything))

    order = [id(item) for item in history.pending]
    assert [id(item) for item in history.out_of_order] == [
        place for place in order if place in {id(item) for item in history.out_of_order}
    ]
    versions = [item.version for item in files]
    for item in history.pending:
        done = {other.version for other in history.pending[: history.pending.index(item)]}
        waiting = {other.version for other in history.pending} - done
        assert not waiting.intersection(item.depends_on)
    for one in history.ahead:
        assert versions and int(one.key) > max(version or 0 for version in versions)


# -- upgrade ------------------------------------------------------------------------------------


ALL = [ONE, TWO, THREE, FOUR, FIVE, repeatable("v")]


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
def test_an_upgrade_runs_what_was_chosen_and_repeatables_when_nothing_stays_pending(
    choice: dict[str, object], expected: list[str]
) -> None:
    history = compare(ALL, rows(ONE))
    assert keys(plan_upgrade(history, **choice)) == expected  # type: ignore[arg-type]


def test_an_upgrade_up_to_a_version_takes_what_that_version_needs() -> None:
    history = compare([ONE, file(2, 4), THREE, FOUR, FIVE], rows(ONE))
    assert keys(plan_upgrade(history, to="2")) == ["0003", "0004", "0002"]
    assert keys(plan_upgrade(history, to="4")) == ["0003", "0004"]


def test_being_ahead_is_fine_when_nothing_is_pending() -> None:
    assert plan_upgrade(compare([ONE], rows(ONE, TWO))) == ()


def upgrade_error(
    files: Sequence[Migration], ledger: Sequence[LedgerRow], **choice: object
) -> DBWardenError:
    with pytest.raises(DBWardenError) as caught:
        plan_upgrade(compare(files, ledger), **choice)  # type: ignore[arg-type]
    assert caught.value.next_step
    return caught.value


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
def test_an_upgrade_to_where_it_cannot_go_says_what_can_be_done(
    to: str, message: str, next_step: str
) -> None:
    error = upgrade_error(ALL, rows(ONE, TWO), to=to)
    assert isinstance(error, UsageError)
    assert (error.message, error.next_step) == (message, next_step)


def test_an_upgrade_to_a_version_where_there_is_no_file_says_so() -> None:
    error = upgrade_error([], [], to="1")
    assert error.message == "there is no migration 0001 here; there are none"
    assert error.next_step == "Check migrations_dir in the configuration."


@pytest.mark.parametrize("choice", [{"to": "1", "count": 1}, {"count": 0}, {"count": -1}])
def test_a_choice_that_makes_no_sense_is_refused_in_both_directions(
    choice: dict[str, object],
) -> None:
    assert isinstance(upgrade_error([ONE], [], **choice), UsageError)
    assert isinstance(rollback_error([ONE], rows(ONE), **choice), UsageError)


def test_an_upgrade_refuses_what_was_edited_and_says_where_and_what_to_do() -> None:
    edited = replace(TWO, upgrade=section("CREATE 22"))
    error = upgrade_error([ONE, edited, THREE], rows(ONE, TWO))
    assert isinstance(error, ChangedMigration)
    assert error.message == "0002 (step 2) was edited after it was applied: its upgrade"
    assert str(error.location) == f"{TWO.path}:2"
    assert error.database == PRIMARY
    assert error.next_step == (
        "Undo the edit, and put the change into a new migration: "
        "dbwarden new -d primary -m '...'. "
        "If the database has that change already, accept the file as it is; the edited SQL will "
        "not run: dbwarden repair -d primary --accept 0002"
    )


def test_an_edited_rollback_is_told_from_an_edited_upgrade_and_all_edits_are_named() -> None:
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


def test_without_any_file_the_folder_is_suspected_first() -> None:
    many = [file(version) for version in range(1, 9)]
    error = upgrade_error([], rows(*many))
    assert isinstance(error, MissingMigration)
    assert error.message == (
        "8 migrations are applied (0001, 0002, 0003, 0004, 0005 and 3 more), but the migrations "
        "folder has no files"
    )
    assert "migrations_dir" in (error.next_step or "")


def test_a_half_done_upgrade_does_not_stand_in_the_way_of_the_rest() -> None:
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


def test_out_of_order_is_refused_unless_it_is_asked_for() -> None:
    error = upgrade_error([ONE, TWO, THREE, FOUR], rows(ONE, THREE))
    assert isinstance(error, OutOfOrder)
    assert error.message == "0002 is older than what is applied (the newest is 0003)"
    assert "dbwarden migrate -d primary --out-of-order" in (error.next_step or "")
    history = compare([ONE, TWO, THREE, FOUR], rows(ONE, THREE))
    assert keys(plan_upgrade(history, out_of_order=True)) == ["0002", "0004"]
    assert keys(plan_upgrade(history, out_of_order=True, to="3")) == ["0002"]
    both = upgrade_error([ONE, TWO, THREE], rows(THREE))
    assert both.message == "0001, 0002 are older than what is applied (the newest is 0003)"


# -- rollback -----------------------------------------------------------------------------------


def rollback_error(
    files: Sequence[Migration], ledger: Sequence[LedgerRow], **choice: object
) -> DBWardenError:
    with pytest.raises(DBWardenError) as caught:
        plan_rollback(compare(files, ledger), **choice)  # type: ignore[arg-type]
    assert caught.value.next_step
    return caught.value


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
    choice: dict[str, object], expected: list[str]
) -> None:
    history = compare(ALL, rows(ONE, TWO, THREE, repeatable("v")))
    assert keys(plan_rollback(history, **choice).fresh) == expected  # type: ignore[arg-type]


def test_the_newest_is_what_was_applied_last_and_not_what_has_the_highest_number() -> None:
    history = compare([ONE, TWO, THREE], rows(ONE, THREE, TWO))
    assert keys(plan_rollback(history).fresh) == ["0002"]
    assert keys(plan_rollback(history, count=2).fresh) == ["0002", "0003"]
    assert keys(plan_rollback(history, to="1").fresh) == ["0002", "0003"]
    assert keys(plan_rollback(history, to="2").fresh) == ["0003"]


def test_going_back_to_a_version_heeds_the_order_in_which_migrations_run() -> None:
    late = file(2, 3)
    history = compare([ONE, late, THREE], rows(ONE, THREE, late))
    assert keys(plan_rollback(history, to="3").fresh) == ["0002"]
    assert keys(plan_rollback(history, to="2").fresh) == []


def test_with_nothing_applied_there_is_nothing_to_take_back() -> None:
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
def test_what_cannot_be_taken_back_stops_the_whole_rollback(
    newest: Migration, message: str, line: str
) -> None:
    error = rollback_error([ONE, newest, THREE], rows(ONE, newest, THREE), to="0")
    assert isinstance(error, RollbackImpossible)
    assert error.message == f"0002 (step 2) {message}"
    assert str(error.location) == f"{TWO.path}{line}"
    assert keys(plan_rollback(compare([ONE, newest, THREE], rows(ONE, newest, THREE))).fresh) == [
        "0003"
    ]


def test_a_rollback_edited_since_is_refused_but_an_edited_upgrade_can_be_taken_back() -> None:
    edited = replace(TWO, rollback=section("DROP 22", 5))
    error = rollback_error([ONE, edited], rows(ONE, TWO))
    assert isinstance(error, ChangedMigration)
    assert error.message == "the rollback of 0002 (step 2) was edited after it was applied"
    assert (error.next_step or "").endswith("dbwarden repair -d primary --accept 0002")
    removed = rollback_error([replace(TWO, rollback=None)], rows(TWO))
    assert isinstance(removed, ChangedMigration)
    history = compare([replace(TWO, upgrade=section("CREATE 22"))], rows(TWO))
    assert keys(plan_rollback(history).fresh) == ["0002"]


def test_what_a_newer_app_applied_can_only_be_taken_back_with_its_files() -> None:
    error = rollback_error([ONE], rows(ONE, TWO))
    assert isinstance(error, RollbackImpossible)
    assert error.message == (
        "0002 (step 2) was applied by a newer version of the app: its file is not here"
    )


def test_what_has_lost_its_file_cannot_be_taken_back() -> None:
    error = rollback_error([ONE, THREE], rows(ONE, THREE, TWO))
    assert isinstance(error, MissingMigration)
    assert error.message == "the file of 0002 (step 2) is gone"


def test_what_another_one_depends_on_stays_while_that_one_stays() -> None:
    needing = file(3, 2)
    error = rollback_error([ONE, TWO, needing], rows(ONE, needing, TWO))
    assert isinstance(error, RollbackImpossible)
    assert error.message == "0003 (step 3) depends on 0002 and would stay applied"
    assert str(error.location) == str(needing.path)
    history = compare([ONE, TWO, needing], rows(ONE, needing, TWO))
    assert keys(plan_rollback(history, count=2).fresh) == ["0002", "0003"]


def test_a_file_that_is_not_here_is_not_asked_what_it_depends_on() -> None:
    history = compare([ONE, TWO], rows(ONE, FIVE, TWO))
    assert keys(plan_rollback(history).fresh) == ["0002"]
    assert keys(plan_rollback(history, to="5").fresh) == []


def test_an_upgrade_that_is_half_done_is_finished_before_anything_is_taken_back() -> None:
    error = rollback_error([ONE, TWO], [row(ONE), row(TWO, state=State.UPGRADING)])
    assert isinstance(error, PartialMigration)
    assert error.message == "the upgrade of 0002 (step 2) stopped after step 1"
    assert error.next_step == "Finish it first with: dbwarden migrate -d primary"


@pytest.mark.parametrize("state", [State.UPGRADING, State.ROLLING_BACK])
def test_what_is_half_done_and_has_lost_its_file_stops_a_rollback(state: State) -> None:
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
def test_a_rollback_that_stopped_half_way_is_finished_and_then_the_rest_is_taken_back(
    choice: dict[str, object], expected: list[str]
) -> None:
    plan = plan_rollback(HALF_BACK, **choice)  # type: ignore[arg-type]
    assert [migration for _, migration in plan.resumed] == [THREE]
    assert keys(plan.fresh) == expected


def test_what_is_half_rolled_back_cannot_stay() -> None:
    with pytest.raises(PartialMigration, match=r"of 0003 .* so it cannot stay") as caught:
        plan_rollback(HALF_BACK, to="3")
    assert "dbwarden rollback -d primary" in (caught.value.next_step or "")


def test_nothing_is_resumed_where_the_rest_cannot_be_taken_back() -> None:
    """Alone it can be."""
    history = compare(
        [ONE, replace(TWO, rollback=None), THREE],
        [row(ONE), row(replace(TWO, rollback=None)), row(THREE, state=State.ROLLING_BACK)],
    )
    with pytest.raises(RollbackImpossible):
        plan_rollback(history, to="0")
    assert [migration for _, migration in plan_rollback(history).resumed] == [THREE]


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
def test_an_upgrade_that_stopped_half_way_is_one_of_those_that_were_asked_for(
    choice: dict[str, object], expected: list[str]
) -> None:
    history = compare([ONE, TWO, THREE, FOUR], [row(ONE), row(TWO, state=State.UPGRADING)])
    assert keys(plan_upgrade(history, **choice)) == expected  # type: ignore[arg-type]


def test_an_upgrade_that_stopped_half_way_is_not_finished_where_it_goes_too_far() -> None:
    ledger = [row(ONE), row(THREE, state=State.UPGRADING)]
    error = upgrade_error([ONE, TWO, THREE], ledger, to="2", out_of_order=True)
    assert isinstance(error, PartialMigration)
    assert error.message == (
        "the upgrade of 0003 (step 3) stopped after step 1, and it comes after 0002"
    )
    assert error.next_step == "Finish it first with: dbwarden migrate -d primary --to 0003"


@pytest.mark.parametrize(
    ("ledger", "to", "message"),
    [
        (rows(ONE, TWO), "3", "0003 is not applied; the newest applied one is 0002"),
        (rows(ONE, TWO), "9", "0009 is not applied; the newest applied one is 0002"),
        ([], "1", "0001 is not applied; nothing is applied"),
    ],
)
def test_going_back_to_what_is_not_applied_is_refused(
    ledger: list[LedgerRow], to: str, message: str
) -> None:
    error = rollback_error([ONE, TWO, THREE], ledger, to=to)
    assert isinstance(error, UsageError)
    assert error.message == message


@given(st.permutations([1, 2, 3, 4, 5]), st.integers(0, 5), st.integers(1, 6))
def test_upgrade_and_rollback_plans_lead_where_they_say(
    applied_in: list[int], applied: int, count: int
) -> None:
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
