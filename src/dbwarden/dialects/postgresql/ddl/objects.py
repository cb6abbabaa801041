"""Dispatch each kind of object to its SQL for create, drop, alter and rename. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from typing import assert_never

from dbwarden.dialects.postgresql.ddl import code, columns, constraints, tables, types
from dbwarden.dialects.postgresql.ddl.context import Context, comment, ref_sql, statement
from dbwarden.dialects.postgresql.ddl.names import in_namespace
from dbwarden.dialects.postgresql.ddl.plain_objects import alter_plain, create_plain, drop_plain
from dbwarden.dialects.postgresql.ddl.privileges import change_privileges
from dbwarden.dialects.postgresql.sql.quoting import literal_or_null, quote, text_literal
from dbwarden.diff.changes import Alter, Change, Create, Drop, Rename, RenameValue
from dbwarden.diff.statements import PlannedStatement
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import (
    OBJECT_KINDS,
    Aggregate,
    AnyObject,
    Check,
    Column,
    CompositeType,
    DefaultPrivileges,
    Domain,
    Enum,
    EventTrigger,
    Exclusion,
    Extension,
    ForeignKey,
    Grant,
    Index,
    MaterializedView,
    Namespace,
    ObjectKind,
    Part,
    PlainObject,
    Policy,
    PrimaryKey,
    QualifiedName,
    Routine,
    Rule,
    SchemaObject,
    Sequence,
    Statistics,
    Table,
    Trigger,
    Unique,
    View,
    ref_of,
)

Statements = Iterator[PlannedStatement]


def create_object(ctx: Context, change: Create) -> Statements:
    """Create an object with its comment."""
    yield from _create(ctx, change)
    yield from _comment(ctx, change, None, change.obj)


def _create(ctx: Context, change: Create) -> Statements:  # one line a kind
    table = change.table
    match change.obj:
        case Table() as obj:
            yield from tables.create_table(ctx, change, obj)
        case Column() as obj:
            yield from columns.add_column(ctx, change, table, obj)
        case (PrimaryKey() | Unique() | ForeignKey() | Check() | Exclusion()) as obj:
            yield from constraints.add_constraint(ctx, change, table, obj)
        case Index() as obj:
            yield from constraints.add_index(ctx, change, table, obj)
        case Namespace():
            yield statement(change, f"CREATE {ref_sql(ctx, change.obj.ref)}")
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
            yield from code.create_routine(change, obj)
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
        case PlainObject() as obj:
            yield from create_plain(ctx, change, obj)
        case _:
            assert_never(change.obj)


def _comment(
    ctx: Context, change: Change, before: AnyObject | None, after: AnyObject
) -> Statements:
    """Change the comment; those of columns, constraints and indexes have their own place."""
    text = after.comment
    if isinstance(after, Part) or text == (before.comment if before is not None else None):
        return
    match after:
        case Namespace(name=name):
            if name == "public" and text is None:
                text = "standard public schema"
            tail, default = f" IS {literal_or_null(text)}", ctx.desired.default_namespace
            yield statement(change, in_namespace("COMMENT ON SCHEMA ", name, tail, default))
        case Extension() if text is None:
            yield comment(change, sql_name(ctx, after), after.own_comment)
        case _:
            yield comment(change, sql_name(ctx, after), text)


def drop_object(ctx: Context, change: Drop) -> Statements:
    """Drop an object."""
    if ctx.is_dropped_with_owner(change):
        return
    match change.obj:
        case Table() as obj:
            name = ctx.original_label(obj.ref)
            yield statement(change, f"DROP {sql_name(ctx, obj)}", destroys=(name,))
        case Index() as obj:
            yield from constraints.drop_index(ctx, change, obj)
        case Part() as obj:
            own, word = ctx.name(change.table), obj.kind.value.upper()
            text = f"ALTER TABLE {'ONLY ' * change.only}{own} DROP {word} {quote(obj.key)}"
            lost = columns.lost_values(ctx, change.table, obj) if isinstance(obj, Column) else ()
            yield statement(change, text, destroys=lost)
        case (Grant() | DefaultPrivileges()) as obj:
            yield from change_privileges(ctx, change, obj, before=obj, after=None)
        case PlainObject() as obj:
            yield from drop_plain(ctx, change, obj)
        case obj:
            yield statement(change, f"DROP {sql_name(ctx, obj)}")


def sql_name(ctx: Context, obj: SchemaObject | Table) -> str:
    """Return ``VIEW name`` or ``TRIGGER name ON table``, as in DROP and COMMENT ON."""
    match obj:
        case Routine(procedure=True):
            return ref_sql(ctx, obj.ref, "PROCEDURE {name}({raw_part})")
        case Aggregate():
            return ref_sql(ctx, replace(obj.ref, part=code.aggregate_arguments(obj)))
        case _:
            return ref_sql(ctx, obj.ref)


def alter_object(ctx: Context, change: Alter) -> Statements:
    """Alter an object in place."""
    yield from _alter(ctx, change)
    yield from _comment(ctx, change, change.before, change.after)


def _alter(ctx: Context, change: Alter) -> Statements:  # one line a kind
    table = change.table
    match change.before, change.after:
        case Table() as was, Table() as now:
            yield from tables.alter_table(ctx, change, was, now)
        case Column() as was, Column() as now:
            yield from columns.alter_column(ctx, change, table, was, now)
        case Index() as was, Index() as now:
            yield from constraints.alter_index(ctx, change, table, was, now)
        case (
            (PrimaryKey() | Unique() | ForeignKey() | Check() | Exclusion()) as was,
            (PrimaryKey() | Unique() | ForeignKey() | Check() | Exclusion()) as now,
        ):
            yield from constraints.alter_constraint(ctx, change, table, was, now)
        case (Namespace(), Namespace()) | (Aggregate(), Aggregate()):
            pass  # only the comment
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
            yield from code.alter_routine(change, was, now)
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
        case PlainObject() as was, PlainObject() as now:
            yield from alter_plain(ctx, change, was, now)
        case _:
            raise UnsupportedChange(f"dbwarden cannot change {change.ref} in place.")


def rename(ctx: Context, change: Rename) -> Statements:
    """Rename an object or move it to another namespace."""
    before, after = change.before, change.after
    table = ctx.name(before.table)
    match before.kind:
        case (ObjectKind.COLUMN | ObjectKind.CONSTRAINT) as kind:
            names = f"{quote(before.part or '')} TO {quote(after.part or '')}"
            yield statement(change, f"ALTER TABLE {table} RENAME {kind.value.upper()} {names}")
        case kind if OBJECT_KINDS[kind].names:
            yield from _rename_qualified(ctx, change)
        case _:
            raise UnsupportedChange(f"dbwarden cannot rename {before}.")


def _rename_qualified(ctx: Context, change: Rename) -> Statements:
    """Set the name, then the namespace; in reverse order if that name is taken."""
    before, after = change.before, change.after
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
        yield statement(change, f"ALTER {ref_sql(ctx, ref_of(before.kind, name))} {what}")


def rename_value(ctx: Context, change: RenameValue) -> Statements:
    """Rename an enum value."""
    words = f"RENAME VALUE {text_literal(change.before)} TO {text_literal(change.after)}"
    yield statement(change, f"ALTER TYPE {ctx.name(change.enum)} {words}")
