"""Copy rows from a table to its replacement. Pure.

SQLite's own conversions are used instead of CAST: a column's affinity turns ``'12'`` into 12 and
keeps text that is not a number, which CAST would turn into 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dbwarden.dialects.sqlite.catalog.tables import KEYS
from dbwarden.dialects.sqlite.sql.quoting import identifier
from dbwarden.diff.changes import Change, Create, Drop
from dbwarden.diff.statements import RenderOptions
from dbwarden.schema import Column, Ref, Table

ROWID_NAMES = ("rowid", "_rowid_", "oid")
NUMBERS = ("INTEGER", "REAL", "NUMERIC")
_WIDTH = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCopy:
    """The columns of INSERT and SELECT, and the columns whose values may be lost."""

    targets: tuple[str, ...]
    sources: tuple[str, ...]
    narrowed: tuple[str, ...]


def affinity(type_: str, *, strict: bool = False) -> str:
    """Return SQLite's affinity for a column of *type_*, by its five rules.

    ``ANY`` is a type in ``STRICT`` tables only; elsewhere it is an ordinary word.
    """
    text = type_.upper()
    if "INT" in text:
        return "INTEGER"
    if any(word in text for word in ("CHAR", "CLOB", "TEXT")):
        return "TEXT"
    if "BLOB" in text or not text or (strict and text == "ANY"):
        return "BLOB"
    if any(word in text for word in ("REAL", "FLOA", "DOUB")):
        return "REAL"
    return "NUMERIC"


def rowid_alias(table: Table) -> str | None:
    """Return the column that is an alias of the rowid; a key with DESC is not."""
    key = table.primary_key
    if key is None or table.without_rowid or len(key.columns) != 1 or KEYS in dict(key.parameters):
        return None
    column = table.column(key.columns[0])
    return column.name if column is not None and column.type.upper() == "INTEGER" else None


def hidden_rowid(table: Table) -> bool:
    """Return whether rows have a rowid that no column shows."""
    return not table.without_rowid and rowid_alias(table) is None


def _row_number(table: Table) -> str | None:
    """Return the name of the rowid of *table*, or ``None``."""
    if not hidden_rowid(table):
        alias = rowid_alias(table)
        return None if alias is None else identifier(alias)
    taken = {column.name.casefold() for column in table.columns}
    return next((name for name in ROWID_NAMES if name not in taken), None)


def plan_copy(before: Table, after: Table, options: RenderOptions) -> RowCopy:
    """Return the copy from *before* to *after*: remaining columns, and fills for new ones.

    Rows keep their rowids, visible or hidden.
    """
    targets, sources, narrowed = [], [], []
    number, target = _row_number(before), _row_number(after)
    if number is not None and target is not None and hidden_rowid(after):
        targets.append(target)
        sources.append(number)
    for column in after.columns:
        label = f"{after.name.name}.{column.name}"
        was = before.column(column.name)
        source = _source(before, after, column, options)
        if source is None and column.name == rowid_alias(after):
            source = number
        if source is not None:
            targets.append(identifier(column.name))
            sources.append(source)
        if was is None or source is None:
            continue
        if may_lose_values(_affinity(before, was), _affinity(after, column)):
            narrowed.append(label)
    return RowCopy(targets=tuple(targets), sources=tuple(sources), narrowed=tuple(narrowed))


def _source(before: Table, after: Table, now: Column, options: RenderOptions) -> str | None:
    """Return the value of a column; ``None`` if SQLite computes it or uses the default."""
    if now.generated is not None:
        return None
    was, label = before.column(now.name), f"{after.name.name}.{now.name}"
    fill = options.fills.get(label) if now.not_null else None
    if was is None:
        return fill
    value = options.using.get(label)
    if value is None:
        value = identifier(now.name)
        if was.type and now.type and "ANY" not in (was.type, now.type):
            kinds = {_affinity(before, was), _affinity(after, now)}
            if kinds == {"TEXT", "BLOB"}:  # the only ones that need an explicit conversion
                value = f"CAST({value} AS {_affinity(after, now)})"
    return f"coalesce({value}, {fill})" if fill is not None and not was.not_null else value


def _affinity(table: Table, column: Column) -> str:
    return affinity(column.type, strict=table.strict)


def may_lose_values(was: str, now: str) -> bool:
    """Return whether values may change in a conversion and back.

    ``'007'`` as a number is 7; a REAL as a text keeps 15 of its 17 digits.

    Args:
        was: The old affinity.
        now: The new affinity.
    """
    return (was not in NUMBERS and now in NUMBERS) or (was == "REAL" and now == "TEXT")


def lost_columns(
    table: Table, changes: Sequence[Change], original_names: Mapping[Ref, str]
) -> tuple[str, ...]:
    """Return the labels of the columns whose values are lost.

    Args:
        table: The table before, under its new name.
        changes: Its changes.
        original_names: The original names of renamed columns.
    """
    again = {change.ref for change in changes if isinstance(change, Create)}
    lost = []
    for change in changes:
        match change:
            case Drop(obj=Column(name=name, generated=None)) if change.ref not in again:
                called = original_names.get(change.ref, name)
                lost.append(f"{table.name.name}.{called}")
    return tuple(lost)


def join_wrapped(items: Sequence[str], indent: str = "    ") -> str:
    """Join *items* with commas, on as many lines as needed."""
    lines = [""]
    for number, item in enumerate(items):
        part = item + ("," if number < len(items) - 1 else "")
        if lines[-1] and len(lines[-1]) + len(part) >= _WIDTH:
            lines.append("")
        lines[-1] += f" {part}" if lines[-1] else part
    return f"\n{indent}".join(lines)
