"""Information that only the models have: their SQL expressions, and earlier names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from dbwarden.schema import QualifiedName

ColumnKey = tuple[QualifiedName, str]
"""A table and the name of one of its columns or indexes."""

TextKey = tuple[Literal["type", "default", "generated", "check"], QualifiedName, str]
"""What a text is, its table or domain, and the name of the column or check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexExpressions:
    """The expressions of an index: one text per key (``None`` for a plain column), and WHERE."""

    keys: tuple[str | None, ...]
    where: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """The types and expressions of models. The namespace ``None`` is the default one.

    ``renamed_tables`` and ``renamed_columns`` map new names to old ones
    (``info={"renamed_from": ...}``). ``unclaimed`` maps tables to their modules if no database
    lists these modules.
    """

    texts: Mapping[TextKey, str] = field(default_factory=dict)
    indexes: Mapping[ColumnKey, IndexExpressions] = field(default_factory=dict)
    renamed_tables: Mapping[QualifiedName, str] = field(default_factory=dict)
    renamed_columns: Mapping[ColumnKey, str] = field(default_factory=dict)
    unclaimed: Mapping[str, str] = field(default_factory=dict)


NO_HINTS = Hints()
