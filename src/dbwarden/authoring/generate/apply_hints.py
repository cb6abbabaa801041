"""Write changes with the models' expressions instead of the catalog's. Pure.

This affects the written SQL only, never the comparison. Where models and catalog disagree (for
example because a DDL event altered a table) the proof fails and the catalog's text is used.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, TypeVar

from dbwarden.authoring.collect.hints import Hints
from dbwarden.diff.changes import Alter, Change, Create
from dbwarden.schema import (
    AnyObject,
    Check,
    Column,
    Domain,
    DomainCheck,
    Index,
    IndexColumn,
    QualifiedName,
    Table,
)

Expressed = Check | Column | Index
AnyCheck = TypeVar("AnyCheck", Check, DomainCheck)

_COUNTED = re.compile(
    r"(?P<name>^\s*(?:ALTER TABLE .* ADD COLUMN )?(?:\"(?:[^\"]|\"\")+\"|\w+)) "
    r"(?P<type>(?:small|big)?serial\b|(?:smallint|integer|bigint)(?= GENERATED))",
    re.MULTILINE,
)


def use_model_expressions(
    changes: Sequence[Change], hints: Hints, default_namespace: str | None
) -> tuple[Change, ...]:
    """Return *changes* with the models' expressions wherever they have one."""
    lookup = _HintLookup(hints, default_namespace)
    return tuple(lookup.change(change) for change in changes)


def restore_types(text: str, change: Change, hints: Hints, default_namespace: str | None) -> str:
    """Return *text*, the SQL of *change*, with types spelled as in the models."""
    match change:
        case Create(obj=Table() | Column()):
            return _COUNTED.sub(lambda match: f"{match['name']} {match['type'].upper()}", text)
        case Alter(before=Column(type=was), after=Column(type=now) as column) if was != now:
            lookup = _HintLookup(hints, default_namespace)
            restored = lookup.text("type", change.table, column.name) or now
            return text.replace(f" TYPE {now}", f" TYPE {restored}", 1)
        case _:
            return text


def with_hints(
    part: Expressed, table: QualifiedName, hints: Hints, default_namespace: str | None
) -> Expressed:
    """Return *part*, a part of *table*, with the expressions that *hints* have for it."""
    lookup = _HintLookup(hints, default_namespace)
    match part:
        case Check():
            return lookup.check(table, part)
        case Index():
            return lookup.index(table, part)
        case Column():
            return lookup.expressions(table, part)


class _HintLookup:
    """A lookup of the models' expressions."""

    def __init__(self, hints: Hints, default_namespace: str | None) -> None:
        self._hints = hints
        self._default = default_namespace

    def _name(self, name: QualifiedName) -> QualifiedName:
        """Return *name* as in models, without the default namespace."""
        return QualifiedName(None, name.name) if name.namespace == self._default else name

    def text(
        self,
        what: Literal["type", "default", "generated", "check"],
        table: QualifiedName,
        name: str,
    ) -> str | None:
        return self._hints.texts.get((what, self._name(table), name))

    def change(self, change: Change) -> Change:
        match change:
            case Create(obj=obj):
                return replace(change, obj=self._created(obj, change.table))
            case Alter(before=Column() as before, after=Column() as after):
                return replace(change, after=self._altered(change.table, before, after))
            case _:
                return change

    def _created(self, obj: AnyObject, table: QualifiedName) -> AnyObject:
        match obj:
            case Table():
                return self._table(obj)
            case Column():
                return self._column(table, obj)
            case Check():
                return self.check(table, obj)
            case Index():
                return self.index(table, obj)
            case Domain():
                checks = tuple(self.check(obj.name, check) for check in obj.checks)
                return replace(obj, checks=checks)
            case _:
                return obj

    def _table(self, table: Table) -> Table:
        name = table.name
        return replace(
            table,
            columns=tuple(self._column(name, column) for column in table.columns),
            checks=tuple(self.check(name, check) for check in table.checks),
        )

    def _column(self, table: QualifiedName, column: Column) -> Column:
        column = self.expressions(table, column)
        counted = (column.default or "").startswith("nextval(") or column.identity is not None
        type_ = self.text("type", table, column.name)
        if column.inherited or counted or type_ is None:
            return column
        return replace(column, type=type_)

    def expressions(self, table: QualifiedName, column: Column) -> Column:
        default = self.text("default", table, column.name)
        if column.default is not None and default is not None:
            column = replace(column, default=default)
        generated = self.text("generated", table, column.name)
        if column.generated is not None and generated is not None:
            column = replace(column, generated=replace(column.generated, expression=generated))
        return column

    def _altered(self, table: QualifiedName, before: Column, after: Column) -> Column:
        restored = self.expressions(table, after)
        if before.default == after.default and before.type == after.type:
            restored = replace(restored, default=after.default)
        if before.generated == after.generated:
            restored = replace(restored, generated=after.generated)
        return restored

    def check(self, table: QualifiedName, check: AnyCheck) -> AnyCheck:
        text = self.text("check", table, check.name or "")
        return check if text is None else replace(check, expression=text)

    def index(self, table: QualifiedName, index: Index) -> Index:
        written = self._hints.indexes.get((self._name(table), index.name))
        if written is None:
            return index
        keys = index.columns
        if len(written.keys) == len(keys):
            pairs = zip(keys, written.keys, strict=True)
            keys = tuple(_index_key(key, text) for key, text in pairs)
        where = written.where if index.where is not None and written.where else index.where
        return replace(index, columns=keys, where=where)


def _index_key(key: IndexColumn, text: str | None) -> IndexColumn:
    if key.expression is None or text is None:
        return key
    return replace(key, expression=text if _is_call(text) else f"({text})")


def _is_call(text: str) -> bool:
    """Return whether *text* is one function call, which needs no parentheses around it."""
    if not re.match(r"\w+\(", text) or not text.endswith(")"):
        return False
    depth = 0
    for place, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0 and character == ")":
            return place == len(text) - 1
    return False
