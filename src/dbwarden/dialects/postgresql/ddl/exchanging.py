"""Prepare a second column, and exchange its name with the first one's. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from dbwarden.dialects.postgresql.ddl.columns import identity_clause
from dbwarden.dialects.postgresql.ddl.constraints import after_constraint
from dbwarden.dialects.postgresql.ddl.context import Context, Statements, ref_sql
from dbwarden.dialects.postgresql.ddl.filling import drop_trigger
from dbwarden.dialects.postgresql.ddl.indexes import after_index
from dbwarden.dialects.postgresql.ddl.moves import Move, ShadowPart
from dbwarden.dialects.postgresql.ddl.names import sequence_of
from dbwarden.dialects.postgresql.ddl.not_null import check_filled, drop_check_filled
from dbwarden.dialects.postgresql.ddl.objects import create_object
from dbwarden.dialects.postgresql.ddl.online import (
    Planned,
    add_by_index,
    add_not_valid,
    build_index,
    index_of,
    serving,
)
from dbwarden.dialects.postgresql.ddl.privileges import move_column_privileges
from dbwarden.dialects.postgresql.sql.quoting import quote, text_literal
from dbwarden.diff.changes import Create
from dbwarden.diff.statements import Sql, planned
from dbwarden.schema import (
    Check,
    ForeignKey,
    Index,
    Key,
    ObjectKind,
    QualifiedName,
    Statistics,
    object_name,
    ref_of,
)
from dbwarden.schema import (
    Sequence as SchemaSequence,
)

# -- before the exchange ---------------------------------------------------------------------------


def prepare(ctx: Context, moves: Sequence[Move], copies: Sequence[ShadowPart]) -> Planned:
    """Build indexes, and validate constraints, on the second columns, without blocking writes."""
    for copy in copies:
        match copy.built:
            case Index() as index:
                built = build_index(ctx, copy.table, replace(index, name=copy.name))
                yield planned(copy.move.change, built)
            case Key() as key:
                built = build_index(ctx, copy.table, index_of(key, copy.name))
                yield planned(copy.move.change, built)
    for move in moves:
        if move.wanted.not_null:
            yield from serving(move.change, check_filled(ctx, move.table, move.second))
    for kind in (Check, ForeignKey):  # a foreign key needs the index of its target
        for copy in copies:
            if isinstance(copy.built, kind):
                named = replace(copy.built, name=copy.name)
                yield from serving(copy.move.change, add_not_valid(ctx, copy.table, named))


# -- the exchange ----------------------------------------------------------------------------------


def exchange(
    ctx: Context, moves: Sequence[Move], copies: Sequence[ShadowPart], triggers: Planned
) -> Planned:
    """Exchange the names of first and second columns in one short transaction."""
    why: str | None = "The names are exchanged in one short transaction; no row is read."
    for move in moves:
        for item in serving(move.change, drop_trigger(ctx, move.table, move.trigger)):
            yield replace(item, why=why)
            why = None
    # Foreign keys first.
    for copy in sorted(copies, key=lambda copy: not isinstance(copy.item, ForeignKey)):
        yield planned(copy.move.change, drop_item(ctx, copy, copy.item.key))
    statistics = tuple(_statistics(ctx, moves))
    for move, obj in statistics:
        yield planned(move.change, f"DROP {ref_sql(ctx, obj.ref)}")
    for move in moves:
        yield from serving(move.change, _exchange_column(ctx, move))
    yield from rename_items(ctx, copies)
    for move, obj in statistics:
        yield from serving(move.change, create_object(ctx, Create(obj=obj)))
    yield from triggers


def drop_item(ctx: Context, copy: ShadowPart, name: str, *, online: bool = False) -> Sql:
    """Drop a constraint or index called *name*."""
    if not isinstance(copy.item, Index):
        return Sql(f"ALTER TABLE {ctx.name(copy.table)} DROP CONSTRAINT {quote(name)}")
    word = " CONCURRENTLY" if online else ""
    return Sql(f"DROP INDEX{word} {ctx.index(copy.table, name)}", transactional=not online)


def rename_items(ctx: Context, copies: Iterable[ShadowPart]) -> Planned:
    """Give what was built on second columns its name and its last properties."""
    for copy in sorted(copies, key=lambda copy: isinstance(copy.item, ForeignKey)):
        yield from serving(copy.move.change, _complete(ctx, copy))


def _complete(ctx: Context, copy: ShadowPart) -> Statements:
    item = copy.item
    if isinstance(item, Key):
        yield add_by_index(ctx, copy.table, item, copy.name)
    else:
        yield from rename_item(ctx, copy, copy.name, item.key)
    if isinstance(item, Index):
        yield from after_index(ctx, copy.table, item)
    else:
        yield from after_constraint(ctx, copy.table, item)
    if ctx.tables[copy.table].replica_index == item.name:
        own = ctx.name(copy.table)
        yield f"ALTER TABLE {own} REPLICA IDENTITY USING INDEX {quote(item.key)}"


def rename_item(ctx: Context, copy: ShadowPart, before: str, after: str) -> Statements:
    """Give a constraint or index another name, if it has not got it."""
    if before == after:
        return
    if isinstance(copy.item, Index):
        yield f"ALTER INDEX {ctx.index(copy.table, before)} RENAME TO {quote(after)}"
    else:
        names = f"{quote(before)} TO {quote(after)}"
        yield f"ALTER TABLE {ctx.name(copy.table)} RENAME CONSTRAINT {names}"


def _statistics(ctx: Context, moves: Sequence[Move]) -> Iterator[tuple[Move, Statistics]]:
    kept = {item.ref for item in ctx.current.of(Statistics)}
    for item in ctx.desired.of(Statistics):
        users = {needed for user, needed in ctx.desired.dependencies if user == item.ref}
        for move in moves:
            if ref_of(ObjectKind.COLUMN, move.table, move.name) in users and item.ref in kept:
                yield move, item
                break


def _exchange_column(ctx: Context, move: Move) -> Statements:
    own, name, second = f"ALTER TABLE {ctx.name(move.table)}", quote(move.name), quote(move.second)
    yield from require_second(ctx, move)
    if move.live.default is not None:
        yield f"{own} ALTER COLUMN {name} DROP DEFAULT"
    if move.wanted.default is not None:
        yield f"{own} ALTER COLUMN {second} SET DEFAULT {move.wanted.default}"
    yield from _move_counter(ctx, move)
    if move.live.not_null:
        yield f"{own} ALTER COLUMN {name} DROP NOT NULL"
    yield f"{own} RENAME COLUMN {name} TO {quote(move.retired)}"
    yield f"{own} RENAME COLUMN {second} TO {name}"
    yield from move_column_privileges(ctx, move.table, move.name, move.retired)
    yield from _own_counter(ctx, move)


def require_second(ctx: Context, move: Move) -> Statements:
    """Require values in the second column, if the wanted one does, by the validated check."""
    if move.wanted.not_null:
        own = ctx.name(move.table)
        yield f"ALTER TABLE {own} ALTER COLUMN {quote(move.second)} SET NOT NULL"
        yield drop_check_filled(ctx, move.table, move.second)


def _move_counter(ctx: Context, move: Move) -> Statements:
    """Give the second column an identity that continues that of the first one."""
    live, wanted = move.live, move.wanted
    if live.identity is None or wanted.identity is None:
        return
    own = f"ALTER TABLE {ctx.name(move.table)}"
    temporary = _temporary_counter(move)
    identity = replace(wanted.identity, sequence=temporary)
    clause = identity_clause(ctx, move.table, replace(wanted, name="", identity=identity), identity)
    yield f"{own}\n    ALTER COLUMN {quote(move.second)} ADD {clause}"
    old = live.identity.sequence or sequence_of(move.table, move.name)
    name = text_literal(ctx.name(temporary))
    text = f"SELECT setval({name}, last_value, is_called) FROM {ctx.name(old)}"
    yield Sql(text, why="New rows are numbered after the existing ones.")
    yield f"{own} ALTER COLUMN {quote(move.name)} DROP IDENTITY"


def _own_counter(ctx: Context, move: Move) -> Statements:
    """Give the sequence of the column its name or its owner."""
    if move.wanted.identity is not None:
        last = move.wanted.identity.sequence or sequence_of(move.table, move.name)
        yield f"ALTER SEQUENCE {ctx.name(_temporary_counter(move))} RENAME TO {quote(last.name)}"
        return
    ref = ref_of(ObjectKind.COLUMN, move.table, move.name)
    owner = f"{ctx.name(move.table)}.{quote(move.name)}"
    for sequence in ctx.desired.of(SchemaSequence):
        if sequence.owned_by == ref:
            yield f"ALTER SEQUENCE {ctx.name(sequence.name)} OWNED BY {owner}"


def _temporary_counter(move: Move) -> QualifiedName:
    """Return the name of the second column's sequence before the exchange."""
    name = object_name(move.table.name, move.second, "count")
    return QualifiedName(move.table.namespace, name)
