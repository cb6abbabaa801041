"""Migration files compared with the migration history."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbwarden.files.migration import Migration
from dbwarden.migration_history import HistoryKind, LedgerRow, State
from dbwarden.planning.comparing import Applied, HistoryComparison, compare
from dbwarden.planning.upgrading import plan_upgrade
from dbwarden.types import Checksum
from tests.unit.planning.histories import (
    FIVE,
    FOUR,
    ONE,
    PRIMARY,
    THREE,
    TWO,
    file,
    keys,
    repeatable,
    row,
    rows,
    section,
)


@pytest.mark.parametrize("ledger", [None, ()])
def test_without_a_row_everything_is_pending_in_order(ledger: Sequence[LedgerRow] | None) -> None:
    always = repeatable("b", HistoryKind.ALWAYS)
    history = compare([always, THREE, repeatable("a"), ONE, TWO], ledger)
    assert keys(history.pending) == ["0001", "0002", "0003", "a", "b"]
    assert history == HistoryComparison(database=PRIMARY, pending=history.pending)
    assert history.version is None


def test_no_files_and_no_history_compare_to_nothing() -> None:
    assert compare([], None) == HistoryComparison()


def test_an_applied_migration_is_not_pending() -> None:
    history = compare([ONE, TWO, THREE], rows(ONE, TWO))
    assert keys(history.applied) == ["0001", "0002"]
    assert keys(history.pending) == ["0003"]
    assert history.version == "0002"


def test_a_migration_that_was_rolled_back_is_pending() -> None:
    history = compare([ONE], [row(ONE, state=State.ROLLED_BACK)])
    assert history == HistoryComparison(database=PRIMARY, pending=(ONE,))


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
def test_an_edit_of_either_section_is_a_change(edited: Migration) -> None:
    history = compare([ONE, edited], rows(ONE, TWO))
    assert history.changed == (Applied(migration=edited, row=row(TWO)),)
    assert keys(history.applied) == ["0001"]
    assert history.pending == ()
    assert history.version == "0002"


@pytest.mark.parametrize("before", [None, ""])
def test_a_rollback_added_later_is_no_edit(before: str | None) -> None:
    history = compare([ONE], rows(file(1, rollback=before)))
    assert keys(history.applied) == ["0001"]


def test_a_row_newer_than_all_files_is_ahead_and_an_older_one_is_missing() -> None:
    history = compare([ONE, THREE], rows(ONE, TWO, THREE, FOUR, FIVE))
    assert keys(history.missing) == ["0002"]
    assert keys(history.ahead) == ["0004", "0005"]
    assert history.version == "0005"


def test_without_any_file_no_row_counts_as_ahead() -> None:
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


def test_an_unchanged_repeatable_is_not_pending_after_an_edit_of_its_rollback() -> None:
    view = repeatable("v")
    history = compare([view], [replace(row(view), rollback_checksum=Checksum("x"))])
    assert keys(history.applied) == ["v"]
    assert history.pending == ()


def test_a_repeatable_without_a_file_is_retired() -> None:
    history = compare([ONE], rows(ONE, repeatable("old")))
    assert keys(history.retired) == ["old"]
    assert plan_upgrade(history) == ()


@pytest.mark.parametrize("state", [State.UPGRADING, State.ROLLING_BACK])
def test_a_migration_between_two_steps_is_partial_with_or_without_its_file(state: State) -> None:
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
