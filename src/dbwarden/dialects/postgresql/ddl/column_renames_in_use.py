"""Rename columns in use: both names exist until no application uses the old one. Pure.

The new column is added, filled and kept equal to the old one, as for a change of the type
(:mod:`retyping`). Each release uses the column with its own name, so no names are exchanged: what
uses the old column is built on the new one, and is dropped together with the old one.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from dbwarden.dialects.postgresql.ddl.context import Context
from dbwarden.dialects.postgresql.ddl.exchanging import (
    drop_item,
    rename_item,
    rename_items,
    require_second,
)
from dbwarden.dialects.postgresql.ddl.filling import drop_trigger
from dbwarden.dialects.postgresql.ddl.moves import (
    Conversion,
    Move,
    ShadowPart,
    items_using,
    move_of,
    obstacles,
)
from dbwarden.dialects.postgresql.ddl.online import Planned, Replaced, at, in_stage, serving
from dbwarden.dialects.postgresql.ddl.privileges import change_privileges, without_columns
from dbwarden.dialects.postgresql.ddl.retyping import build_second
from dbwarden.dialects.postgresql.sql.quoting import quote
from dbwarden.diff.changes import Alter, Change, Create, Drop, Rename
from dbwarden.diff.statements import Stage, planned
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import (
    Column,
    ForeignKey,
    Grant,
    ObjectKind,
    Part,
    QualifiedName,
    Schema,
    Table,
    Trigger,
    free_name,
    ref_of,
)
from dbwarden.schema import Sequence as SchemaSequence

_CALL = re.compile(r"[\w\"]\s*\(")


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnRenamesInUse:
    """The columns of a plan that are renamed in use.

    ``first`` are the constraints and indexes on the old columns, ``second`` those on the new ones,
    each with the name that it has until both columns are there, or from then on.
    """

    moves: tuple[Move, ...]
    first: tuple[ShadowPart, ...]
    second: tuple[ShadowPart, ...]

    def includes(self, change: Change) -> bool:
        """Return whether *change* is one of a column, constraint or index of the renames."""
        match change:
            case Create(obj=Column() as column) | Drop(obj=Column() as column):
                names = {(move.table, name) for move in self.moves for name in (move.old, move.new)}
                return (change.table, column.name) in names
            case Create(obj=Part() as item) | Drop(obj=Part() as item):
                key = (change.table, item.name)
                return any((it.table, it.item.name) == key for it in (*self.first, *self.second))
            case _:
                return False

    def of_other_columns(self, grant: Grant | None) -> Grant | None:
        """Return *grant* without the renamed columns: privileges come and go with these."""
        on = [move for move in self.moves if grant is not None and grant.on.table == move.table]
        return without_columns(grant, [name for move in on for name in (move.old, move.new)])


def _grants(change: Change) -> tuple[Grant | None, Grant | None] | None:
    match change:
        case Create(obj=Grant() as grant):
            return None, grant
        case Drop(obj=Grant() as grant):
            return grant, None
        case Alter(before=Grant() as was, after=Grant() as now):
            return was, now
        case _:
            return None


def renaming(ctx: Context, changes: Sequence[Change], retyped: Sequence[Move]) -> Replaced:
    """Return the statements of the changes of columns that are renamed in use.

    Those of all renames are in the place of the first new and of the last dropped column.

    Raises:
        UnsupportedChange: One cannot be renamed; names what prevents it.
    """
    back = ctx.options.back
    moves = tuple(
        _move(ctx, rename, changes)
        for rename in ctx.options.renames_in_use
        if rename.before.kind is ObjectKind.COLUMN
    )
    if not moves:
        return {}
    for move in moves if not back else ():
        for reason in _obstacles(ctx, changes, move, retyped):
            raise refusal(ctx.label(move.table, move.old), reason)
    original, final = (ctx.desired, ctx.current) if back else (ctx.current, ctx.desired)
    renamed = ColumnRenamesInUse(
        moves=moves,
        first=tuple(_items(moves, original, final, new=False)),
        second=tuple(_items(moves, final, original, new=True)),
    )
    gone = {(move.table, move.retired) for move in moves}
    if not back:
        _refuse_shared(ctx, renamed.first, changes, gone)
    replaced: Replaced = {}
    for change in changes:
        if (grants := _grants(change)) is not None:
            was, now = map(renamed.of_other_columns, grants)
            replaced[change] = list(serving(change, change_privileges(ctx, was, now)))
        elif renamed.includes(change):
            replaced[change] = []
    ends = next(it for it in reversed(changes) if _column_of(it, Drop) in gone)
    replaced[moves[0].change] = list(_begin(ctx, renamed))
    end = _drop_new(ctx, renamed) if back else in_stage(Stage.CONTRACT, _drop_old(ctx, renamed))
    replaced[ends] = list(end)
    return replaced


def _refuse_shared(
    ctx: Context,
    copies: Sequence[ShadowPart],
    changes: Sequence[Change],
    gone: Iterable[tuple[QualifiedName, str]],
) -> None:
    """Raise if something on a renamed column is also on one that is dropped, but for *gone*."""
    others = {it.ref: "?" for it in changes if _column_of(it, Drop) not in (None, *gone)}
    theirs = {(table, item.name) for table, item, _ in items_using(ctx.current, others)}
    for copy in copies:
        if (copy.table, copy.item.name) in theirs:
            reason = f"{copy.item.name} uses a column that is dropped as well"
            raise refusal(ctx.label(copy.move.table, copy.move.old), reason)


def refusal(label: str, reason: str) -> UnsupportedChange:
    """Return the error of a table or column that cannot be renamed in use."""
    return UnsupportedChange(
        f"{label} cannot have its old and its new name at the same time: {reason}.",
        next_step=f"Pass --allow-rename {label} to rename it in place while the application is "
        "stopped, leave it to a migration of its own, or keep the name in the database.",
    )


def _move(ctx: Context, rename: Rename, changes: Sequence[Change]) -> Move:
    """Return the move of a renamed column."""
    table, old, new = rename.before.table, rename.before.part or "", rename.after.part or ""
    original, final = ctx.current.table(table), ctx.desired.table(table)
    if ctx.options.back:
        original, final = final, original
    before = original.column(old) if original is not None else None
    after = final.column(new) if final is not None else None
    label = ctx.label(table, old)
    added = (table, old if ctx.options.back else new)
    change = next((it for it in changes if _column_of(it, Create) == added), None)
    if before is None or after is None:
        raise refusal(label, "its table gets another name as well")
    if change is None:
        raise refusal(label, "one of the names is that of another column")
    return Move(
        change=change,
        table=table,
        before=before,
        after=after,
        new=new,
        old=old,
        forward=Conversion(expression=quote(old)),
        backward=Conversion(expression=quote(new)),
        back=ctx.options.back,
    )


def _column_of(change: Change, kind: type[Create] | type[Drop]) -> tuple[QualifiedName, str] | None:
    """Return the table and the name of the column that a change of this *kind* is about."""
    if isinstance(change, kind) and isinstance(change.obj, Column):
        return change.table, change.obj.name
    return None


def _items(
    moves: Sequence[Move], schema: Schema, other: Schema, *, new: bool
) -> Iterator[ShadowPart]:
    """Yield the constraints and indexes of *schema* that use the *new* or the old columns.

    One has another name while the constraint or index on the other column has its name.
    """
    columns = {
        ref_of(ObjectKind.COLUMN, move.table, move.new if new else move.old): "?" for move in moves
    }
    occupied = {*other.names_in_use()}
    taken = {*schema.names_in_use(), *occupied}
    for table, item, _ in items_using(schema, columns):
        name = item.name or ""
        if name in occupied:
            name = free_name(name, "__new" if new else "__old", taken)
            taken.add(name)
        yield ShadowPart(
            table=table, item=item, built=item, name=name, move=move_of(moves, table, item)
        )


# -- statements ------------------------------------------------------------------------------------


def _begin(ctx: Context, all_: ColumnRenamesInUse) -> Planned:
    """Add the second columns, and build on them what is on the first ones."""
    back = ctx.options.back
    built = all_.first if back else all_.second
    ready, done = (Stage.CONTRACT, Stage.CONTRACT) if back else (Stage.PREPARE, Stage.SWITCH)
    yield from build_second(ctx, all_.moves, built, ready)
    for move in all_.moves:
        yield from serving(move.change, at(done, require_second(ctx, move)))
    if back:
        yield from in_stage(done, _restore(ctx, all_))
    else:
        named = (replace(copy, item=replace(copy.item, name=copy.name)) for copy in built)
        yield from in_stage(done, rename_items(ctx, named))


def _restore(ctx: Context, all_: ColumnRenamesInUse) -> Planned:
    """Give the old columns their defaults back, and the names of what uses them."""
    for move in all_.moves:
        if move.before.default is not None and not move.default_on_both:
            own = f"ALTER TABLE {ctx.name(move.table)} ALTER COLUMN"
            yield planned(move.change, f"{own} {quote(move.new)} DROP DEFAULT")
            text = f"{own} {quote(move.old)} SET DEFAULT {move.before.default}"
            yield planned(move.change, text)
    for copy in all_.second:
        yield from serving(copy.move.change, rename_item(ctx, copy, copy.item.key, copy.name))
    yield from rename_items(ctx, all_.first)


def _drop_old(ctx: Context, all_: ColumnRenamesInUse) -> Planned:
    """Drop the old columns, with what is on them."""
    for move in all_.moves:
        yield from serving(move.change, drop_trigger(ctx, move.table, move.trigger))
    for copy in all_.first:
        if isinstance(copy.item, ForeignKey):
            yield planned(copy.move.change, drop_item(ctx, copy, copy.item.key))
    for move in all_.moves:
        own = f"ALTER TABLE {ctx.name(move.table)}"
        yield planned(move.change, f"{own} DROP COLUMN {quote(move.old)}")
        if move.after.default is not None and not move.default_on_both:
            column = f"ALTER COLUMN {quote(move.new)}"
            yield planned(move.change, f"{own} {column} SET DEFAULT {move.after.default}")
    for copy in all_.second:
        yield from serving(copy.move.change, rename_item(ctx, copy, copy.name, copy.item.key))


def _drop_new(ctx: Context, all_: ColumnRenamesInUse) -> Planned:
    """Drop what is on the new columns, then these."""
    for copy in sorted(all_.second, key=lambda copy: not isinstance(copy.item, ForeignKey)):
        dropped = drop_item(ctx, copy, copy.name, online=True)
        yield from serving(copy.move.change, at(Stage.TIDY, [dropped]))
    for move in all_.moves:
        own, name = f"ALTER TABLE {ctx.name(move.table)}", quote(move.new)
        nullable = [f"{own} ALTER COLUMN {name} DROP NOT NULL"] if move.after.not_null else []
        yield from serving(move.change, at(Stage.SWITCH, nullable))
        gone = [*drop_trigger(ctx, move.table, move.trigger), f"{own} DROP COLUMN {name}"]
        yield from serving(move.change, at(Stage.EXPAND, gone))


# -- what prevents it ------------------------------------------------------------------------------


def _obstacles(
    ctx: Context, changes: Sequence[Change], move: Move, retyped: Sequence[Move]
) -> Iterator[str]:
    table = ctx.current.table(move.table)
    assert table is not None
    before, after = move.before, move.after
    if any(it.table == move.table for it in retyped):
        yield f"a type in {ctx.label(move.table)} changes as well, in the same rows"
    if table.primary_key is not None and move.old in table.primary_key.columns:
        yield "it is part of the primary key"
    own = ref_of(ObjectKind.COLUMN, move.table, move.old)
    if before.identity or any(it.owned_by == own for it in ctx.current.of(SchemaSequence)):
        yield "a sequence belongs to it"  # and would be dropped with it
    if replace(before, name=after.name, comment=after.comment) != after:
        yield "its type, default or NOT NULL changes as well, which needs a migration of its own"
    calls = _CALL.search(re.sub(r"'(?:[^']|'')*'", "", before.default or ""))
    if move.default_on_both and calls and before.default != "now()":
        yield "it allows NULL, and each row computes its default"
    yield from _followers(ctx, table, move)
    yield from obstacles(ctx, changes, move)


def _followers(ctx: Context, table: Table, move: Move) -> Iterator[str]:
    """Yield what has to use one of the columns while both are there."""
    own = ref_of(ObjectKind.COLUMN, move.table, move.old)
    users = {user for user, needed in ctx.current.dependencies if needed == own}
    for trigger in ctx.current.of(Trigger):
        if trigger.ref in users:
            yield f"{trigger.ref} names it, and one release would not fire it"
    for used, item, _ in items_using(ctx.current, {own: "?"}):
        if used == move.table and item.name == table.replica_index:
            yield f"the replica identity of {ctx.label(move.table)} uses it"
        if isinstance(item, ForeignKey) and "SET DEFAULT" in (item.on_delete, item.on_update):
            yield f"the foreign key {item.name} sets the default, which one of the names has"
