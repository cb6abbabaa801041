"""Sort a graph topologically, deterministically, with hard and soft edges. Pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

GROUP = 3
"""The number of leading parts of a priority that form the group of a node: stage and table."""


@dataclass(slots=True)
class Graph:
    """A graph whose nodes are numbers from 0; an edge means that one node precedes another.

    Soft edges are preferences: where they form a cycle, some are ignored.
    """

    size: int
    hard: list[set[int]] = field(default_factory=list)
    soft: list[set[int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hard = [set() for _ in range(self.size)]
        self.soft = [set() for _ in range(self.size)]

    def before(self, first: int, second: int) -> None:
        """Require that *first* precedes *second*."""
        if first != second:
            self.hard[first].add(second)

    def prefer(self, first: int, second: int) -> None:
        """Prefer that *first* precedes *second*."""
        if first != second:
            self.soft[first].add(second)

    def before_each(self, firsts: Iterable[int], seconds: Collection[int]) -> None:
        """Require that each of *firsts* precedes each of *seconds*."""
        for first in firsts:
            self.hard[first] |= {*seconds} - {first}

    def prefer_each(self, firsts: Iterable[int], seconds: Collection[int]) -> None:
        """Prefer that each of *firsts* precedes each of *seconds*."""
        for first in firsts:
            self.soft[first] |= {*seconds} - {first}

    def sort(self, priorities: Sequence[tuple[object, ...]]) -> tuple[list[int], list[int]]:
        """Return the nodes in an order that respects every hard edge.

        Among the nodes that are ready, one of the previous node's group comes first, so that groups
        stay together; otherwise the one with the smallest priority. A soft edge is ignored only if
        it is part of a cycle.

        Returns:
            The order, and the nodes that are part of a cycle of hard edges (normally none).
        """
        must, may = _incoming(self.hard), _incoming(self.soft)
        behind = predecessors(self.hard, self.soft)
        ready = _Ready(priorities)
        waiting = set()
        for node in range(self.size):
            if must[node] or may[node]:
                waiting.add(node)
            else:
                ready.put(node)
        order: list[int] = []
        while ready or waiting:
            if not ready:
                first = min(waiting, key=lambda n: priorities[n])
                circle = _first_circle(first, behind, waiting)
                free = [n for n in circle if not must[n]] or [n for n in waiting if not must[n]]
                if not free:
                    break
                chosen = min(free, key=lambda n: (may[n], priorities[n]))
                waiting.discard(chosen)
                ready.put(chosen)
            node = ready.take()
            order.append(node)
            for counts, edges in ((must, self.hard), (may, self.soft)):
                for other in edges[node]:
                    counts[other] -= 1
                    if other in waiting and not must[other] and not may[other]:
                        waiting.discard(other)
                        ready.put(other)
        return order, sorted(waiting)


class _Ready:
    """The nodes that are ready: those of the last node's group first, then by priority."""

    def __init__(self, priorities: Sequence[tuple[object, ...]]) -> None:
        self._priorities = priorities
        self._groups: dict[tuple[object, ...], list[tuple[tuple[object, ...], int]]] = {}
        self._first: list[tuple[object, ...]] = []
        self._last: tuple[object, ...] = ()

    def __bool__(self) -> bool:
        return bool(self._groups)

    def put(self, node: int) -> None:
        priority = self._priorities[node]
        group = priority[:GROUP]
        if group not in self._groups:
            self._groups[group] = []
            heappush(self._first, group)
        heappush(self._groups[group], (priority, node))

    def take(self) -> int:
        while self._last not in self._groups:
            self._last = heappop(self._first)
        members = self._groups[self._last]
        _, node = heappop(members)
        if not members:
            del self._groups[self._last]
        return node


def _incoming(edges: Sequence[set[int]]) -> list[int]:
    counts = [0] * len(edges)
    for targets in edges:
        for target in targets:
            counts[target] += 1
    return counts


def predecessors(*edges: Sequence[set[int]]) -> list[list[int]]:
    """Return the predecessors of each node."""
    found: list[list[int]] = [[] for _ in edges[0]]
    for kind in edges:
        for node, targets in enumerate(kind):
            for target in targets:
                found[target].append(node)
    return found


def _first_circle(start: int, behind: Sequence[Sequence[int]], among: set[int]) -> set[int]:
    """Return nodes of *among* that form a cycle that *start* waits for, and wait for no others.

    This is the first strongly connected component that Tarjan's algorithm completes.
    """
    seen, low, path = {start: 0}, {start: 0}, [start]
    open_ = [(start, iter(behind[start]))]
    while True:
        node, rest = open_[-1]
        for other in rest:
            if other in seen:
                low[node] = min(low[node], seen[other])
            elif other in among:
                seen[other] = low[other] = len(seen)
                path.append(other)
                open_.append((other, iter(behind[other])))
                break
        else:
            if low[node] == seen[node]:
                return set(path[seen[node] :])
            open_.pop()
            parent = open_[-1][0]
            low[parent] = min(low[parent], low[node])
