"""Dispatch each kind of object to its SQL for create, drop, alter and rename. Pure."""

from dataclasses import replace

from dbwarden.dialects.postgresql.ddl.code import (
    Code,
    aggregate_arguments,
    alter_code,
    create_code,
)
from dbwarden.dialects.postgresql.ddl.columns import add_column, alter_column, lost_values
from dbwarden.dialects.postgresql.ddl.constraints import add_constraint, alter_constraint
from dbwarden.dialects.postgresql.ddl.context import (
    Context,
    Statements,
    comment,
    ref_sql,
)
from dbwarden.dialects.postgresql.ddl.indexes import add_index, alter_index, drop_index
from dbwarden.dialects.postgresql.ddl.names import in_namespace
from dbwarden.dialects.postgresql.ddl.plain_objects import alter_plain, create_plain, drop_plain
from dbwarden.dialects.postgresql.ddl.privileges import change_privileges
from dbwarden.dialects.postgresql.ddl.tables import alter_table, create_table
from dbwarden.dialects.postgresql.ddl.types import TypeObject, alter_type, create_type
from dbwarden.dialects.postgresql.sql.quoting import literal_or_null, quote, text_literal
from dbwarden.diff.changes import Alter, Create, Drop, Rename, RenameValue
from dbwarden.diff.statements import Sql
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import (
    OBJECT_KINDS,
    Aggregate,
    AnyObject,
    Check,
    Column,
    Constraint,
    DefaultPrivileges,
    Exclusion,
    Extension,
    ForeignKey,
    Grant,
    Index,
    Key,
    Namespace,
    ObjectKind,
    Part,
    PlainObject,
    QualifiedName,
    Routine,
    SchemaObject,
    Sequence,
    Table,
    ref_of,
)


def create_object(ctx: Context, change: Create) -> Statements:
    """Create an object with its comment."""
    yield from _create(ctx, change)
    yield from _comment(ctx, None, change.obj)


def _create(ctx: Context, change: Create) -> Statements:
    obj = change.obj
    match obj:
        case Table():
            yield from create_table(ctx, obj)
        case Column():
            yield from add_column(ctx, change.table, obj)
        case Index():
            yield from add_index(ctx, change.table, obj)
        case Key() | ForeignKey() | Check() | Exclusion():
            yield from add_constraint(ctx, change.table, obj)
        case Namespace():
            yield f"CREATE {ref_sql(ctx, obj.ref)}"
        case Sequence() if obj.name in ctx.serials.values():
            pass  # serial creates it
        case Grant() | DefaultPrivileges():
            yield from change_privileges(ctx, None, obj)
        case PlainObject():
            yield from create_plain(ctx, obj)
        case _ if isinstance(obj, TypeObject):
            yield from create_type(ctx, obj)
        case _:
            yield from create_code(ctx, obj)


def _comment(ctx: Context, before: AnyObject | None, after: AnyObject) -> Statements:
    """Change the comment; those of columns, constraints and indexes have their own place."""
    text = after.comment
    if isinstance(after, Part) or text == (before.comment if before is not None else None):
        return
    match after:
        case Namespace(name=name):
            if name == "public" and text is None:
                text = "standard public schema"
            tail, default = f" IS {literal_or_null(text)}", ctx.desired.default_namespace
            yield in_namespace("COMMENT ON SCHEMA ", name, tail, default)
        case Extension() if text is None:
            yield comment(sql_name(ctx, after), after.own_comment)
        case _:
            yield comment(sql_name(ctx, after), text)


def drop_object(ctx: Context, change: Drop) -> Statements:
    """Drop an object."""
    if ctx.is_dropped_with_owner(change):
        return
    match change.obj:
        case Table() as obj:
            name = ctx.original_label(obj.ref)
            yield Sql(f"DROP {sql_name(ctx, obj)}", destroys=(name,))
        case Index() as obj:
            yield from drop_index(ctx, change, obj)
        case Part() as obj:
            own, word = ctx.name(change.table), obj.kind.value.upper()
            text = f"ALTER TABLE {'ONLY ' * change.only}{own} DROP {word} {quote(obj.key)}"
            lost = lost_values(ctx, change.table, obj) if isinstance(obj, Column) else ()
            yield Sql(text, destroys=lost)
        case (Grant() | DefaultPrivileges()) as obj:
            yield from change_privileges(ctx, obj, None)
        case PlainObject() as obj:
            yield from drop_plain(ctx, obj)
        case obj:
            yield f"DROP {sql_name(ctx, obj)}"


def sql_name(ctx: Context, obj: SchemaObject | Table) -> str:
    """Return ``VIEW name`` or ``TRIGGER name ON table``, as in DROP and COMMENT ON."""
    match obj:
        case Routine(procedure=True):
            return ref_sql(ctx, obj.ref, "PROCEDURE {name}({raw_part})")
        case Aggregate():
            return ref_sql(ctx, replace(obj.ref, part=aggregate_arguments(obj)))
        case _:
            return ref_sql(ctx, obj.ref)


def alter_object(ctx: Context, change: Alter) -> Statements:
    """Alter an object in place."""
    yield from _alter(ctx, change)
    yield from _comment(ctx, change.before, change.after)


def _alter(ctx: Context, change: Alter) -> Statements:
    table = change.table
    match change.before, change.after:
        case Table() as was, Table() as now:
            yield from alter_table(ctx, was, now)
        case Column() as was, Column() as now:
            yield from alter_column(ctx, table, was, now)
        case Index() as was, Index() as now:
            yield from alter_index(ctx, table, was, now)
        case was, now if isinstance(was, Constraint) and isinstance(now, Constraint):
            yield from alter_constraint(ctx, table, was, now)
        case _, Sequence(name=name) if name in ctx.serials.values():
            pass  # serial creates it
        case (Grant() | DefaultPrivileges()) as was, (Grant() | DefaultPrivileges()) as now:
            yield from change_privileges(ctx, was, now)
        case PlainObject() as was, PlainObject() as now:
            yield from alter_plain(ctx, was, now)
        case was, now if isinstance(was, TypeObject) and isinstance(now, TypeObject):
            yield from alter_type(ctx, was, now)
        case was, now if isinstance(was, Code) and isinstance(now, Code):
            yield from alter_code(ctx, was, now)
        case Namespace(), Namespace():
            pass  # only the comment
        case _:
            raise UnsupportedChange(f"dbwarden cannot change {change.ref} in place.")


def rename(ctx: Context, change: Rename) -> Statements:
    """Rename an object or move it to another namespace."""
    before, after = change.before, change.after
    table = ctx.name(before.table)
    match before.kind:
        case (ObjectKind.COLUMN | ObjectKind.CONSTRAINT) as kind:
            names = f"{quote(before.part or '')} TO {quote(after.part or '')}"
            yield f"ALTER TABLE {table} RENAME {kind.value.upper()} {names}"
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
        if ctx.has(middle) or ctx.will_have(middle):
            moved = QualifiedName(after.namespace, before.name)
            steps = [(before.table, new_home), (moved, new_name)]
        else:
            steps = [(before.table, new_name), (middle, new_home)]
    for name, what in steps:
        yield f"ALTER {ref_sql(ctx, ref_of(before.kind, name))} {what}"


def rename_value(ctx: Context, change: RenameValue) -> Statements:
    """Rename an enum value."""
    words = f"RENAME VALUE {text_literal(change.before)} TO {text_literal(change.after)}"
    yield f"ALTER TYPE {ctx.name(change.enum)} {words}"
