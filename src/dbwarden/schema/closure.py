"""Follow links between values."""

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def reachable(start: Iterable[T], following: Callable[[T], Iterable[T]]) -> frozenset[T]:
    """Return *start* and all values that *following* leads to from there, even indirectly."""
    known = set(start)
    waiting = list(known)
    while waiting:
        more = {*following(waiting.pop())} - known
        known |= more
        waiting += more
    return frozenset(known)
