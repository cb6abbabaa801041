"""Find equal expressions of two schemas that are written differently.

Texts are compared first: ``CURRENT_TIMESTAMP`` is a synonym of ``now()``. Then the server
normalizes each: ``'x'::text`` and ``'x'::character varying`` are the same default of a varchar.
"""

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from typing import Any

from dbwarden.authoring.collect.current import schema_source
from dbwarden.authoring.compare.definitions import differing_expressions, name_row_columns
from dbwarden.authoring.compare.left_out import without_users
from dbwarden.authoring.scratch_session import EMPTY, ScratchSession, Source
from dbwarden.dialects.authoring import Expression
from dbwarden.errors import StatementFailed, UnsupportedChange
from dbwarden.schema import (
    OBJECT_KINDS,
    Check,
    Column,
    Domain,
    Exclusion,
    Index,
    Policy,
    Routine,
    Rule,
    Schema,
    Statistics,
    Table,
    Trigger,
)

ObjectPairs = Mapping[Hashable, tuple[Any, Any]]
"""The objects of both schemas, by their identity."""

Same = Callable[[str, str, str], bool]
"""Returns whether two texts of the named field are equal expressions."""

_TEXTS = frozenset({"default", "expression", "where", "using", "check", "definition"})
_WORD = re.compile(r"\w+")


def use_equal_expressions(old: Any, new: Any, same: Same) -> Any:
    """Return *new* with the equal expressions of *old*."""
    if type(old) is not type(new) or old == new:
        return new
    if isinstance(new, tuple) and len(old) == len(new):
        items = [
            use_equal_expressions(one, other, same) for one, other in zip(old, new, strict=True)
        ]
        changed = any(one is not other for one, other in zip(items, new, strict=True))
        return type(new)(items) if changed else new
    if not is_dataclass(new):
        return new
    changes: dict[str, Any] = {}
    for field in fields(new):
        one, other = getattr(old, field.name), getattr(new, field.name)
        if isinstance(one, str) and isinstance(other, str):
            if field.name in _TEXTS and one != other and same(field.name, one, other):
                changes[field.name] = one
        elif (value := use_equal_expressions(one, other, same)) is not other:
            changes[field.name] = value
    return replace(new, **changes) if changes else new  # type: ignore[type-var]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Context:
    """The types and columns for the expressions of one object."""

    types: Mapping[str, str]
    columns: tuple[tuple[str, str], ...] = ()
    of_rows: bool = False
    """True if the expressions name columns as ``old.a`` and ``new.a``."""

    def expression(self, field: str, text: str) -> Expression:
        """Return *text* with the type of its value and the columns that it names."""
        text = name_row_columns(text) if self.of_rows else text
        named = {*_WORD.findall(text), *_WORD.findall(text.lower())}  # a domain prints VALUE
        read = tuple(column for column in self.columns if set(_WORD.findall(column[0])) <= named)
        return Expression(text=text, type=self.types.get(field), columns=read)


def _context(value: Any, table: Table | None) -> _Context | None:
    """Return the context of the expressions of *value*; ``None`` if it is unknown."""
    columns = tuple((column.name, column.type) for column in table.columns) if table else ()
    match value:
        case Column(type=type_, generated=None):
            return _Context(types={"default": type_})
        case Column(type=type_):
            return _Context(types={"expression": type_}, columns=columns)
        case Domain(type=type_):
            return _Context(types={"default": type_}, columns=(("value", type_),))
        case Check() | Exclusion() | Index() | Policy() | Statistics():
            return _Context(types={}, columns=columns)
        case Rule() | Trigger():
            rows = ((f"{row}.{name}", type_) for row in ("old", "new") for name, type_ in columns)
            return _Context(types={}, columns=tuple(rows), of_rows=True)
        case _:
            return None


async def with_same_expressions(
    session: ScratchSession, both: tuple[Schema, Schema], pairs: ObjectPairs
) -> ObjectPairs:
    """Return *pairs*; the second of each has the equal expressions of the first."""
    spell = session.authoring_dialect.replace_synonyms
    plain = {
        key: (
            old,
            use_equal_expressions(
                old, _with_not_null_name(old, new), lambda _, one, two: spell(one) == spell(two)
            ),
        )
        for key, (old, new) in pairs.items()
    }
    contexts = _contexts(both, plain)
    expressions: dict[Expression, None] = {}

    def note(context: tuple[_Context, _Context], field: str, one: str, other: str) -> bool:
        for pair in _expressions(context, field, one, other):
            expressions.update(dict.fromkeys(pair))
        return False

    for key, context in contexts.items():
        use_equal_expressions(*plain[key], partial(note, context))
    if not expressions:
        return plain
    meanings = await _meanings(session, both[0], list(expressions))
    routines = frozenset(item.name.name for schema in both for item in schema.of(Routine))

    def are_equal(first: Expression, second: Expression) -> bool:
        # The planner inlines simple functions, whose bodies may change later.
        calls = [set(_WORD.findall(it.text)) & routines for it in (first, second)]
        known = meanings[first] is not None
        return known and meanings[first] == meanings[second] and calls[0] == calls[1]

    def same(context: tuple[_Context, _Context], field: str, one: str, other: str) -> bool:
        pairs = _expressions(context, field, one, other)
        return bool(pairs) and all(are_equal(*pair) for pair in pairs)

    answered = {
        key: (plain[key][0], use_equal_expressions(*plain[key], partial(same, context)))
        for key, context in contexts.items()
    }
    return {**plain, **answered}


def _expressions(
    context: tuple[_Context, _Context], field: str, one: str, other: str
) -> Sequence[tuple[Expression, Expression]]:
    """Return the pairs of expressions that decide whether two texts of *field* are equal."""
    first, second = context
    pairs = differing_expressions(one, other) if field == "definition" else ((one, other),)
    return [(first.expression(field, old), second.expression(field, new)) for old, new in pairs]


def _with_not_null_name(old: Any, new: Any) -> Any:
    """Return *new* with the NOT NULL name of *old*, which no other change affects."""
    if isinstance(old, Column) and isinstance(new, Column) and old.not_null and new.not_null:
        return replace(new, not_null_name=old.not_null_name)
    return new


def _contexts(
    both: tuple[Schema, Schema], pairs: ObjectPairs
) -> dict[Hashable, tuple[_Context, _Context]]:
    """Return the contexts of the *pairs* that still differ."""
    tables = [{table.name: table for table in schema.tables} for schema in both]
    contexts = {}
    for key, (old, new) in pairs.items():
        if old == new or (isinstance(old, Column) and old.type != new.type):
            continue
        name = key[0] if isinstance(key, tuple) else getattr(new, "table", None)
        first, second = (
            _context(value, of.get(name) if name is not None else None)
            for value, of in zip((old, new), tables, strict=True)
        )
        if first is not None and second is not None:
            contexts[key] = (first, second)
    return contexts


async def _meanings(
    session: ScratchSession, schema: Schema, expressions: Sequence[Expression]
) -> dict[Expression, str | None]:
    """Return the server's normal form of each expression; ``None`` if it is unknown."""

    async def ask(source: Source, texts: Sequence[Expression]) -> dict[Expression, str | None]:
        return dict(zip(texts, await session.normalize(source, texts), strict=True))

    meanings = await ask(_SCRATCH, expressions)
    unknown = [expression for expression, meaning in meanings.items() if meaning is None]
    if unknown:
        empty = await session.schema(EMPTY)
        support = types_and_functions(schema, empty)
        if support != empty:
            try:
                source = await schema_source(session, support, empty)
                meanings |= await ask(_named(source), unknown)
            except (UnsupportedChange, StatementFailed):
                pass  # The functions have other dependencies, so these stay unknown.
    return meanings


def _named(source: Source) -> Source:
    """Return a source whose database is used for expressions only, and is never copied."""
    return replace(source, parts=("expressions", *source.parts))


_SCRATCH = _named(EMPTY)


def types_and_functions(schema: Schema, empty: Schema) -> Schema:
    """Return the objects that expressions of *schema* may use and that need no table."""
    usable = {obj.ref for obj in schema.objects if OBJECT_KINDS[obj.ref.kind].in_expressions}
    needs = schema.needs()
    lacking = {ref for ref in usable if not usable.issuperset(needs.get(ref, ()))}
    refs = without_users(schema, usable, lacking)
    objects = tuple(obj for obj in schema.objects if obj.ref in refs)
    pairs = tuple(pair for pair in schema.dependencies if set(pair) <= refs)
    return replace(empty, dependencies=pairs, objects=objects)
