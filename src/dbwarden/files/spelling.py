"""Which known word a misspelled one was meant to be."""

from collections.abc import Iterable
from functools import lru_cache

_FAR = 3


@lru_cache(maxsize=1024)
def distance(one: str, other: str) -> int:
    """How many letters to add, drop, replace or swap with a neighbour; 3 for any more than 2."""
    if abs(len(one) - len(other)) >= _FAR:
        return _FAR
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, start=1):
        line = [row]
        for column, there in enumerate(other, start=1):
            cost = min(last[column] + 1, line[-1] + 1, last[column - 1] + (letter != there))
            if row > 1 and column > 1 and letter == other[column - 2] and one[row - 2] == there:
                cost = min(cost, before[column - 2] + 1)
            line.append(cost)
        before, last = last, line
    return min(last[-1], _FAR)


def closest(word: str, known: Iterable[str], within: int = 2) -> str | None:
    """The one of *known* that is at most *within* letters away, or ``None``."""
    candidates = [(distance(word.lower(), name), name) for name in known]
    nearest = min(candidates, default=(_FAR, ""))
    return nearest[1] if nearest[0] <= within else None
