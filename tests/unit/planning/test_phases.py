"""Migrations before and after a deployment."""

from dataclasses import replace

import pytest

from dbwarden.errors import PhaseOrder
from dbwarden.files.migration import Backfill, Migration, Phase
from dbwarden.planning.comparing import compare
from dbwarden.planning.phases import deployment_order, online_sets
from dbwarden.planning.upgrading import plan_upgrade
from dbwarden.types import Version
from tests.unit.files.migrations import migration


def files(*phases: Phase | None, depends: dict[int, int] | None = None) -> list[Migration]:
    """Migrations from 0001 on, with these phases and dependencies."""
    return [
        replace(
            migration(number, *([(depends or {})[number]] if number in (depends or {}) else [])),
            phase=phase,
        )
        for number, phase in enumerate(phases, start=1)
    ]


def planned(migrations: list[Migration], phase: Phase | None) -> list[int | None]:
    return [item.version for item in plan_upgrade(compare(migrations, ()), phase=phase)]


def test_each_phase_runs_its_own_migrations() -> None:
    migrations = files("pre", None, "post")
    assert planned(migrations, None) == [1, 2, 3]
    assert planned(migrations, "pre") == [1, 2]
    assert planned(files("post", "post"), "post") == [1, 2]


def test_post_waits_for_its_pre() -> None:
    with pytest.raises(PhaseOrder, match="0002 runs after the deployment, but 0001"):
        planned(files("pre", "post"), "post")


def test_post_does_not_wait_for_the_pre_of_a_later_release() -> None:
    assert planned(files("post", "pre"), "post") == [1]


def test_pre_overtakes_a_post_that_it_does_not_need() -> None:
    assert planned(files("pre", "post", "pre"), "pre") == [1, 3]


def test_pre_never_overtakes_a_post_that_it_needs() -> None:
    with pytest.raises(PhaseOrder, match="0002 runs before the deployment, but depends on 0001"):
        planned(files("post", "pre", depends={2: 1}), "pre")


def test_a_deployment_that_skips_releases_has_another_order() -> None:
    order = deployment_order(files("pre", "post", "pre", "post", "pre", depends={5: 2}))
    assert [item.version for item in order] == [Version(n) for n in (1, 3, 2, 5, 4)]


def test_a_set_ends_with_its_last_phase() -> None:
    # expand, backfill, switch and contract; a set without contract; a backfill without a phase
    every = files("pre", "pre", "pre", "post", "pre", "pre", "pre", "pre", "pre", None, "pre")
    migrations = [
        replace(
            item,
            backfill=Backfill(table="t", line=1) if number in (2, 6, 9, 10) else None,
            requires_backfill=(Version(number - 1),) if number in (3, 7) else (),
        )
        for number, item in enumerate(every, start=1)
    ]
    versions = [[item.version for item in items] for items in online_sets(migrations)]
    assert versions == [[1, 2, 3, 4], [5, 6, 7], [8, 9]]
