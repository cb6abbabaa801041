"""Engines that an application keeps open."""

from typing import Any

from dbwarden.engines import Served, closable


def served(users: int) -> Served:
    nothing: Any = None
    return Served(config=nothing, dialect=nothing, engine=nothing, url=None, users=users)


def test_unused_engines_are_closed_oldest_first() -> None:
    oldest, used, newer = served(0), served(1), served(0)
    everybody = (oldest, used, newer)
    assert closable(everybody, 1) == (oldest,)
    assert closable(everybody, 3) == (oldest, newer)
    assert closable(everybody, 0) == closable(everybody, -5) == ()
