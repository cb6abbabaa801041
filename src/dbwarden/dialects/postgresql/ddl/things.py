"""Which SQL each kind of thing has when it is created, dropped, altered or renamed. Pure."""

from collections.abc import Iterator
from typing import assert_never

from dbwarden.dialects.postgresql.ddl import code, types
from dbwarden.dialects.postgresql.ddl.context import Context, statement
from dbwarden.dialects.postgresql.ddl.names import literal, quote
from dbwarden.dialects.postgresql.ddl.privileges import change_privileges
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
    Kind,
    MaterializedView,
    Namespace,
    Other,
    Policy,
    QualifiedName,
    Routine,
    Rule,
    Sequence,
    Statistics,
    Thing,
    Trigger,
    View,
)

Statements = Iterator[PlannedStatement]


def create_thing(ctx: Context, change: Create) -> Statements:  # one line a kind
    """Anything but a table is new."""
    match change.thing:
        case Namespace() as thing:
            yield from types.create_namespace(ctx, change, thing)
        case Extension() as thing:
            yield from types.create_extension(ctx, change, thing)
        case Enum() as thing:
            yield from types.create_enum(ctx, change, thing)
        case Domain() as thing:
            yield from types.create_domain(ctx, change, thing)
        case CompositeType() as thing:
            yield from types.create_composite(ctx, change, thing)
        case Sequence() as thing:
            if thing.name not in ctx.serials.values():  # serial makes its own
                yield from types.create_sequence(ctx, change, thing)
        case View() as thing:
            yield from code.create_view(ctx, change, thing)
        case MaterializedView() as thing:
            yield from code.create_materialized_view(ctx, change, thing)
        case Routine() as thing:
            yield from code.create_routine(ctx, change, thing)
        case Aggregate() as thing:
            yield from code.create_aggregate(ctx, change, thing)
        case Trigger() as thing:
            yield from code.create_trigger(ctx, change, thing)
        case EventTrigger() as thing:
            yield from code.create_event_trigger(change, thing)
        case Rule() as thing:
            yield from code.create_rule(ctx, change, thing)
        case Policy() as thing:
            yield from code.create_policy(ctx, change, thing)
        case Statistics() as thing:
            yield from code.create_statistics(ctx, change, thing)
        case Grant() | DefaultPrivileges() as thing:
            yield from change_privileges(ctx, change, thing, before=None, after=thing)
        case Other() as thing:
            raise _unsupported(thing)
        case _:
            assert_never(change.thing)


def _unsupported(thing: Other) -> UnsupportedChange:
    return UnsupportedChange(
        f"dbwarden cannot make, change or drop the {thing.kind} {thing.name}.",
        next_step="Write its SQL into a migration by hand (dbwarden make-migrations --empty).",
    )


def drop_thing(ctx: Context, change: Drop) -> Statements:
    """Anything but a table goes."""
    thing = change.thing
    if isinstance(thing, Other):
        raise _unsupported(thing)
    if ctx.goes_along(thing):
        return
    if isinstance(thing, Grant | DefaultPrivileges):
        yield from change_privileges(ctx, change, thing, before=thing, after=None)
        return
    yield statement(change, f"DROP {sql_name(ctx, thing)}")


def sql_name(ctx: Context, thing: Thing) -> str:
    """``VIEW name``, ``TRIGGER name ON table``: how DROP and ALTER call it."""
    match thing:
        case Trigger() | Rule() | Policy():
            return f"{thing.ref.kind.value.upper()} {quote(thing.name)} ON {ctx.name(thing.table)}"
        case Routine() | Aggregate():
            return code.routine_name(ctx, thing)
        case Namespace() | Extension() | EventTrigger():
            return f"{WORDS[thing.ref.kind]} {quote(thing.name)}"
        case _:
            return f"{WORDS[thing.ref.kind]} {ctx.name(thing.ref.table)}"


WORDS = {
    Kind.NAMESPACE: "SCHEMA",
    Kind.EXTENSION: "EXTENSION",
    Kind.EVENT_TRIGGER: "EVENT TRIGGER",
    Kind.ENUM: "TYPE",
    Kind.DOMAIN: "DOMAIN",
    Kind.COMPOSITE: "TYPE",
    Kind.SEQUENCE: "SEQUENCE",
    Kind.TABLE: "TABLE",
    Kind.VIEW: "VIEW",
    Kind.MATERIALIZED_VIEW: "MATERIALIZED VIEW",
    Kind.STATISTICS: "STATISTICS",
    Kind.INDEX: "INDEX",
}
RENAMED = WORDS.keys() - {Kind.NAMESPACE, Kind.EXTENSION, Kind.EVENT_TRIGGER, Kind.STATISTICS}
"""Those whose name stands in a namespace and that anyone may rename: the rest is made anew."""


def alter_thing(ctx: Context, change: Alter) -> Statements:  # one line a kind
    """Anything but a table changes in place."""
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
    """The same thing under another name, or in another namespace."""
    before, after = change.before, change.after
    table = ctx.name(before.table)
    match before.kind:
        case Kind.COLUMN:
            what = f"RENAME COLUMN {quote(before.part or '')} TO {quote(after.part or '')}"
            yield statement(change, f"ALTER TABLE {table} {what}")
        case Kind.CONSTRAINT:
            what = f"RENAME CONSTRAINT {quote(before.part or '')} TO {quote(after.part or '')}"
            yield statement(change, f"ALTER TABLE {table} {what}")
        case kind if kind in RENAMED:
            yield from _rename_qualified(ctx, change)
        case _:
            raise UnsupportedChange(f"dbwarden cannot rename {before}.")


def _rename_qualified(ctx: Context, change: Rename) -> Statements:
    """A new name, then the new namespace; the other way round where that name is taken."""
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
    """The same enum value under another name."""
    words = f"RENAME VALUE {literal(change.before)} TO {literal(change.after)}"
    yield statement(change, f"ALTER TYPE {ctx.name(change.enum)} {words}")
