"""Find the columns that change their type through a second column, and what moves with them. Pure.

PostgreSQL rewrites a table under its strongest lock for most changes of a type. A second column of
the new type, filled by a trigger and a backfill, takes over the name of the first one instead.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dbwarden.dialects.postgresql.ddl.capacity import KEEPS, Effect, conversion_effect
from dbwarden.dialects.postgresql.ddl.columns import conversion
from dbwarden.dialects.postgresql.ddl.context import Context
from dbwarden.dialects.postgresql.ddl.filling import has_key, in_use
from dbwarden.dialects.postgresql.ddl.zones import zone_conversion
from dbwarden.dialects.postgresql.sql.quoting import quote
from dbwarden.diff.changes import Alter, Change, Drop, Rename
from dbwarden.diff.renames import apply_renames
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import (
    Column,
    Constraint,
    Exclusion,
    Index,
    MaterializedView,
    ObjectKind,
    QualifiedName,
    Ref,
    Schema,
    Table,
    free_name,
    object_name,
    ref_of,
)

MOVABLE = frozenset(
    {
        *(ObjectKind.INDEX, ObjectKind.CONSTRAINT, ObjectKind.DEFAULT, ObjectKind.SEQUENCE),
        *(ObjectKind.STATISTICS, ObjectKind.VIEW, ObjectKind.RULE, ObjectKind.TRIGGER),
        *(ObjectKind.POLICY, ObjectKind.ROUTINE, ObjectKind.GRANT),
    }
)
"""The kinds of objects that can use a moved column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A column that changes its type or its name; ``before`` and ``after`` are of the upgrade.

    ``new`` and ``old`` are the names of the second column before and after the switch. Of a renamed
    column they are the new and the old name, because each release uses its own.
    ``forward`` and ``backward`` convert values; the latter is ``None`` if there is no way back.
    ``plain`` is true if a NULL stays a NULL and nothing else becomes one, ``fits`` if every value
    fits the new type, and ``fits_back`` if it fits the old one. ``effect`` and ``effect_back`` are
    the effects on values that do not fit.
    """

    change: Change
    table: QualifiedName
    before: Column
    after: Column
    new: str
    old: str
    forward: str
    backward: str | None
    plain: bool
    fits: bool
    fits_back: bool
    effect: Effect
    effect_back: Effect

    @property
    def name(self) -> str:
        """The name of the column for the running application."""
        return self.before.name

    @property
    def renamed(self) -> bool:
        """Whether the column changes its name."""
        return self.before.name != self.after.name

    @property
    def default_on_both(self) -> bool:
        """Whether both names of a renamed column have its default at the same time.

        Otherwise one of them has it. A NULL in the other one then means that it was not given,
        which a column without NOT NULL cannot tell from a NULL that was given.
        """
        return self.renamed and self.before.default is not None and not self.before.not_null

    def includes(self, change: Change) -> bool:
        """Return whether *change* is of this column."""
        return change.ref == self.change.ref

    @property
    def trigger(self) -> str:
        """The name of the trigger and its function."""
        return object_name(self.table.name, self.name, "sync")


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A constraint or index that is built on a second column before the switch.

    ``item`` is the wanted one, ``built`` the same on the second column, called ``name``.
    """

    table: QualifiedName
    item: Constraint | Index
    built: Constraint | Index
    name: str
    move: Move


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnChange:
    """A change of a column in place."""

    change: Change
    table: QualifiedName
    before: Column
    after: Column


def altered_columns(changes: Sequence[Change]) -> Iterator[ColumnChange]:
    """Yield the changes of columns in place."""
    for change in changes:
        match change:
            case Alter(before=Column() as before, after=Column() as after):
                yield ColumnChange(change=change, table=change.table, before=before, after=after)
            case _:
                pass


def find_moves(ctx: Context, changes: Sequence[Change]) -> tuple[Move, ...]:
    """Return the columns that change their type through a second column.

    Raises:
        UnsupportedChange: One cannot; names the column and the object that prevents it.
    """
    altered = tuple(altered_columns(changes))
    found = [
        _move(ctx, change, [item for item in altered if _same_column(item, change)])
        for change in altered
        if _is_move(ctx, change)
    ]
    if not ctx.options.back:
        for move in found:
            _refuse_immovable(ctx, changes, move)
    return tuple(found)


def _is_move(ctx: Context, change: ColumnChange) -> bool:
    before, after = change.before, change.after
    if (before.type, before.collation) == (after.type, after.collation):
        return False
    rewritten = ctx.label(change.table, after.name) in ctx.options.rewritten
    return rewritten and in_use(ctx, change.table, after)


def _same_column(one: ColumnChange, other: ColumnChange) -> bool:
    return one.change.ref == other.change.ref


def _move(ctx: Context, change: ColumnChange, every: Sequence[ColumnChange]) -> Move:
    """Return the move for *change* and *every* other change of its column."""
    options, table = ctx.options, change.table
    before, after = every[0].before, every[-1].after
    using, using_back = options.using, options.using_back
    if options.back:
        before, after, using, using_back = after, before, using_back, using
    label = ctx.label(table, after.name)
    tables = [it.table(table) for it in (ctx.current, ctx.desired)]
    taken = {column.name for it in tables if it is not None for column in it.columns}
    forward = _expression(ctx, label, before, after, using.get(label))
    fill = options.fills.get(label)
    if fill is not None and after.not_null and not before.not_null:
        forward = f"coalesce({forward}, {fill})"
    try:
        backward = _expression(ctx, label, after, before, using_back.get(label))
    except UnsupportedChange:
        if options.back:
            raise
        backward = None
    return Move(
        change=change.change,
        table=table,
        before=before,
        after=after,
        new=free_name(after.name, "__new", taken),
        old=free_name(after.name, "__old", taken),
        forward=forward,
        backward=backward,
        plain=label not in using and fill is None,
        fits=label not in using and _effect(ctx, before, after) is KEEPS,
        fits_back=label not in using_back and _effect(ctx, after, before) is KEEPS,
        effect=_effect(ctx, before, after, asked=label in using),
        effect_back=_effect(ctx, after, before, asked=label in using_back),
    )


def _expression(ctx: Context, label: str, before: Column, after: Column, asked: str | None) -> str:
    if asked:
        return f"({asked})"
    if zoned := zone_conversion(ctx, before, after):
        return zoned
    return conversion(ctx, label, before, after) or quote(after.name)


def _effect(ctx: Context, before: Column, after: Column, *, asked: bool = False) -> Effect:
    effect = conversion_effect(ctx.base_type(before.type), ctx.base_type(after.type))
    # An expression of the user's may cut what the plain conversion refuses.
    return Effect.CHANGES if effect and asked else effect


# -- what moves with a column ----------------------------------------------------------------------


def find_copies(ctx: Context, moves: Sequence[Move]) -> tuple[Copy, ...]:
    """Return the constraints and indexes to build on the second columns before the switch."""
    back = ctx.options.back
    renames = {
        ref_of(ObjectKind.COLUMN, move.table, move.name): move.old if back else move.new
        for move in moves
    }
    taken = names_of_parts(ctx.current) | names_of_parts(ctx.desired)
    copies = []
    for table, item, built in items_using(ctx.desired, renames):
        was = ctx.current.table(table)
        own = {it.name for it in _items(was)} if was is not None else set()
        if item.name not in own or item.name is None:
            continue
        name = free_name(item.name, "__new", taken)
        taken.add(name)
        move = move_of(moves, table, item)
        copies.append(Copy(table=table, item=item, built=built, name=name, move=move))
    return tuple(copies)


def items_using(
    schema: Schema, columns: Mapping[Ref, str]
) -> Iterator[tuple[QualifiedName, Constraint | Index, Constraint | Index]]:
    """Yield the constraints and indexes that use *columns*, each with its table.

    The last value is the same on columns with the names in *columns*.
    """
    renames = [Rename(before=ref, after=replace(ref, part=to)) for ref, to in columns.items()]
    other = apply_renames(schema, renames)
    for table in schema.tables:
        twin = other.table(table.name)
        for item, built in zip(_items(table), _items(twin) if twin else (), strict=True):
            if item != built:
                yield table.name, item, built


def move_of(moves: Sequence[Move], table: QualifiedName, item: Constraint | Index) -> Move:
    """Return a move of a column that *item* of *table* uses."""
    return next(it for it in moves if it.table in (table, _target(item)))


def _target(item: Constraint | Index) -> QualifiedName | None:
    return getattr(item, "references", None)


def _items(table: Table) -> tuple[Constraint | Index, ...]:
    return (*table.indexes, *table.constraints)


def names_of_parts(schema: Schema) -> set[str]:
    """Return the names of all tables, constraints and indexes."""
    names: set[str] = set()
    for table in schema.tables:
        names.add(table.name.name)
        names.update(item.name for item in _items(table) if item.name is not None)
    return names


# -- what cannot move ------------------------------------------------------------------------------


def _refuse_immovable(ctx: Context, changes: Sequence[Change], move: Move) -> None:
    """Raise if a column cannot change its type through a second one.

    Raises:
        UnsupportedChange: Names what prevents it, and the flag for the plain form.
    """
    label = ctx.label(move.table, move.name)
    for reason in obstacles(ctx, changes, move):
        raise UnsupportedChange(
            f"{label} cannot change its type without a rewrite of its table: {reason}.",
            next_step=f"Pass --allow-rewrite {label} to rewrite the table under a lock that blocks "
            "reads and writes, or leave this change to a migration of its own.",
        )


def obstacles(ctx: Context, changes: Sequence[Change], move: Move) -> Iterator[str]:
    """Yield the reasons why a second column cannot take the place of the first one."""
    table = ctx.current.table(move.table)
    own = ctx.label(move.table)
    if table is None:
        yield f"{own} gets its name in the same set of files"
        return
    if table.partition_by or table.partition_of:
        yield f"{own} is partitioned"
    if table.inherits or any(move.table in it.inherits for it in ctx.current.tables):
        yield f"{own} has a parent or child table"
    if not has_key(table):
        yield f"{own} has no primary key and no unique key of columns that are NOT NULL"
    if (move.before.identity is None) != (move.after.identity is None):
        yield "it becomes or stops being an identity column as well"
    if move.before.generated or move.after.generated:
        yield "it is a generated column"
    if move.before.not_null_state or move.after.not_null_state:
        yield "its NOT NULL is NOT VALID or NO INHERIT"
    for exclusion in table.exclusions:
        if _mentions(ctx, exclusion, move):
            yield f"the exclusion constraint {exclusion.name} uses it"
    yield from _users(ctx, changes, move)


def _users(ctx: Context, changes: Sequence[Change], move: Move) -> Iterator[str]:
    """Yield the objects that use the column and cannot follow it."""
    for schema, name in ((ctx.current, move.before.name), (ctx.desired, move.after.name)):
        own = ref_of(ObjectKind.COLUMN, move.table, name)
        for user, needed in schema.dependencies:
            if needed == own and user.kind not in MOVABLE:
                yield f"{user} uses it"
    for change in changes:
        if isinstance(change, Drop) and isinstance(change.obj, MaterializedView):
            yield f"{change.ref} would be filled again while the table is locked"


def _mentions(ctx: Context, exclusion: Exclusion, move: Move) -> bool:
    users = (user for user, needed in ctx.current.dependencies if needed.part == move.name)
    return any(user.part == exclusion.name for user in users)
