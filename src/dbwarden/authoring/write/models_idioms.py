"""Write keys, foreign keys and simple indexes at the column instead of ``__table_args__``. Pure.

This applies only where SQLAlchemy and the server then choose the existing name.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dbwarden.schema import (
    ForeignKey,
    Index,
    IndexColumn,
    Part,
    QualifiedName,
    Schema,
    Table,
    Unique,
)
from dbwarden.schema.kind_traits import traits_of
from dbwarden.types import LONGEST_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Idioms:
    """The parts of one table that are written at its columns, by column name."""

    key: bool = False
    uniques: Mapping[str, Unique] = field(default_factory=dict)
    indexes: Mapping[str, Index] = field(default_factory=dict)
    foreign_keys: Mapping[str, ForeignKey] = field(default_factory=dict)

    def words(self, table: Table, column: str) -> Iterator[str]:
        """Yield the arguments of *column* for these parts, except foreign keys."""
        if self.key and table.primary_key is not None and column in table.primary_key.columns:
            yield "primary_key=True"
        index = self.indexes.get(column)
        if column in self.uniques or (index is not None and index.unique):
            yield "unique=True"
        if index is not None:
            yield "index=True"


NO_IDIOMS = Idioms()


def idioms_of(schema: Schema, table: Table, circles: Iterable[QualifiedName]) -> Idioms:
    """Return the parts of *table* that fit at its columns; foreign keys in *circles* do not."""
    chosen = traits_of(schema.dialect).names_constraints

    def named(*parts: str) -> str | None:
        """Return the name that the server chooses; SQLite chooses none."""
        return "_".join((table.name.name, *parts)) if chosen else None

    key = table.primary_key
    in_key = tuple(it.name for it in table.columns if key is not None and it.name in key.columns)
    uniques = {
        unique.columns[0]: unique
        for unique in table.uniques
        if len(unique.columns) == 1
        and _is_plain(unique, named(unique.columns[0], "key"), columns=unique.columns)
    }
    indexes = {
        column: index
        for index in table.indexes
        if (column := index.columns[0].column) is not None
        and index.columns == (IndexColumn(column=column),)
        and table.name.namespace in (None, schema.default_namespace)
        and column not in uniques
        and _is_plain(
            index,
            f"ix_{table.name.name}_{column}",
            columns=index.columns,
            unique=index.unique,
        )
    }
    foreign = [
        key
        for key in table.foreign_keys
        if len(key.columns) == 1
        and not {table.name, key.references} <= {*circles}
        and (target := schema.table(key.references)) is not None
        and target.column(key.referred_columns[0]) is not None
        and _is_plain(
            key,
            named(key.columns[0], "fkey"),
            columns=key.columns,
            references=key.references,
            referred_columns=key.referred_columns,
            on_update=key.on_update,
            on_delete=key.on_delete,
        )
    ]
    columns = [key.columns[0] for key in foreign]
    return Idioms(
        key=key is not None and _is_plain(key, named("pkey"), columns=in_key),
        uniques=uniques,
        indexes=indexes,
        foreign_keys={key.columns[0]: key for key in foreign if columns.count(key.columns[0]) == 1},
    )


def _is_plain(part: Part, name: str | None, **fields: Any) -> bool:
    """Return whether *part* is called *name*, and has no other properties than *fields*."""
    fits = name is None or len(name.encode()) <= LONGEST_NAME
    return fits and part == type(part)(name=name, **fields)


def circles_of(schema: Schema) -> frozenset[QualifiedName]:
    """Return the tables in cycles of foreign keys, and those between two cycles."""
    edges = {
        (table.name, key.references)
        for table in schema.tables
        for key in table.foreign_keys
        if key.references != table.name
    }
    while True:
        inner = {origin for origin, _ in edges} & {target for _, target in edges}
        left = {(origin, target) for origin, target in edges if {origin, target} <= inner}
        if left == edges:
            return frozenset(inner)
        edges = left


def strip_parentheses(expression: str) -> str:
    """Return *expression* without outer parentheses."""
    depth, quote = 0, ""
    for place, sign in enumerate(expression):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        else:
            depth += (sign == "(") - (sign == ")")
        if depth == 0 and place < len(expression) - 1:
            return expression
    return expression[1:-1] if expression.startswith("(") else expression
