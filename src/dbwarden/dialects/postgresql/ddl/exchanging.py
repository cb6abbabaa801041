"""Prepare a second column, and exchange its name with the first one's. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from dbwarden.dialects.postgresql.ddl.columns import identity_clause
from dbwarden.dialects.postgresql.ddl.constraints import (
    after_constraint,
    after_index,
    constraint_clause,
    index_text,
)
from dbwarden.dialects.postgresql.ddl.context import Context, ref_sql
from dbwarden.dialects.postgresql.ddl.filling import VALIDATED_SEPARATELY, check_filled
from dbwarden.dialects.postgresql.ddl.moves import Copy, Move
from dbwarden.dialects.postgresql.ddl.names import sequence_of
from dbwarden.dialects.postgresql.ddl.objects import create_object
from dbwarden.dialects.postgresql.ddl.privileges import move_column_privileges
from dbwarden.dialects.postgresql.sql.quoting import quote, text_literal
from dbwarden.diff.changes import Change, Create
from dbwarden.diff.statements import PlannedStatement, Sql, Stage, planned
from dbwarden.schema import (
    Check,
    Column,
    Constraint,
    ForeignKey,
    Index,
    IndexColumn,
    ObjectKind,
    PrimaryKey,
    QualifiedName,
    Statistics,
    Unique,
    object_name,
    ref_of,
)
from dbwarden.schema import (
    Sequence as SchemaSequence,
)

Statements = Iterator[PlannedStatement]
BUILT_CONCURRENTLY = "Built without blocking writes; cannot run in a transaction."


def statement(
    change: Change, text: str, *, why: str | None = None, transactional: bool = True
) -> PlannedStatement:
    """Return one statement for *change*."""
    return planned(change, Sql(text, why=why, transactional=transactional))


def serving(change: Change, statements: Iterable[str | Sql]) -> Statements:
    """Yield *statements* for *change*."""
    for item in statements:
        yield planned(change, item)


def in_stage(stage: Stage, statements: Iterable[PlannedStatement]) -> Statements:
    """Yield *statements* in a stage of a set of files."""
    for item in statements:
        yield replace(item, stage=stage, joins=None)


def live_column(ctx: Context, move: Move) -> Column:
    """Return the column that leads before the exchange of this direction."""
    return move.after if ctx.options.back else move.before


def wanted_column(ctx: Context, move: Move) -> Column:
    """Return the column that leads after the exchange of this direction."""
    return move.before if ctx.options.back else move.after


def second_name(ctx: Context, move: Move) -> str:
    """Return the name of the second column before the exchange."""
    return move.old if ctx.options.back else move.new


def retired_name(ctx: Context, move: Move) -> str:
    """Return the name of the second column after the exchange."""
    return move.new if ctx.options.back else move.old


# -- before the exchange ---------------------------------------------------------------------------


def prepare(ctx: Context, moves: Sequence[Move], copies: Sequence[Copy]) -> Statements:
    """Build indexes, and validate constraints, on the second columns, without blocking writes."""
    for copy in copies:
        if (index := _index_of(copy)) is not None:
            text = index_text(ctx, copy.table, index, online=True)
            yield statement(copy.move.change, text, why=BUILT_CONCURRENTLY, transactional=False)
    for move in moves:
        if wanted_column(ctx, move).not_null:
            checked = check_filled(ctx, move.table, second_name(ctx, move))
            yield from serving(move.change, checked)
    for kind in (Check, ForeignKey):  # a foreign key needs the index of its target
        for copy in copies:
            if isinstance(copy.built, kind):
                yield from _add_not_valid(ctx, copy, copy.built)


def _index_of(copy: Copy) -> Index | None:
    """Return the index to build for an index, primary key or unique constraint."""
    match copy.built:
        case Index():
            return replace(copy.built, name=copy.name)
        case PrimaryKey() | Unique():
            key = copy.built
            return Index(
                name=copy.name,
                columns=tuple(IndexColumn(column=name) for name in key.columns),
                unique=True,
                include=key.include,
                nulls_not_distinct=isinstance(key, Unique) and key.nulls_not_distinct,
                parameters=key.parameters,
            )
        case _:
            return None


def _add_not_valid(ctx: Context, copy: Copy, constraint: Check | ForeignKey) -> Statements:
    own, change = ctx.name(copy.table), copy.move.change
    named = replace(constraint, name=copy.name, comment=None)
    later = replace(named, validated=False) if named.enforced else named
    yield statement(change, f"ALTER TABLE {own}\n    ADD {constraint_clause(ctx, later)}")
    if named.validated and named.enforced:
        text = f"ALTER TABLE {own} VALIDATE CONSTRAINT {quote(copy.name)}"
        yield statement(change, text, why=VALIDATED_SEPARATELY, transactional=False)


# -- the exchange ----------------------------------------------------------------------------------


def exchange(
    ctx: Context,
    moves: Sequence[Move],
    copies: Sequence[Copy],
    triggers: Iterable[PlannedStatement],
) -> Statements:
    """Exchange the names of first and second columns in one short transaction."""
    why: str | None = "The names are exchanged in one short transaction; no row is read."
    for move in moves:
        name = quote(move.trigger)
        text = f"DROP TRIGGER {name} ON {ctx.name(move.table)}"
        yield statement(move.change, text, why=why)
        function = ctx.name(QualifiedName(move.table.namespace, move.trigger))
        yield statement(move.change, f"DROP FUNCTION {function}()")
        why = None
    yield from _drop_items(ctx, copies)
    statistics = tuple(_statistics(ctx, moves))
    for move, item in statistics:
        yield statement(move.change, f"DROP {ref_sql(ctx, item.ref)}")
    for move in moves:
        yield from _exchange_column(ctx, move)
    yield from rename_items(ctx, copies)
    for move, item in statistics:
        yield from serving(move.change, create_object(ctx, Create(obj=item)))
    yield from triggers


def _drop_items(ctx: Context, copies: Sequence[Copy]) -> Statements:
    """Drop the constraints and indexes of the first columns, foreign keys first."""
    order = sorted(copies, key=lambda copy: not isinstance(copy.item, ForeignKey))
    for copy in order:
        yield drop_item(ctx, copy, copy.item.name or "")


def drop_item(ctx: Context, copy: Copy, name: str, *, online: bool = False) -> PlannedStatement:
    """Return the removal of a constraint or index called *name*."""
    if not isinstance(copy.item, Index):
        text = f"ALTER TABLE {ctx.name(copy.table)} DROP CONSTRAINT {quote(name)}"
        return statement(copy.move.change, text)
    word = " CONCURRENTLY" if online else ""
    text = f"DROP INDEX{word} {ctx.index(copy.table, name)}"
    return statement(copy.move.change, text, transactional=not online)


def rename_items(ctx: Context, copies: Sequence[Copy]) -> Statements:
    """Give what was built on second columns its name and its last properties."""
    order = sorted(copies, key=lambda copy: isinstance(copy.item, ForeignKey))
    for copy in order:
        item, change, own = copy.item, copy.move.change, ctx.name(copy.table)
        name, built = quote(item.name or ""), quote(copy.name)
        match item:
            case Index():
                yield from rename_item(ctx, copy, copy.name, item.name)
                yield from serving(change, after_index(ctx, copy.table, item))
            case PrimaryKey() | Unique():
                yield statement(change, f"ALTER TABLE {own}\n    {_by_index(item, name, built)}")
                yield from serving(change, after_constraint(ctx, copy.table, item))
            case _:
                yield from rename_item(ctx, copy, copy.name, item.name or "")
                yield from serving(change, after_constraint(ctx, copy.table, item))
        table = ctx.tables[copy.table]
        if table.replica_identity == f"USING INDEX {item.name}":
            yield statement(change, f"ALTER TABLE {own} REPLICA IDENTITY USING INDEX {name}")


def rename_item(ctx: Context, copy: Copy, before: str, after: str) -> Statements:
    """Give a constraint or index another name, if it has not got it."""
    if before == after:
        return
    if isinstance(copy.item, Index):
        text = f"ALTER INDEX {ctx.index(copy.table, before)} RENAME TO {quote(after)}"
    else:
        names = f"{quote(before)} TO {quote(after)}"
        text = f"ALTER TABLE {ctx.name(copy.table)} RENAME CONSTRAINT {names}"
    yield statement(copy.move.change, text)


def _by_index(key: Constraint, name: str, built: str) -> str:
    word = "PRIMARY KEY" if isinstance(key, PrimaryKey) else "UNIQUE"
    deferral = getattr(key, "deferrable", None)
    ending = "" if deferral is None else " DEFERRABLE"
    ending += " INITIALLY DEFERRED" if deferral == "deferred" else ""
    return f"ADD CONSTRAINT {name} {word} USING INDEX {built}{ending}"


def _statistics(ctx: Context, moves: Sequence[Move]) -> Iterator[tuple[Move, Statistics]]:
    kept = {item.ref for item in ctx.current.of(Statistics)}
    for item in ctx.desired.of(Statistics):
        users = {needed for user, needed in ctx.desired.dependencies if user == item.ref}
        for move in moves:
            if ref_of(ObjectKind.COLUMN, move.table, move.name) in users and item.ref in kept:
                yield move, item
                break


def _exchange_column(ctx: Context, move: Move) -> Statements:
    change, own = move.change, ctx.name(move.table)
    live, wanted = live_column(ctx, move), wanted_column(ctx, move)
    name, second = quote(move.name), quote(second_name(ctx, move))
    yield from require_second(ctx, move)
    if live.default is not None:
        yield statement(change, f"ALTER TABLE {own} ALTER COLUMN {name} DROP DEFAULT")
    if wanted.default is not None:
        text = f"ALTER TABLE {own} ALTER COLUMN {second} SET DEFAULT {wanted.default}"
        yield statement(change, text)
    yield from _move_counter(ctx, move)
    if live.not_null:
        yield statement(change, f"ALTER TABLE {own} ALTER COLUMN {name} DROP NOT NULL")
    retired = quote(retired_name(ctx, move))
    yield statement(change, f"ALTER TABLE {own} RENAME COLUMN {name} TO {retired}")
    yield statement(change, f"ALTER TABLE {own} RENAME COLUMN {second} TO {name}")
    privileges = move_column_privileges(ctx, move.table, move.name, retired_name(ctx, move))
    yield from serving(change, privileges)
    yield from _own_counter(ctx, move)


def require_second(ctx: Context, move: Move) -> Statements:
    """Require values in the second column, if the wanted one does, by the validated check."""
    if not wanted_column(ctx, move).not_null:
        return
    own, name = ctx.name(move.table), second_name(ctx, move)
    text = f"ALTER TABLE {own} ALTER COLUMN {quote(name)} SET NOT NULL"
    yield statement(move.change, text)
    check = quote(object_name(move.table.name, name, "filled"))
    yield statement(move.change, f"ALTER TABLE {own} DROP CONSTRAINT {check}")


def _move_counter(ctx: Context, move: Move) -> Statements:
    """Give the second column an identity that continues that of the first one."""
    live, wanted = live_column(ctx, move), wanted_column(ctx, move)
    if live.identity is None or wanted.identity is None:
        return
    change, own = move.change, ctx.name(move.table)
    second = quote(second_name(ctx, move))
    old = live.identity.sequence or sequence_of(move.table, move.name)
    temporary = QualifiedName(
        move.table.namespace, object_name(move.table.name, second_name(ctx, move), "count")
    )
    identity = replace(wanted.identity, sequence=temporary)
    clause = identity_clause(ctx, move.table, replace(wanted, name="", identity=identity), identity)
    yield statement(change, f"ALTER TABLE {own}\n    ALTER COLUMN {second} ADD {clause}")
    name = text_literal(ctx.name(temporary))
    text = f"SELECT setval({name}, last_value, is_called) FROM {ctx.name(old)}"
    yield statement(change, text, why="New rows are numbered after the existing ones.")
    drop = f"ALTER TABLE {own} ALTER COLUMN {quote(move.name)} DROP IDENTITY"
    yield statement(change, drop)


def _own_counter(ctx: Context, move: Move) -> Statements:
    """Give the sequence of the column its name or its owner."""
    wanted = wanted_column(ctx, move)
    change, own, name = move.change, ctx.name(move.table), quote(move.name)
    if wanted.identity is not None:
        last = wanted.identity.sequence or sequence_of(move.table, move.name)
        temporary = QualifiedName(
            move.table.namespace, object_name(move.table.name, second_name(ctx, move), "count")
        )
        text = f"ALTER SEQUENCE {ctx.name(temporary)} RENAME TO {quote(last.name)}"
        yield statement(change, text)
        return
    ref = ref_of(ObjectKind.COLUMN, move.table, move.name)
    for sequence in ctx.desired.of(SchemaSequence):
        if sequence.owned_by == ref:
            text = f"ALTER SEQUENCE {ctx.name(sequence.name)} OWNED BY {own}.{name}"
            yield statement(change, text)
