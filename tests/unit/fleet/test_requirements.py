"""Databases run in stages after their requirements."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbwarden.errors import MigrationFileError
from dbwarden.files.checksum import checksum
from dbwarden.files.migration import Migration, Requirement, Section
from dbwarden.fleet.requirements import plan_stages
from dbwarden.migration_history import HistoryKind
from dbwarden.types import DatabaseName, Version

Needs = Mapping[int, Sequence[tuple[str, int]]]


def migrations(database: str, count: int, needs: Needs | None = None) -> tuple[Migration, ...]:
    """Migrations 1 to *count*; *needs* says which require what."""
    name = DatabaseName(database)
    text = "CREATE TABLE t (id int);"
    return tuple(
        Migration(
            database=name,
            kind=HistoryKind.VERSIONED,
            version=Version(number),
            name=f"m{number}",
            path=Path(f"{database}__{number:04d}_m.sql"),
            upgrade=Section(text=text, line=2, checksum=checksum(text)),
            rollback=None,
            requires=tuple(
                Requirement(database=DatabaseName(other), version=Version(version))
                for other, version in (needs or {}).get(number, ())
            ),
        )
        for number in range(1, count + 1)
    )


def files(**databases: tuple[Migration, ...]) -> dict[DatabaseName, Sequence[Migration]]:
    return {DatabaseName(name): items for name, items in databases.items()}


def planned(found: dict[DatabaseName, Sequence[Migration]]) -> list[tuple[str, int, int | None]]:
    return [(s.database, s.level, s.to) for s in plan_stages(found, list(found))]


def test_without_requirements_each_database_is_one_stage() -> None:
    found = files(a=migrations("a", 3), b=migrations("b", 0))

    assert planned(found) == [("a", 0, None), ("b", 0, None)]


def test_a_dependent_database_runs_one_stage_later() -> None:
    found = files(a=migrations("a", 3, {2: [("b", 1)]}), b=migrations("b", 2))

    assert planned(found) == [("a", 0, 1), ("a", 1, None), ("b", 0, None)]
    (need,) = plan_stages(found, list(found))[1].requires
    assert (need.database, need.version) == ("b", 1)


def test_databases_may_require_each_other_at_different_points() -> None:
    found = files(
        a=migrations("a", 3, {3: [("b", 2)]}),
        b=migrations("b", 2, {2: [("a", 2)]}),
    )

    assert planned(found) == [("a", 0, 2), ("a", 2, None), ("b", 0, 1), ("b", 1, None)]


def test_a_first_migration_may_require_another_database() -> None:
    found = files(a=migrations("a", 1, {1: [("b", 1)]}), b=migrations("b", 1))

    assert planned(found) == [("a", 1, None), ("b", 0, None)]


def test_a_cycle_of_requirements_is_named() -> None:
    found = files(
        a=migrations("a", 2, {1: [("b", 2)]}),
        b=migrations("b", 2, {2: [("a", 1)]}),
    )

    with pytest.raises(MigrationFileError, match="require each other: a@0001 -> b@0002 -> a@0001"):
        plan_stages(found, list(found))


def test_a_cycle_through_the_order_of_the_files_is_found() -> None:
    found = files(
        a=migrations("a", 2, {1: [("b", 2)]}),
        b=migrations("b", 2, {1: [("a", 2)]}),
    )

    with pytest.raises(MigrationFileError, match="require each other"):
        plan_stages(found, list(found))


@pytest.mark.parametrize(
    ("need", "said"),
    [
        (("nobody", 1), "no database nobody is configured"),
        (("b", 9), "requires b@0009, but b has no such migration"),
    ],
)
def test_a_requirement_that_does_not_exist_is_an_error_with_its_file(
    need: tuple[str, int], said: str
) -> None:
    found = files(a=migrations("a", 1, {1: [need]}), b=migrations("b", 1))

    with pytest.raises(MigrationFileError, match=said) as caught:
        plan_stages(found, list(found))
    assert caught.value.location is not None
    assert caught.value.location.path.name == "a__0001_m.sql"


def test_only_chosen_databases_have_stages() -> None:
    found = files(a=migrations("a", 1, {1: [("b", 1)]}), b=migrations("b", 1))

    (stage,) = plan_stages(found, [DatabaseName("a")])
    assert stage.database == "a"


@given(st.integers(0, 10_000))
def test_stages_run_in_order_of_level_meet_every_requirement(seed: int) -> None:
    """A random history that has an order; running by level must never run before its need."""
    chance = random.Random(seed)
    order = [(name, n) for name in "abc" for n in range(1, 4)]
    nodes: list[tuple[str, int]] = []
    left = {name: [1, 2, 3] for name in "abc"}
    while any(left.values()):
        name = chance.choice([name for name, items in left.items() if items])
        nodes.append((name, left[name].pop(0)))
    needs: dict[str, dict[int, list[tuple[str, int]]]] = {name: {} for name in "abc"}
    for place, (name, number) in enumerate(nodes):
        earlier = [node for node in nodes[:place] if node[0] != name]
        if earlier and chance.random() < 0.5:
            needs[name][number] = [chance.choice(earlier)]
    found = files(**{name: migrations(name, 3, needs[name]) for name in "abc"})

    done: set[tuple[str, int]] = set()
    for stage in sorted(plan_stages(found, list(found)), key=lambda stage: stage.level):
        for need in stage.requires:
            assert (need.database, need.version) in done
        last = stage.to if stage.to is not None else 3
        done |= {(stage.database, number) for number in range(1, last + 1)}
    assert done == set(order)


def test_a_long_history_is_no_problem() -> None:
    found = files(a=migrations("a", 5000, {5000: [("b", 1)]}), b=migrations("b", 1))

    assert planned(found)[0] == ("a", 0, 4999)
