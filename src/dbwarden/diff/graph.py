"""A topological sort with a mind of its own: deterministic, and gentle where it may be. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

GROUP = 3
"""How many parts of a priority name the group of a node, as its stage and its table."""


@dataclass(slots=True)
class Graph:
    """Nodes are numbers from 0; an edge says that one comes before another.

    Soft edges are wishes: where they run in a circle, some are not granted.
    """

    size: int
    hard: list[set[int]] = field(default_factory=list)
    soft: list[set[int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hard = [set() for _ in range(self.size)]
        self.soft = [set() for _ in range(self.size)]

    def before(self, first: int, second: int) -> None:
        """*first* must come before *second*."""
        if first != second:
            self.hard[first].add(second)

    def wish(self, first: int, second: int) -> None:
        """*first* should come before *second* if that is possible."""
        if first != second:
            self.soft[first].add(second)

    def sort(self, priorities: Sequence[tuple[object, ...]]) -> tuple[list[int], list[int]]:
        """The nodes in an order that respects every hard edge.

        Among those that may come next, one of the group of the one before comes first, so that what
        belongs together stands together; else the one with the smallest priority. A wish is broken
        only inside a circle: what merely stands behind one waits.

        Returns:
            The order, and the nodes that stand in a circle of hard edges (none if all is well).
        """
        must, may = _incoming(self.hard), _incoming(self.soft)
        behind = _reversed(self.hard, self.soft)
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
    """The nodes that may come next: those of the last one's group first, else by priority."""

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


def _reversed(*edges: Sequence[set[int]]) -> list[list[int]]:
    """For each node, those that come before it."""
    found: list[list[int]] = [[] for _ in edges[0]]
    for kind in edges:
        for node, targets in enumerate(kind):
            for target in targets:
                found[target].append(node)
    return found


def _first_circle(start: int, behind: Sequence[Sequence[int]], among: set[int]) -> set[int]:
    """Nodes of *among* that wait for one another and for no others: *start* waits for them.

    The first strongly connected component that Tarjan's algorithm completes on its way back.
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
