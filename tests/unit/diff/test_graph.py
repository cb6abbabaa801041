"""The topological sort."""

from hypothesis import given
from hypothesis import strategies as st

from dbwarden.diff.graph import Graph

EDGES = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20)


def graph(hard: list[tuple[int, int]], soft: list[tuple[int, int]]) -> Graph:
    made = Graph(8)
    for first, second in hard:
        made.before(first, second)
    for first, second in soft:
        made.prefer(first, second)
    return made


def sort(made: Graph) -> tuple[list[int], list[int]]:
    return made.sort([(number,) for number in range(made.size)])


@given(EDGES, EDGES)
def test_every_hard_edge_is_kept_and_every_node_comes_once(
    hard: list[tuple[int, int]], soft: list[tuple[int, int]]
) -> None:
    forward = [(min(pair), max(pair)) for pair in hard]

    order, circle = sort(graph(forward, soft))

    assert sorted(order) == list(range(8))
    assert circle == []
    assert all(
        order.index(first) < order.index(second) for first, second in forward if first != second
    )


def test_the_smallest_priority_comes_first_where_nothing_else_decides() -> None:
    assert sort(graph([(3, 0)], [])) == ([1, 2, 3, 0, 4, 5, 6, 7], [])


def test_soft_edges_outside_cycles_are_kept() -> None:
    assert sort(graph([], [(7, 0)]))[0] == [1, 2, 3, 4, 5, 6, 7, 0]


def test_as_few_soft_edges_as_possible_are_broken_in_a_cycle() -> None:
    order, circle = sort(graph([], [(0, 1), (1, 0)]))

    assert (sorted(order), circle) == (list(range(8)), [])


def test_a_cycle_of_hard_edges_is_named() -> None:
    assert sort(graph([(0, 1), (1, 2), (2, 1)], [])) == ([0, 3, 4, 5, 6, 7], [1, 2])


def test_nodes_after_a_cycle_of_soft_edges_wait_for_it() -> None:
    order, _ = sort(graph([], [(6, 7), (7, 6), (5, 6), (7, 0), (0, 1)]))

    assert order == [2, 3, 4, 5, 6, 7, 0, 1]


@given(EDGES)
def test_only_soft_edges_inside_cycles_are_broken(wishes: list[tuple[int, int]]) -> None:
    order, _ = sort(graph([], wishes))
    reach = [{node} for node in range(8)]
    for _ in range(8):
        for first, second in wishes:
            reach[first] |= reach[second]

    broken = [pair for pair in wishes if order.index(pair[0]) > order.index(pair[1])]

    assert all(first in reach[second] for first, second in broken)
