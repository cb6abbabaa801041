"""A topological sort with a mind of its own: deterministic, and gentle where it may be. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush


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

        Among those that may come next, the one with the smallest priority comes first.

        Returns:
            The order, and the nodes that stand in a circle of hard edges (none if all is well).
        """
        must, may = _incoming(self.hard), _incoming(self.soft)
        ready = [(priorities[n], n) for n in range(self.size) if not must[n] and not may[n]]
        heapify(ready)
        waiting = {n for n in range(self.size) if must[n] or may[n]}
        order: list[int] = []
        while ready or waiting:
            if not ready:
                free = [n for n in waiting if not must[n]]
                if not free:
                    break
                chosen = min(free, key=lambda n: (may[n], priorities[n]))
                waiting.discard(chosen)
                heappush(ready, (priorities[chosen], chosen))
            node = heappop(ready)[1]
            order.append(node)
            for counts, edges in ((must, self.hard), (may, self.soft)):
                for other in edges[node]:
                    counts[other] -= 1
                    if other in waiting and not must[other] and not may[other]:
                        waiting.discard(other)
                        heappush(ready, (priorities[other], other))
        return order, sorted(waiting)


def _incoming(edges: Sequence[set[int]]) -> list[int]:
    counts = [0] * len(edges)
    for targets in edges:
        for target in targets:
            counts[target] += 1
    return counts
