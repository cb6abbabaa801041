"""SQL statements that a dialect writes for changes, and the options for them. Values only."""

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field, fields, replace
from typing import Any

from dbwarden.diff.changes import Change


@dataclass(frozen=True, slots=True)
class Sql:
    """The SQL of one statement.

    ``text`` has no closing semicolon. ``why`` explains the step where its purpose is not obvious.
    ``transactional`` is false for a statement that must run, or be committed, separately.
    ``destroys`` names dropped objects as ``--allow-drop`` takes them: ``users.email``; ``converts``
    the columns whose values a conversion may change. ``removes`` names values that no row may hold
    afterwards, and ``refuses`` describes rows on which the statement fails without data loss.
    ``unfilled`` names columns that become required although rows may have no value, as ``--fill``
    takes them. ``joins`` is the prefix of ``text`` up to which the statement can be merged with
    neighbours that share it.
    """

    text: str
    _: KW_ONLY
    why: str | None = None
    transactional: bool = True
    destroys: tuple[str, ...] = ()
    unfilled: tuple[str, ...] = ()
    converts: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()
    refuses: tuple[str, ...] = ()
    joins: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStatement(Sql):
    """One statement of a migration, and the change that it serves."""

    change: Change


def planned(change: Change, sql: str | Sql) -> PlannedStatement:
    """Return a statement for *change*; a mere text needs nothing else."""
    item = Sql(sql) if isinstance(sql, str) else sql
    values: dict[str, Any] = {field.name: getattr(item, field.name) for field in fields(Sql)}
    return PlannedStatement(change=change, **values)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderOptions:
    """The user's options for the SQL to write.

    Args:
        online: Whether to use forms that do not block reads and writes.
        using: Conversion expressions by column (``users.age``).
        fills: Expressions for rows without a value, by column (``users.email``).
    """

    online: bool = False
    using: Mapping[str, str] = field(default_factory=dict)
    fills: Mapping[str, str] = field(default_factory=dict)


DEFAULT_OPTIONS = RenderOptions()


def merge_statements(statements: Iterable[PlannedStatement]) -> tuple[PlannedStatement, ...]:
    """Merge neighbouring statements where possible, so that a table is rewritten once."""
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
