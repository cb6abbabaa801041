"""Unify names that differ only in case, which SQLite does not distinguish. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from typing import Any

from dbwarden.dialects.sqlite.catalog.expressions import columns_by_name, expression
from dbwarden.dialects.sqlite.catalog.tables import KEYS
from dbwarden.dialects.sqlite.catalog.tokens import tokens
from dbwarden.diff.renames import replace_column_names
from dbwarden.schema import (
    Column,
    ForeignKey,
    ObjectKind,
    PrimaryKey,
    QualifiedName,
    Ref,
    Schema,
    Table,
    Trigger,
    Unique,
    View,
)


def adopt_capitals(current: Schema, desired: Schema) -> Schema:
    """Return *desired* with the names it shares with *current* written as in *current*.

    The texts of views and triggers are not changed.
    """
    here, there = _names(current), _names(desired)
    names = ((group, name) for group, found in there.groups.items() for name in found)
    return desired if all(here.find(*it) == it[1] for it in names) else here.schema(desired)


def _names(schema: Schema) -> "_Names":
    groups: dict[str, set[str]] = {_TABLES: set()}
    for view in schema.of(View):
        groups[_TABLES].add(view.name.name)
    for table in schema.tables:
        groups[_TABLES].add(table.name.name)
        groups[_columns_of(table.name)] = {column.name for column in table.columns}
        own = [item.name for item in table.constraints if item.name is not None]
        groups[_parts_of(table.name)] = {*own, *(index.name for index in table.indexes)}
    for trigger in schema.of(Trigger):
        groups.setdefault(_parts_of(trigger.table), set()).add(trigger.name)
    return _Names(
        groups=groups,
        known={group: {name.lower(): name for name in names} for group, names in groups.items()},
    )


_TABLES = ""


def _columns_of(table: QualifiedName) -> str:
    return f"columns {table.name.lower()}"


def _parts_of(table: QualifiedName) -> str:
    return f"parts {table.name.lower()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Names:
    """The spelling of names: tables and views, and for each the columns and all other parts."""

    groups: Mapping[str, set[str]]
    known: Mapping[str, Mapping[str, str]]

    def find(self, group: str, name: str) -> str:
        """Return *name* as it is written here."""
        if name in self.groups.get(group, ()):
            return name
        return self.known.get(group, {}).get(name.lower(), name)

    def schema(self, desired: Schema) -> Schema:
        views = (replace(view, name=self._name(view.name)) for view in desired.of(View))
        triggers = (
            replace(item, name=self._part(item.table, item.name), table=self._name(item.table))
            for item in desired.of(Trigger)
        )
        return replace(
            desired.with_objects((*views, *triggers)),
            tables=tuple(sorted(map(self._table, desired.tables), key=attrgetter("name"))),
            dependencies=tuple((self._ref(a), self._ref(b)) for a, b in desired.dependencies),
            broken=tuple((self._ref(ref), why) for ref, why in desired.broken),
        )

    def _name(self, name: QualifiedName) -> QualifiedName:
        return replace(name, name=self.find(_TABLES, name.name))

    def _part(self, table: QualifiedName, name: str) -> str:
        return self.find(_parts_of(table), name)

    def _column(self, table: QualifiedName, name: str) -> str:
        return self.find(_columns_of(table), name)

    def _ref(self, ref: Ref) -> Ref:
        part = ref.part
        if part is not None:
            of = self._column if ref.kind is ObjectKind.COLUMN else self._part
            part = of(ref.table, part)
        return replace(ref, name=self._name(ref.table).name, part=part)

    def _table(self, table: Table) -> Table:
        if table.virtual is not None:
            return replace(table, name=self._name(table.name))
        word = partial(self._column, table.name)
        known = columns_by_name(word(column.name) for column in table.columns)

        def named(part: Any) -> Any:
            match part:
                case Column():
                    return part
                case ForeignKey():
                    columns = tuple(
                        self._column(part.references, it) for it in part.referred_columns
                    )
                    references = self._name(part.references)
                    part = replace(part, references=references, referred_columns=columns)
                case PrimaryKey() | Unique():
                    parameters = tuple(
                        (name, _spelled(value, known) if name == KEYS else value)
                        for name, value in part.parameters
                    )
                    part = replace(part, parameters=parameters)
            name = part.name
            return replace(part, name=self._part(table.name, name)) if name is not None else part

        made = replace_column_names(table, word, lambda text: _spelled(text, known))
        return replace(made.map_parts(named), name=self._name(table.name))


def _spelled(text: str, known: Mapping[str, str]) -> str:
    return expression(tokens(text), known)
