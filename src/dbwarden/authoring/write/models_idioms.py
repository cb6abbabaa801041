"""Write keys, foreign keys and simple indexes at the column instead of ``__table_args__``. Pure.

This applies only where SQLAlchemy and the server then choose the existing name.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from dbwarden.schema import (
    ForeignKey,
    Index,
    IndexColumn,
    PrimaryKey,
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
    uniques = {u.columns[0]: u for u in table.uniques if u == _plain_unique(schema, table, u)}
    foreign = [
        key
        for key in table.foreign_keys
        if key == _plain_link(schema, table, key)
        and not {table.name, key.references} <= {*circles}
        and (target := schema.table(key.references)) is not None
        and target.column(key.referred_columns[0]) is not None
    ]
    columns = [key.columns[0] for key in foreign]
    return Idioms(
        key=_has_plain_key(schema, table),
        uniques=uniques,
        indexes={
            index.columns[0].column or "": index
            for index in table.indexes
            if table.name.namespace in (None, schema.default_namespace)
            and index == _plain_index(table, index)
            and (index.columns[0].column or "") not in uniques
        },
        foreign_keys={key.columns[0]: key for key in foreign if columns.count(key.columns[0]) == 1},
    )


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


def _named(schema: Schema, *parts: str) -> str | None:
    """Return the name that the server chooses; SQLite chooses none."""
    return "_".join(parts) if traits_of(schema.dialect).names_constraints else None


def _fits(*names: str | None) -> bool:
    return all(name is None or len(name.encode()) <= LONGEST_NAME for name in names)


def _has_plain_key(schema: Schema, table: Table) -> bool:
    key = table.primary_key
    if key is None:
        return False
    name = _named(schema, table.name.name, "pkey")
    in_order = tuple(column.name for column in table.columns if column.name in key.columns)
    return key == PrimaryKey(name=name, columns=in_order) and _fits(name)


def _plain_unique(schema: Schema, table: Table, unique: Unique) -> Unique | None:
    if len(unique.columns) != 1:
        return None
    name = _named(schema, table.name.name, unique.columns[0], "key")
    return Unique(name=name, columns=unique.columns) if _fits(name) else None


def _plain_index(table: Table, index: Index) -> Index | None:
    column = index.columns[0].column if len(index.columns) == 1 else None
    if column is None:
        return None
    name = f"ix_{table.name.name}_{column}"
    plain = Index(name=name, columns=(IndexColumn(column=column),), unique=index.unique)
    return plain if _fits(name) else None


def _plain_link(schema: Schema, table: Table, key: ForeignKey) -> ForeignKey | None:
    if len(key.columns) != 1:
        return None
    name = _named(schema, table.name.name, key.columns[0], "fkey")
    plain = ForeignKey(
        name=name,
        columns=key.columns,
        references=key.references,
        referred_columns=key.referred_columns,
        on_update=key.on_update,
        on_delete=key.on_delete,
    )
    return plain if _fits(name) else None


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
