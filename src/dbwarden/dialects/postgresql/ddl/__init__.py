"""Render changes as PostgreSQL statements. Pure."""

from collections.abc import Sequence
from typing import assert_never

from dbwarden.dialects.postgresql.ddl.bodies import (
    routines_to_leave_unchecked,
    with_unchecked_bodies,
)
from dbwarden.dialects.postgresql.ddl.column_renames_in_use import renaming
from dbwarden.dialects.postgresql.ddl.context import Context, Statements, context
from dbwarden.dialects.postgresql.ddl.filling import filling
from dbwarden.dialects.postgresql.ddl.moves import find_moves
from dbwarden.dialects.postgresql.ddl.objects import (
    alter_object,
    create_object,
    drop_object,
    rename,
    rename_value,
)
from dbwarden.dialects.postgresql.ddl.online import online, serving
from dbwarden.dialects.postgresql.ddl.retyping import retyping
from dbwarden.dialects.postgresql.ddl.stages import with_stages
from dbwarden.dialects.postgresql.ddl.table_renames_in_use import (
    old_names,
    refuse_in_place,
    refuse_with_backfills,
)
from dbwarden.dialects.postgresql.ddl.types import commit_new_values, rebuild_type
from dbwarden.diff.changes import Alter, Change, Create, Drop, RebuildType, Rename, RenameValue
from dbwarden.diff.statements import DEFAULT_OPTIONS, PlannedStatement, RenderOptions
from dbwarden.schema import Schema


def render(
    changes: Sequence[Change],
    *,
    current: Schema,
    desired: Schema,
    options: RenderOptions = DEFAULT_OPTIONS,
) -> tuple[PlannedStatement, ...]:
    """Return the SQL for *changes*, in their order.

    They are the result of :func:`dbwarden.diff.diff` for the two schemas.

    Raises:
        UnsupportedChange: A change has no SQL; names the object and the next step.
    """
    ctx = context(changes, current, desired, options)
    moves = find_moves(ctx, changes) if options.online else ()
    renamed = renaming(ctx, changes, moves)
    replaced = retyping(ctx, changes, moves) | old_names(ctx, changes) | renamed
    found: list[PlannedStatement] = []
    for change in changes:
        if replaced and change in replaced:
            found += replaced[change]
        else:
            found += serving(change, _statements(ctx, change))
    refuse_with_backfills(ctx, found)
    loose = routines_to_leave_unchecked(changes)
    if loose:
        found = list(with_unchecked_bodies(found, loose))
    committed = commit_new_values(tuple(found))
    if not options.online:
        return committed
    staged = with_stages(committed, options)
    if not options.back:
        refuse_in_place(ctx, staged)
    return staged


def _statements(ctx: Context, change: Change) -> Statements:
    if ctx.options.online and (special := filling(ctx, change) or online(ctx, change)):
        return special
    match change:
        case Create():
            return create_object(ctx, change)
        case Drop():
            return drop_object(ctx, change)
        case Alter():
            return alter_object(ctx, change)
        case RebuildType():
            return rebuild_type(ctx, change)
        case Rename():
            return rename(ctx, change)
        case RenameValue():
            return rename_value(ctx, change)
        case _:
            assert_never(change)
