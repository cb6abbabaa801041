"""What the catalog queries brought back, before it is a Schema."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

Row = Mapping[str, Any]
"""One row: column name and value, as the driver has it."""


@dataclass(slots=True, kw_only=True)
class Rows:
    """The answers to all queries, as far as they are there."""

    frequent: Sequence[Row] = ()
    rare: Sequence[Row] = ()
    namespaces: Sequence[Row] = ()
    extensions: Sequence[Row] = ()
    members: Sequence[Row] = ()
    types: Sequence[Row] = ()
    relations: Sequence[Row] = ()
    columns: Sequence[Row] = ()
    defaults: Sequence[Row] = ()
    constraints: Sequence[Row] = ()
    indexes: Sequence[Row] = ()
    operator_classes: Sequence[Row] = ()
    index_collations: Sequence[Row] = ()
    inheritance: Sequence[Row] = ()
    sequences: Sequence[Row] = ()
    routines: Sequence[Row] = ()
    aggregates: Sequence[Row] = ()
    triggers: Sequence[Row] = ()
    event_triggers: Sequence[Row] = ()
    rules: Sequence[Row] = ()
    policies: Sequence[Row] = ()
    statistics: Sequence[Row] = ()
    comments: Sequence[Row] = ()
    dependencies: Sequence[Row] = ()
    others: Sequence[Row] = ()
    grants: Sequence[Row] = ()
    default_privileges: Sequence[Row] = ()


@lru_cache(maxsize=10_000)  # most lists of columns are one of a few
def numbers(text: str | None) -> tuple[int, ...]:
    """A list of numbers as the server prints it: ``{1,2}`` is an array, ``1 2`` a vector.

    A driver takes longer over the arrays themselves.
    """
    return tuple(map(int, text.strip("{}").replace(",", " ").split())) if text else ()
