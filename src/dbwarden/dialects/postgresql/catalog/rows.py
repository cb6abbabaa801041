"""What the catalog queries brought back, before it is a Schema."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]
"""One row: column name and value, as the driver has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The answers to all queries."""

    namespaces: Sequence[Row] = ()
    extensions: Sequence[Row] = ()
    members: Sequence[Row] = ()
    types: Sequence[Row] = ()
    relations: Sequence[Row] = ()
    columns: Sequence[Row] = ()
    constraints: Sequence[Row] = ()
    indexes: Sequence[Row] = ()
    operator_classes: Sequence[Row] = ()
    index_collations: Sequence[Row] = ()
    index_attributes: Sequence[Row] = ()
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
