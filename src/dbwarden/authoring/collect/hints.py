"""What only the models know: their own spelling of SQL, and what was called otherwise before."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dbwarden.schema import QualifiedName

ColumnKey = tuple[QualifiedName, str]
"""A table and the name of one of its columns, checks or indexes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexExpressions:
    """An index as its author wrote it: one text a key (``None`` for a plain column), and WHERE."""

    keys: tuple[str | None, ...]
    where: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """The models' own texts; a namespace ``None`` stands for the default one.

    ``renamed_tables`` and ``renamed_columns`` lead from the new name to the old one
    (``info={"renamed_from": ...}``). ``unclaimed`` are tables beside ours whose modules no database
    names, with these modules.
    """

    types: Mapping[ColumnKey, str] = field(default_factory=dict)
    defaults: Mapping[ColumnKey, str] = field(default_factory=dict)
    generated: Mapping[ColumnKey, str] = field(default_factory=dict)
    checks: Mapping[ColumnKey, str] = field(default_factory=dict)
    indexes: Mapping[ColumnKey, IndexExpressions] = field(default_factory=dict)
    renamed_tables: Mapping[QualifiedName, str] = field(default_factory=dict)
    renamed_columns: Mapping[ColumnKey, str] = field(default_factory=dict)
    unclaimed: Mapping[str, str] = field(default_factory=dict)


NO_HINTS = Hints()
