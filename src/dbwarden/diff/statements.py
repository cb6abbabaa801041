"""SQL statements that a dialect writes for changes, and the options for them. Values only."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field, fields, replace
from enum import IntEnum
from typing import Any

from dbwarden.diff.changes import Change, Create, Drop, Rename
from dbwarden.schema import Ref


class Stage(IntEnum):
    """The place of a statement in a set of files that change a table in use.

    ``EXPAND``, ``BACKFILL`` and ``CONTRACT`` are files of their own. ``PREPARE``, ``SWITCH`` and
    ``TIDY`` are the parts of one file, in this order in both directions.
    """

    EXPAND = 1
    BACKFILL = 2
    PREPARE = 3
    SWITCH = 4
    TIDY = 5
    CONTRACT = 6


Stages = dict[tuple[Ref, type[Change] | None], Stage]
"""Stages of an object's last statement, of one type of change or of any."""

_UNDONE_BY: Mapping[type[Change], type[Change]] = {Create: Drop, Drop: Create}


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
    neighbours that share it. ``stage`` is its place in a set of files, ``None`` if any will do.
    ``batched`` is the table whose rows it changes in batches, as in the header of a backfill.
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
    stage: Stage | None = None
    batched: str | None = None


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
        back: Whether the SQL is for the rollback.
        using_back: Conversion expressions of the other direction.
        rewritten: Columns whose plain change rewrites or scans their table under a strong lock.
        allow_rewrite: Columns that may be changed by the plain form anyway.
        stages: The stages of the upgrade's objects, for the rollback.
        together: Whether to leave removals in the file of the other changes, if that is possible.
        renames_in_use: The upgrade's renames of columns and tables that keep both names meanwhile.
    """

    online: bool = False
    using: Mapping[str, str] = field(default_factory=dict)
    fills: Mapping[str, str] = field(default_factory=dict)
    back: bool = False
    using_back: Mapping[str, str] = field(default_factory=dict)
    rewritten: Collection[str] = ()
    allow_rewrite: Collection[str] = ()
    stages: Stages = field(default_factory=dict)
    together: bool = False
    renames_in_use: Collection[Rename] = ()


DEFAULT_OPTIONS = RenderOptions()
_EFFECTS = ("destroys", "converts", "removes", "refuses", "unfilled")


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
            or last.stage != statement.stage
            or statement.why not in (None, last.why)
        ):
            found.append(statement)
            continue
        effects: dict[str, Any] = {
            name: (*getattr(last, name), *getattr(statement, name)) for name in _EFFECTS
        }
        rest = statement.text.removeprefix(start)
        found[-1] = replace(last, text=f"{last.text},{rest}", **effects)
    return tuple(found)


def stages_of(statements: Iterable[PlannedStatement]) -> Stages:
    """Return the stages of *statements* by the change that undoes them, and by object."""
    staged = [(item.change, item.stage) for item in statements if item.stage is not None]
    by_object: Stages = {(change.ref, None): stage for change, stage in staged}
    return by_object | {
        (change.ref, _UNDONE_BY.get(type(change), type(change))): stage for change, stage in staged
    }
