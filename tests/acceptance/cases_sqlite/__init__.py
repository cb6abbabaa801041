"""Schema changes on SQLite as data: each is shown in both directions, with rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Rows = Sequence[tuple[object, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteCase:
    """Two schemas as SQL; the old one with rows.

    ``renames`` says what is the same under another name; ``using`` and ``fills`` are a person's
    answers. ``contains`` are words that the upgrade has to have, ``lacks`` those that it must not.
    ``after`` are queries and what they give once the upgrade ran, ``back`` once it was rolled back.
    ``loses`` is what the upgrade says that it destroys. ``since`` is the SQLite that knows the SQL.
    ``whole`` is false where dbwarden would not write the new schema from nothing: some of it is
    broken.
    """

    name: str
    old: str
    new: str
    renames: tuple[str, ...] = ()
    using: dict[str, str] = field(default_factory=dict)
    fills: dict[str, str] = field(default_factory=dict)
    contains: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    after: Mapping[str, Rows] = field(default_factory=dict)
    back: Mapping[str, Rows] = field(default_factory=dict)
    loses: tuple[str, ...] = ()
    since: tuple[int, ...] = (3, 35)
    whole: bool = True
