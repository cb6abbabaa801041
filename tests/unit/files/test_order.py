"""The order of migrations that depend on each other."""

from hypothesis import given
from hypothesis import strategies as st

from dbwarden.files.order import cycle_of, format_cycle, sort_migrations
from tests.unit.files.migrations import migration


def test_a_migration_that_depends_on_a_later_one_runs_after_it() -> None:
    files = [
        migration(3, 5),
        migration(1),
        migration(5),
        migration(2),
        migration(4),
        migration(6, 3),
    ]
    assert [item.version for item in sort_migrations(files)] == [1, 2, 4, 5, 3, 6]
    assert cycle_of(files) == ()


def test_a_dependency_outside_the_ordered_files_is_assumed_to_exist() -> None:
    assert [item.version for item in sort_migrations([migration(2, 9), migration(1)])] == [1, 2]


GRAPHS = st.dictionaries(st.integers(1, 9), st.sets(st.integers(1, 9), max_size=3), max_size=9)


@given(GRAPHS)
def test_the_order_respects_every_dependency_or_reports_a_cycle(graph: dict[int, set[int]]) -> None:
    files = [migration(version, *needs) for version, needs in graph.items()]
    ordered = [item.version or 0 for item in sort_migrations(files)]
    cycle = cycle_of(files)
    assert sorted(set(ordered)) == sorted(ordered)
    assert (len(ordered) == len(files)) == (not cycle)
    for place, version in enumerate(ordered):
        needs = {need for need in graph[version] if need in graph}
        assert needs <= set(ordered[:place])
    for item, following in zip(cycle, [*cycle[1:], *cycle[:1]], strict=True):
        assert following.version in item.depends_on
    if cycle:
        assert format_cycle(cycle).endswith(f" -> {cycle[0].key}")


@given(st.sets(st.integers(1, 99)))
def test_without_dependencies_the_order_is_that_of_the_numbers(versions: set[int]) -> None:
    ordered = sort_migrations([migration(version) for version in versions])
    assert [item.version for item in ordered] == sorted(versions)
