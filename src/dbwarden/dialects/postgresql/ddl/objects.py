"""Dispatch each kind of object to its SQL for create, drop, alter and rename. Pure."""

from collections.abc import Iterator
from typing import assert_never

from dbwarden.dialects.postgresql.ddl import code, types
from dbwarden.dialects.postgresql.ddl.context import Context, statement
from dbwarden.dialects.postgresql.ddl.privileges import change_privileges
from dbwarden.dialects.postgresql.sql.quoting import quote, text_literal
from dbwarden.diff.changes import Alter, Create, Drop, Rename, RenameValue
from dbwarden.diff.statements import PlannedStatement
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import (
    Aggregate,
    CompositeType,
    DefaultPrivileges,
    Domain,
    Enum,
    EventTrigger,
    Extension,
    Grant,
    MaterializedView,
    Namespace,
    ObjectKind,
    Other,
    Policy,
    QualifiedName,
    Routine,
    Rule,
    SchemaObject,
    Sequence,
    Statistics,
    Trigger,
    View,
)

Statements = Iterator[PlannedStatement]


def create_object(ctx: Context, change: Create) -> Statements:  # one line a kind
    """Create an object other than a table."""
    match change.obj:
        case Namespace() as obj:
            yield from types.create_namespace(ctx, change, obj)
        case Extension() as obj:
            yield from types.create_extension(ctx, change, obj)
        case Enum() as obj:
            yield from types.create_enum(ctx, change, obj)
        case Domain() as obj:
            yield from types.create_domain(ctx, change, obj)
        case CompositeType() as obj:
            yield from types.create_composite(ctx, change, obj)
        case Sequence() as obj:
            if obj.name not in ctx.serials.values():  # serial creates it
                yield from types.create_sequence(ctx, change, obj)
        case View() as obj:
            yield from code.create_view(ctx, change, obj)
        case MaterializedView() as obj:
            yield from code.create_materialized_view(ctx, change, obj)
        case Routine() as obj:
            yield from code.create_routine(ctx, change, obj)
        case Aggregate() as obj:
            yield from code.create_aggregate(ctx, change, obj)
        case Trigger() as obj:
            yield from code.create_trigger(ctx, change, obj)
        case EventTrigger() as obj:
            yield from code.create_event_trigger(change, obj)
        case Rule() as obj:
            yield from code.create_rule(ctx, change, obj)
        case Policy() as obj:
            yield from code.create_policy(ctx, change, obj)
        case Statistics() as obj:
            yield from code.create_statistics(ctx, change, obj)
        case Grant() | DefaultPrivileges() as obj:
            yield from change_privileges(ctx, change, obj, before=None, after=obj)
        case Other() as obj:
            raise _unsupported(obj)
        case _:
            assert_never(change.obj)


def _unsupported(obj: Other) -> UnsupportedChange:
    return UnsupportedChange(
        f"dbwarden cannot create, change or drop the {obj.kind} {obj.name}.",
        next_step="Write its SQL into a migration by hand (dbwarden make-migrations --empty).",
    )


def drop_object(ctx: Context, change: Drop) -> Statements:
    """Drop an object other than a table."""
    obj = change.obj
    if isinstance(obj, Other):
        raise _unsupported(obj)
    if ctx.is_dropped_with_owner(obj):
        return
    if isinstance(obj, Grant | DefaultPrivileges):
        yield from change_privileges(ctx, change, obj, before=obj, after=None)
        return
    yield statement(change, f"DROP {sql_name(ctx, obj)}")


def sql_name(ctx: Context, obj: SchemaObject) -> str:
    """Return ``VIEW name`` or ``TRIGGER name ON table``, as in DROP and ALTER."""
    match obj:
        case Trigger() | Rule() | Policy():
            return f"{obj.ref.kind.value.upper()} {quote(obj.name)} ON {ctx.name(obj.table)}"
        case Routine() | Aggregate():
            return code.routine_name(ctx, obj)
        case Namespace() | Extension() | EventTrigger():
            return f"{WORDS[obj.ref.kind]} {quote(obj.name)}"
        case _:
            return f"{WORDS[obj.ref.kind]} {ctx.name(obj.ref.table)}"


WORDS = {
    ObjectKind.NAMESPACE: "SCHEMA",
    ObjectKind.EXTENSION: "EXTENSION",
    ObjectKind.EVENT_TRIGGER: "EVENT TRIGGER",
    ObjectKind.ENUM: "TYPE",
    ObjectKind.DOMAIN: "DOMAIN",
    ObjectKind.COMPOSITE: "TYPE",
    ObjectKind.SEQUENCE: "SEQUENCE",
    ObjectKind.TABLE: "TABLE",
    ObjectKind.VIEW: "VIEW",
    ObjectKind.MATERIALIZED_VIEW: "MATERIALIZED VIEW",
    ObjectKind.STATISTICS: "STATISTICS",
    ObjectKind.INDEX: "INDEX",
}
RENAMED = WORDS.keys() - {
    ObjectKind.NAMESPACE,
    ObjectKind.EXTENSION,
    ObjectKind.EVENT_TRIGGER,
    ObjectKind.STATISTICS,
}
"""The kinds with a namespace that any owner may rename; others are recreated."""


def alter_object(ctx: Context, change: Alter) -> Statements:  # one line a kind
    """Alter an object other than a table in place."""
    match change.before, change.after:
        case Namespace(), Namespace() as now:
            yield types.comment_on_namespace(ctx, change, now)
        case Extension() as was, Extension() as now:
            yield from types.alter_extension(change, was, now)
        case Enum() as was, Enum() as now:
            yield from types.alter_enum(ctx, change, was, now)
        case Domain() as was, Domain() as now:
            yield from types.alter_domain(ctx, change, was, now)
        case CompositeType() as was, CompositeType() as now:
            yield from types.alter_composite(ctx, change, was, now)
        case Sequence() as was, Sequence() as now:
            if now.name not in ctx.serials.values():
                yield from types.alter_sequence(ctx, change, was, now)
        case View() as was, View() as now:
            yield from code.alter_view(ctx, change, was, now)
        case MaterializedView() as was, MaterializedView() as now:
            yield from code.alter_materialized_view(ctx, change, was, now)
        case Routine() as was, Routine() as now:
            yield from code.alter_routine(ctx, change, was, now)
        case Aggregate(), Aggregate() as now:
            yield types.comment(change, code.routine_name(ctx, now), now.comment)
        case Trigger() as was, Trigger() as now:
            yield from code.alter_trigger(ctx, change, was, now)
        case EventTrigger() as was, EventTrigger() as now:
            yield from code.alter_event_trigger(change, was, now)
        case Rule() as was, Rule() as now:
            yield from code.alter_rule(ctx, change, was, now)
        case Policy() as was, Policy() as now:
            yield from code.alter_policy(ctx, change, was, now)
        case Statistics() as was, Statistics() as now:
            yield from code.alter_statistics(ctx, change, was, now)
        case (Grant() | DefaultPrivileges()) as was, (Grant() | DefaultPrivileges()) as now:
            yield from change_privileges(ctx, change, now, before=was, after=now)
        case _, Other() as now:
            raise _unsupported(now)
        case _, now:
            raise UnsupportedChange(f"dbwarden cannot change {now.ref} in place.")


def rename(ctx: Context, change: Rename) -> Statements:
    """Rename an object or move it to another namespace."""
    before, after = change.before, change.after
    table = ctx.name(before.table)
    match before.kind:
        case ObjectKind.COLUMN:
            what = f"RENAME COLUMN {quote(before.part or '')} TO {quote(after.part or '')}"
            yield statement(change, f"ALTER TABLE {table} {what}")
        case ObjectKind.CONSTRAINT:
            what = f"RENAME CONSTRAINT {quote(before.part or '')} TO {quote(after.part or '')}"
            yield statement(change, f"ALTER TABLE {table} {what}")
        case kind if kind in RENAMED:
            yield from _rename_qualified(ctx, change)
        case _:
            raise UnsupportedChange(f"dbwarden cannot rename {before}.")


def _rename_qualified(ctx: Context, change: Rename) -> Statements:
    """Set the name, then the namespace; in reverse order if that name is taken."""
    before, after, word = change.before, change.after, WORDS[change.before.kind]
    new_name = f"RENAME TO {quote(after.name)}"
    new_home = f"SET SCHEMA {quote(after.namespace or '')}"
    if before.namespace == after.namespace:
        steps = [(before.table, new_name)]
    elif before.name == after.name:
        steps = [(before.table, new_home)]
    else:
        middle = QualifiedName(before.namespace, after.name)
        if ctx.is_relation(middle):
            moved = QualifiedName(after.namespace, before.name)
            steps = [(before.table, new_home), (moved, new_name)]
        else:
            steps = [(before.table, new_name), (middle, new_home)]
    for name, what in steps:
        yield statement(change, f"ALTER {word} {ctx.name(name)} {what}")


def rename_value(ctx: Context, change: RenameValue) -> Statements:
    """Rename an enum value."""
    words = f"RENAME VALUE {text_literal(change.before)} TO {text_literal(change.after)}"
    yield statement(change, f"ALTER TYPE {ctx.name(change.enum)} {words}")
