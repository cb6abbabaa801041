"""Schema changes as data: each is shown in both directions on a real server."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Two schemas as SQL.

    ``renames`` says what is the same under another name; ``using`` and ``fills`` are a person's
    answers. ``since`` is the oldest server that knows the SQL. ``contains`` are words that the
    upgrade has to have, ``lacks`` those that it must not. ``whole`` is false where the new schema
    alone does not lead to all that pg_dump tells, with the reason beside the case.
    """

    name: str
    old: str
    new: str
    renames: tuple[str, ...] = ()
    using: dict[str, str] = field(default_factory=dict)
    fills: dict[str, str] = field(default_factory=dict)
    since: int = 140000
    contains: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    whole: bool = True
    privileges: bool = False
