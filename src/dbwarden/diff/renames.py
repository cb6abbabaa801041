"""Predict a schema after renames. Pure.

The server tracks objects by number across a rename; this module replaces names in values and in
printed text. Where the two disagree (an alias in a view, say), an object is at worst defined again.
"""

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import fields, is_dataclass, replace
from functools import partial
from typing import Any, TypeVar

from dbwarden.diff.changes import Rename, RenameValue, Renaming
from dbwarden.quoting import quoted, text_literal
from dbwarden.schema import (
    RELATIONS,
    Enum,
    ForeignKey,
    Grant,
    MaterializedView,
    ObjectKind,
    PlainObject,
    Policy,
    QualifiedName,
    Ref,
    Routine,
    Rule,
    Schema,
    SchemaObject,
    Sequence,
    Statistics,
    Table,
    Trigger,
    View,
    ref_of,
)
from dbwarden.schema.kind_traits import traits_of

T = TypeVar("T")
FOLLOWED = "-- follows a column that was renamed\n"
"""Prefix that makes a text differ from any the server prints: its new printed form is unknown."""
TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|[A-Za-z_\u0080-\uffff][\w$]*|.""", re.DOTALL)


def apply_renames(schema: Schema, renames: Iterable[Renaming]) -> Schema:
    """Return *schema* after *renames*, in their order."""
    for rename in renames:
        match rename:
            case RenameValue(enum=enum, before=before, after=after):
                schema = _rename_value(schema, enum, before, after)
            case Rename(before=old, after=new) if old.kind is ObjectKind.COLUMN:
                schema = _rename_column(schema, old, new)
            case Rename(before=old, after=new):
                for part, moved in _moved_with_table(schema, old, new):
                    schema = _rename_object(schema, part, moved)
                schema = _rename_object(schema, old, new)
    return _sorted(schema)


def apply_followed(base: Schema, desired: Schema, refs: Collection[Ref]) -> Schema:
    """Return *base* with the objects *refs* replaced by those of *desired*."""
    if not refs:
        return base
    there = {obj.ref: obj for obj in desired.objects if obj.ref in refs}
    return replace(base, objects=tuple(there.get(item.ref, item) for item in base.objects))


def renamed_ref(ref: Ref, renames: Iterable[Renaming]) -> Ref:
    """Return the identity of *ref*, an object or a part of a table, after *renames*."""
    for rename in renames:
        match rename:
            case Rename(before=before, after=after) if before == ref:
                ref = after
            case Rename(before=Ref(kind=ObjectKind.TABLE, part=None) as before, after=after) if (
                ref.part is not None and ref.table == before.table
            ):
                ref = ref.within(after.table)
    return ref


def _moved_with_table(schema: Schema, old: Ref, new: Ref) -> list[tuple[Ref, Ref]]:
    """Return the objects that the server moves to another namespace with a table."""
    table = schema.table(old.table) if old.kind is ObjectKind.TABLE else None
    if table is None or old.namespace == new.namespace:
        return []
    owned = [item for item in schema.of(Sequence) if item.owned_by is not None]
    names = [item.name for item in owned if item.owned_by and item.owned_by.table == old.table]
    names += [c.identity.sequence for c in table.columns if c.identity and c.identity.sequence]
    moved = [ref_of(ObjectKind.SEQUENCE, name) for name in names]
    moved += [Ref(ObjectKind.INDEX, old.namespace, index.name) for index in table.indexes]
    return [(ref, replace(ref, namespace=new.namespace)) for ref in moved]


def renamed_sequences(current: Schema, desired: Schema) -> Iterable[Rename]:
    """Return renames of sequences that serve the same column; they keep their counters."""
    wanted = {item.owned_by: item for item in desired.of(Sequence) if item.owned_by is not None}
    for sequence in current.of(Sequence):
        other = wanted.get(sequence.owned_by) if sequence.owned_by is not None else None
        if other is not None and other.name != sequence.name:
            yield Rename(before=sequence.ref, after=other.ref)


def _sorted(schema: Schema) -> Schema:
    tables = tuple(sorted(schema.tables, key=lambda table: table.ref.sort_key))
    grants = tuple(sorted(schema.existing_grants, key=lambda grant: grant.ref.sort_key))
    return replace(schema.with_objects(schema.objects), tables=tables, existing_grants=grants)


def _rename_value(schema: Schema, name: QualifiedName, before: str, after: str) -> Schema:
    def swap(obj: SchemaObject) -> SchemaObject:
        if not isinstance(obj, Enum) or obj.name != name:
            return obj
        return replace(obj, values=tuple(after if it == before else it for it in obj.values))

    old, new = text_literal(before), text_literal(after)

    def text(value: str) -> str:
        return "".join(new if token == old else token for token in TOKEN.findall(value))

    users = {
        user for user, needed in schema.dependencies if needed == ref_of(ObjectKind.ENUM, name)
    }
    tables = tuple(
        _texts(table, text) if any(user.table == table.name for user in users) else table
        for table in schema.tables
    )
    return replace(schema, objects=tuple(map(swap, schema.objects)), tables=tables)


def _rename_object(schema: Schema, old: Ref, new: Ref) -> Schema:
    """Rename an object other than a column, and every mention of it."""

    def visit(value: Any, _: str) -> Any:
        if value == old:
            return new
        if isinstance(value, QualifiedName) and old.part is None and value == old.table:
            return new.table
        if isinstance(value, Ref) and value.table == old.table and value.part is not None:
            return value.within(new.table) if old.kind in RELATIONS else None
        return None

    home = (old, Ref(ObjectKind.NAMESPACE, None, old.namespace or ""))
    left = {home} if old.namespace != new.namespace else set()
    kept = tuple(pair for pair in schema.dependencies if pair not in left)
    schema = _walk(replace(schema, dependencies=kept), visit)
    if old.kind in (ObjectKind.INDEX, ObjectKind.CONSTRAINT):
        return _rename_part(schema, old, new.part or new.name)

    def rename_grant(obj: T) -> T:
        if not isinstance(obj, Grant) or obj.on.table != new.table:
            return obj
        return replace(obj, target=_target(obj.target, schema, old.table, new.table))

    schema = replace(
        schema,
        objects=tuple(map(rename_grant, schema.objects)),
        existing_grants=tuple(map(rename_grant, schema.existing_grants)),
    )
    return _texts(schema, _mentions(schema, old.table, new.table))


def _target(target: str, schema: Schema, old: QualifiedName, new: QualifiedName) -> str:
    """Return the name of an object in GRANT, always with its namespace."""
    was, now = (
        f" {_quoted(name.namespace or '', schema)}.{_quoted(name.name, schema)}"
        for name in (old, new)
    )
    return target.replace(was, now, 1)


def _mentions(schema: Schema, old: QualifiedName, new: QualifiedName) -> Callable[[str], str]:
    def printed(name: QualifiedName) -> str:
        own = _quoted(name.name, schema)
        if name.namespace in (None, schema.default_namespace):
            return own
        return f"{_quoted(name.namespace or '', schema)}.{own}"

    namespace = _quoted(old.namespace or "", schema)
    full = re.escape(f"{namespace}.{_quoted(old.name, schema)}")
    pattern = re.compile(rf"(?<![\w.\"]){full}(?![\w\"])")
    plain = printed(old)
    constant = f"{text_literal(plain)}::regclass"

    def text(value: str) -> str:
        value = pattern.sub(printed(new), value)
        value = value.replace(constant, f"{text_literal(printed(new))}::regclass")
        return "".join(printed(new) if token == plain else token for token in TOKEN.findall(value))

    return text


def _quoted(name: str, schema: Schema) -> str:
    flags = re.IGNORECASE if traits_of(schema.dialect).names_ignore_case else 0
    if re.fullmatch(r"[a-z_][a-z0-9_$]*", name, flags):
        return name
    return quoted(name)


def _rename_part(schema: Schema, old: Ref, name: str) -> Schema:
    """Give the constraint or index *old* the new *name*."""

    def rename(relation: QualifiedName, part: Any) -> Any:
        return replace(part, name=name) if part.ref_in(relation) == old else part

    tables = tuple(
        table.map_parts(partial(rename, table.name))
        if table.name.namespace == old.namespace
        else table
        for table in schema.tables
    )
    objects = tuple(
        replace(obj, indexes=tuple(rename(obj.name, index) for index in obj.indexes))
        if isinstance(obj, MaterializedView)
        else obj
        for obj in schema.objects
    )
    return replace(schema, tables=tables, objects=objects)


def _rename_column(schema: Schema, old: Ref, new: Ref) -> Schema:
    before, after = old.part or "", new.part or ""
    old_text, new_text = _quoted(before, schema), _quoted(after, schema)

    def word(value: str) -> str:
        return after if value == before else value

    def text(value: str) -> str:
        tokens = TOKEN.findall(value)
        return "".join(new_text if token == old_text else token for token in tokens)

    def visit(value: Any, _: str) -> Any:
        if isinstance(value, Ref) and value.kind in (ObjectKind.COLUMN, ObjectKind.DEFAULT):
            same = value.table == old.table and value.part == before
            return replace(value, part=after) if same else None
        if isinstance(value, ForeignKey) and value.references == old.table:
            return replace(value, referred_columns=tuple(map(word, value.referred_columns)))
        return None

    readers = {user for user, needed in schema.dependencies if needed == old}
    schema = _walk(schema, visit)
    tables = tuple(
        replace_column_names(table, word, text) if table.name == old.table else table
        for table in schema.tables
    )

    def renamed(obj: SchemaObject) -> SchemaObject:
        match obj:
            case Grant() if obj.on == ref_of(ObjectKind.TABLE, old.table):
                words = (obj.privileges, obj.grantable, obj.revoked)
                has, passes, lacks = (tuple(sorted(map(text, each))) for each in words)
                return replace(obj, privileges=has, grantable=passes, revoked=lacks)
            case Trigger() | Rule() | Policy() | Statistics() if obj.table == old.table:
                return _texts(obj, text)
            case _:
                return _mark_followed(obj) if obj.ref in readers else obj

    return replace(schema, tables=tables, objects=tuple(map(renamed, schema.objects)))


def _mark_followed(obj: SchemaObject) -> SchemaObject:
    """Return *obj* with its text marked as following a renamed column."""
    match obj:
        case Policy():
            return replace(obj, using=_marked(obj.using or ""))
        case View() | MaterializedView() | Routine() | Trigger() | Rule() | Statistics():
            return replace(obj, definition=_marked(obj.definition))
        case PlainObject():
            return replace(obj, clauses=tuple((key, _marked(it)) for key, it in obj.clauses))
        case _:
            return obj


def _marked(text: str) -> str:
    return FOLLOWED + text.removeprefix(FOLLOWED)


def replace_column_names(
    table: Table, word: Callable[[str], str], text: Callable[[str], str]
) -> Table:
    """Return *table* with the names of its columns replaced, except in defaults and parameters.

    *word* returns the new name of a column, *text* an expression with the new names.
    """

    columns = tuple(replace(column, name=word(column.name)) for column in table.columns)
    table = _texts(replace(table, columns=columns), word, COLUMN_NAMES)
    return _texts(table, text, {"expression", "where", "definition", "partition_by"})


COLUMN_NAMES = {"columns", "include", "on_delete_columns", "column"}
TEXTS = {
    *("type", "default", "expression", "where", "definition", "using", "check", "bound"),
    *("returns", "arguments", "identity", "partition_by", "clauses"),
}


def _texts(value: T, text: Callable[[str], str], names: Collection[str] = TEXTS) -> T:
    """Return *value* with *text* applied to each text in it whose field is one of *names*."""

    def visit(part: Any, field: str) -> Any:
        return text(part) if field in names and isinstance(part, str) else None

    return _walk(value, visit, names)


def _walk(
    value: T, visit: Callable[[Any, str], Any], texts: Collection[str] = (), field: str = ""
) -> T:
    """Return *value* with every part replaced, at any depth, that *visit* has a new value for.

    It gets each part with the name of its field; texts only from the fields *texts*.
    """
    found = visit(value, field)
    if found is not None:
        return found  # type: ignore[no-any-return]  # of the same type, by contract
    if isinstance(value, tuple):
        return tuple(_walk(item, visit, texts, field) for item in value)  # type: ignore[return-value]  # same shape
    if not is_dataclass(value):
        return value
    changed: dict[str, Any] = {}
    for name in (item.name for item in fields(value)):
        was = getattr(value, name)
        if isinstance(was, tuple) or is_dataclass(was) or name in texts:
            now = _walk(was, visit, texts, name)
            if now is not was and now != was:
                changed[name] = now
    return replace(value, **changed) if changed else value  # type: ignore[type-var]  # a dataclass
