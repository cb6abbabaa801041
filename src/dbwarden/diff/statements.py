"""SQL that a dialect writes for changes, and what a person may say about how. Values only."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from dbwarden.diff.changes import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStatement:
    """One statement of a migration that is being written.

    ``text`` has no closing semicolon. ``why`` says why the step is there, where that is not
    plain. ``transactional`` is false for what has to run, or has to be committed, by itself.
    ``destroys`` names what is dropped, as ``--allow-drop`` takes it: ``users.email``; ``converts``
    the columns whose values a conversion may change. ``removes`` names what no row may hold any
    more, and ``refuses`` says on which rows the statement fails: nothing is lost there.
    ``unfilled`` names columns that are required from here on, but for which rows may have no value,
    as ``--fill`` takes them. ``joins`` is the beginning of ``text`` where the rest may stand in one
    statement with others that begin so.
    """

    text: str
    change: Change
    why: str | None = None
    transactional: bool = True
    destroys: tuple[str, ...] = ()
    unfilled: tuple[str, ...] = ()
    converts: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()
    refuses: tuple[str, ...] = ()
    joins: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderOptions:
    """What a person said about how to write the SQL.

    Args:
        online: Whether to use the forms that do not block reading and writing.
        using: Column (``users.age``) and the expression that turns old values into new ones.
        fills: Column (``users.email``) and the expression for rows without a value.
    """

    online: bool = False
    using: Mapping[str, str] = field(default_factory=dict)
    fills: Mapping[str, str] = field(default_factory=dict)


DEFAULT_OPTIONS = RenderOptions()


def joined(statements: Iterable[PlannedStatement]) -> tuple[PlannedStatement, ...]:
    """*statements*, neighbours that may be one statement made one: a table is rewritten once."""
    found: list[PlannedStatement] = []
    for statement in statements:
        last = found[-1] if found else None
        start = statement.joins
        if (
            last is None
            or start is None
            or last.joins != start
            or statement.why not in (None, last.why)
        ):
            found.append(statement)
            continue
        rest = statement.text.removeprefix(start)
        found[-1] = replace(
            last,
            text=f"{last.text},{rest}",
            destroys=(*last.destroys, *statement.destroys),
            converts=(*last.converts, *statement.converts),
            removes=(*last.removes, *statement.removes),
            refuses=(*last.refuses, *statement.refuses),
            unfilled=(*last.unfilled, *statement.unfilled),
        )
    return tuple(found)
