"""Find the columns that change their type through a second column, and what moves with them. Pure.

PostgreSQL rewrites a table under its strongest lock for most changes of a type. A second column of
the new type, filled by a trigger and a backfill, takes over the name of the first one instead.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from dbwarden.dialects.postgresql.ddl.capacity import KEEPS, Effect, conversion_effect
from dbwarden.dialects.postgresql.ddl.columns import conversion
from dbwarden.dialects.postgresql.ddl.context import Context
from dbwarden.dialects.postgresql.ddl.filling import NO_KEY, has_key, in_use
from dbwarden.dialects.postgresql.ddl.zones import zone_conversion
from dbwarden.dialects.postgresql.sql.quoting import quote
from dbwarden.diff.changes import Alter, Change, Create, Drop, Rename
from dbwarden.diff.renames import apply_renames
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import (
    Column,
    Constraint,
    Exclusion,
    Index,
    Key,
    MaterializedView,
    ObjectKind,
    QualifiedName,
    Ref,
    Routine,
    Schema,
    Table,
    View,
    free_name,
    object_name,
    ref_of,
)
from dbwarden.schema import Sequence as SchemaSequence
from dbwarden.schema.closure import reachable

MOVABLE = frozenset(
    {
        *(ObjectKind.INDEX, ObjectKind.CONSTRAINT, ObjectKind.DEFAULT, ObjectKind.SEQUENCE),
        *(ObjectKind.STATISTICS, ObjectKind.VIEW, ObjectKind.RULE, ObjectKind.TRIGGER),
        *(ObjectKind.POLICY, ObjectKind.ROUTINE, ObjectKind.GRANT),
    }
)
"""The kinds of objects that can use a moved column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """The expression that converts the values of a column.

    ``fits`` is true if every value fits the type, ``effect`` is the effect on others.
    """

    expression: str
    fits: bool = True
    effect: Effect = KEEPS


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A column that changes its type or its name; ``before`` and ``after`` are of the upgrade.

    A second column is filled next to the live one, and the two change places in the switch. So
    ``a int`` becomes ``a bigint``, and back, in these states:

    =============  ============  ================  ============  ===============
    direction      ``live``      ``second``        ``wanted``    ``retired``
    =============  ============  ================  ============  ===============
    upgrade        ``a int``     ``a__new bigint`` ``a bigint``  ``a__old int``
    rollback       ``a bigint``  ``a__old int``    ``a int``     ``a__new bigint``
    =============  ============  ================  ============  ===============

    ``new`` and ``old`` are the names of the second column before and after the switch. Of a renamed
    column they are the new and the old name, because each release uses its own.
    ``forward`` and ``backward`` convert values; the latter is ``None`` if there is no way back.
    ``plain`` is true if a NULL stays a NULL and nothing else becomes one. ``back`` is true in the
    rollback.
    """

    change: Change
    table: QualifiedName
    before: Column
    after: Column
    new: str
    old: str
    forward: Conversion
    backward: Conversion | None
    back: bool
    plain: bool = True

    @property
    def conversion(self) -> Conversion:
        """The conversion of this direction."""
        chosen = self.backward if self.back else self.forward
        assert chosen is not None, "a rollback without a way back is refused"
        return chosen

    @property
    def name(self) -> str:
        """The name of the column for the running application."""
        return self.before.name

    @property
    def live(self) -> Column:
        """The column that leads before the switch of this direction."""
        return self.after if self.back else self.before

    @property
    def wanted(self) -> Column:
        """The column that leads after the switch of this direction."""
        return self.before if self.back else self.after

    @property
    def second(self) -> str:
        """The name of the second column before the switch of this direction."""
        return self.old if self.back else self.new

    @property
    def retired(self) -> str:
        """The name of the second column after the switch of this direction."""
        return self.new if self.back else self.old

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

    @property
    def trigger(self) -> str:
        """The name of the trigger and its function."""
        return object_name(self.table.name, self.name, "sync")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowPart:
    """A constraint or index that is built on a second column before the switch.

    ``item`` is the wanted one, ``built`` the same on the second column, called ``name``.
    """

    table: QualifiedName
    item: Constraint | Index
    built: Constraint | Index
    name: str
    move: Move


def find_moves(ctx: Context, changes: Sequence[Change]) -> tuple[Move, ...]:
    """Return the columns that change their type through a second column.

    Raises:
        UnsupportedChange: One cannot; names the column and the object that prevents it.
    """
    states: defaultdict[Ref, list[tuple[Column, Column]]] = defaultdict(list)
    moved: dict[Ref, Change] = {}
    for change in changes:
        match change:
            case Alter(before=Column() as before, after=Column() as after):
                states[change.ref].append((before, after))
                same = (before.type, before.collation) == (after.type, after.collation)
                rewritten = ctx.label(change.table, after.name) in ctx.options.rewritten
                if not same and rewritten and in_use(ctx, change.table, after):
                    moved.setdefault(change.ref, change)
    found = [
        _move(ctx, change, before=states[ref][0][0], after=states[ref][-1][1])
        for ref, change in moved.items()
    ]
    if not ctx.options.back:
        for move in found:
            _refuse_immovable(ctx, changes, move)
    return tuple(found)


def _move(ctx: Context, change: Change, before: Column, after: Column) -> Move:
    """Return the move for *change*, which is one of the changes from *before* to *after*."""
    options, table = ctx.options, change.table
    using, using_back = options.using, options.using_back
    if options.back:
        before, after, using, using_back = after, before, using_back, using
    label = ctx.label(table, after.name)
    tables = [it.table(table) for it in (ctx.current, ctx.desired)]
    taken = {column.name for it in tables if it is not None for column in it.columns}
    forward = _conversion(ctx, label, before, after, using.get(label))
    fill = options.fills.get(label)
    if fill is not None and after.not_null and not before.not_null:
        forward = replace(forward, expression=f"coalesce({forward.expression}, {fill})")
    try:
        backward = _conversion(ctx, label, after, before, using_back.get(label))
    except UnsupportedChange:
        if options.back:
            raise
        backward = None
    return Move(
        change=change,
        table=table,
        before=before,
        after=after,
        new=free_name(after.name, "__new", taken),
        old=free_name(after.name, "__old", taken),
        forward=forward,
        backward=backward,
        back=options.back,
        plain=label not in using and fill is None,
    )


def _conversion(
    ctx: Context, label: str, before: Column, after: Column, asked: str | None
) -> Conversion:
    """Return the conversion that the user *asked* for, or that of the types."""
    effect = conversion_effect(ctx.base_type(before.type), ctx.base_type(after.type))
    if asked:  # it may cut what the plain conversion refuses
        effect = Effect.CHANGES if effect else effect
        return Conversion(expression=f"({asked})", fits=False, effect=effect)
    text = zone_conversion(ctx, before, after) or conversion(ctx, label, before, after)
    return Conversion(expression=text or quote(after.name), fits=effect is KEEPS, effect=effect)


# -- what moves with a column ----------------------------------------------------------------------


def find_copies(ctx: Context, moves: Sequence[Move]) -> tuple[ShadowPart, ...]:
    """Return the constraints and indexes to build on the second columns before the switch."""
    renames = {ref_of(ObjectKind.COLUMN, move.table, move.name): move.second for move in moves}
    taken = {*ctx.current.names_in_use(), *ctx.desired.names_in_use()}
    copies = []
    for table, item, built in items_using(ctx.desired, renames):
        was = ctx.current.table(table)
        own = {it.name for it in _items(was)} if was is not None else set()
        if item.name not in own or item.name is None:
            continue
        name = free_name(item.name, "__new", taken)
        taken.add(name)
        move = move_of(moves, table, item)
        copies.append(ShadowPart(table=table, item=item, built=built, name=name, move=move))
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
    return next(it for it in moves if it.table in (table, getattr(item, "references", None)))


def _items(table: Table) -> tuple[Constraint | Index, ...]:
    return (*table.indexes, *table.constraints)


# -- what cannot move ------------------------------------------------------------------------------


def _refuse_immovable(ctx: Context, changes: Sequence[Change], move: Move) -> None:
    """Raise if a column cannot change its type through a second one.

    Raises:
        UnsupportedChange: Names what prevents it, and the flag for the plain form.
    """
    label = ctx.label(move.table, move.name)
    own = ref_of(ObjectKind.COLUMN, move.table, move.before.name)
    for reason in (*obstacles(ctx, changes, move), *late_readers(ctx, changes, {own})):
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
    if table.column(move.before.name) is None:
        yield "it gets its name in the same set of files"
    if table.partition_by or table.partition_of:
        yield f"{own} is partitioned"
    if table.inherits or any(move.table in it.inherits for it in ctx.current.tables):
        yield f"{own} has a parent or child table"
    if not has_key(table):
        yield f"{own} {NO_KEY}"
    if (move.before.identity is None) != (move.after.identity is None):
        yield "it becomes or stops being an identity column as well"
    if move.before.generated or move.after.generated:
        yield "it is a generated column"
    if _identifies_rows(ctx.current, move) != _identifies_rows(ctx.desired, move):
        yield "it joins or leaves the replica identity as well"
    if move.before.not_null_state or move.after.not_null_state:
        yield "its NOT NULL is NOT VALID or NO INHERIT"
    own_ref = table.column_ref(move.before.name)
    for _, item, _ in items_using(ctx.current, {own_ref: "?"}):
        match item:
            case Exclusion():
                yield f"the exclusion constraint {item.name} uses it"
            case Key(without_overlaps=True):
                yield f"the constraint {item.name} WITHOUT OVERLAPS uses it"
    owners = {ref_of(ObjectKind.COLUMN, move.table, it.name) for it in (move.before, move.after)}
    yield from _moved_sequences(changes, owners)
    yield from _users(ctx, changes, move)


def late_readers(ctx: Context, changes: Sequence[Change], start: AbstractSet[Ref]) -> Iterator[str]:
    """Yield the views and functions that use *start* until the last file of the set drops them.

    Until then they have followed it to another name, which the rollback of that file would need.
    """
    users = ctx.current.needed_by()
    readers = reachable(start, lambda ref: users.get(ref, ()))
    made = {change.ref for change in changes if isinstance(change, Create)}
    for change in changes:
        match change:
            case Drop(obj=View() | Routine()) if change.ref in readers - made:
                yield f"{change.ref} uses it and is dropped as well"


def _identifies_rows(schema: Schema, move: Move) -> bool:
    """Return whether the moved column is in the index that is the replica identity."""
    table, names = schema.table(move.table), {move.before.name, move.after.name}
    if table is None or table.replica_index is None:
        return False
    item = next((it for it in _items(table) if it.name == table.replica_index), None)
    match item:
        case Index():
            return any(key.column in names for key in item.columns)
        case Key():
            return not names.isdisjoint(item.columns)
        case _:
            return False


def _moved_sequences(changes: Sequence[Change], owners: AbstractSet[Ref]) -> Iterator[str]:
    """Yield the sequences that *owners* get or lose."""
    for change in changes:
        match change:
            case (
                Create(obj=SchemaSequence(owned_by=owner))
                | Drop(obj=SchemaSequence(owned_by=owner))
            ):
                moved = {owner}
            case Alter(before=SchemaSequence(owned_by=was), after=SchemaSequence(owned_by=now)):
                moved = {was, now} if was != now else set()
            case _:
                continue
        if moved & owners:
            yield f"it gets or loses the {change.ref} as well"


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
