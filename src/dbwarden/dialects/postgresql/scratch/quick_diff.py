"""Tell two objects apart without comparing their expressions. Pure.

An expression has several printed forms; a type, a NOT NULL or the columns of a key have only one.
If those differ, both schemas need not be rebuilt on the server.
"""

from typing import Any

from dbwarden.schema import Column, Enum, ForeignKey, Index, PrimaryKey, Unique

_PLAIN: dict[type, tuple[str, ...]] = {
    Column: ("type", "not_null", "comment"),
    PrimaryKey: ("columns", "include", "deferrable", "comment"),
    Unique: ("columns", "include", "deferrable", "nulls_not_distinct", "comment"),
    ForeignKey: (
        *("columns", "references", "referred_columns", "on_update", "on_delete", "deferrable"),
        "comment",
    ),
    Index: ("unique", "method", "include", "nulls_not_distinct", "comment"),
    Enum: ("values",),
}


def surely_differ(one: Any, other: Any) -> bool:
    """Return whether *one* and *other* differ in more than the spelling of an expression."""
    if type(one) is not type(other):
        return True
    if isinstance(one, Index) and _key(one) != _key(other):
        return True
    return any(getattr(one, name) != getattr(other, name) for name in _PLAIN.get(type(one), ()))


def _key(index: Index) -> tuple[str | None, ...]:
    return tuple(column.column for column in index.columns)
