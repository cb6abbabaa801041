"""Find the known word that a misspelled one resembles."""

from collections.abc import Iterable
from functools import lru_cache

_FAR = 3


@lru_cache(maxsize=1024)
def distance(one: str, other: str) -> int:
    """Return the edit distance, with transpositions, limited to 3."""
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
    """Return the nearest word of *known* within the edit distance *within*, or ``None``."""
    candidates = [(distance(word.lower(), name), name) for name in known]
    nearest = min(candidates, default=(_FAR, ""))
    return nearest[1] if nearest[0] <= within else None
