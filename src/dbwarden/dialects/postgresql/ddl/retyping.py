"""Change the type of columns in use through a second column. Pure.

Upgrade and rollback mirror each other: one direction adds the second column, fills it, prepares
what moves with the column, and exchanges the names; the other does the same with the types swapped.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dbwarden.dialects.postgresql.ddl.capacity import Effect
from dbwarden.dialects.postgresql.ddl.columns import after_column, column_clause
from dbwarden.dialects.postgresql.ddl.context import Context
from dbwarden.dialects.postgresql.ddl.exchanging import (
    exchange,
    in_stage,
    prepare,
    serving,
    statement,
)
from dbwarden.dialects.postgresql.ddl.filling import backfill, create_trigger, drop_trigger
from dbwarden.dialects.postgresql.ddl.moves import Copy, Move, find_copies, find_moves
from dbwarden.dialects.postgresql.sql.quoting import quote, text_literal
from dbwarden.diff.changes import Alter, Change, Create, Drop
from dbwarden.diff.statements import PlannedStatement, Stage, planned
from dbwarden.schema import Column, Part, QualifiedName

Statements = Iterator[PlannedStatement]

PAGES = 200
"""The pages of a table that a rollback fills in one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """The columns of a plan that change their type through second columns, and what moves along."""

    moves: tuple[Move, ...] = ()
    copies: tuple[Copy, ...] = ()

    def statements(self, ctx: Context, change: Change) -> list[PlannedStatement] | None:
        """Return the statements of *change*; ``None`` if it has nothing to do with the moves.

        Those of all moves are in the place of the first one.
        """
        if not self.moves:
            return None
        if self.moves[0].change == change:
            return list(retype(ctx, self.moves, self.copies))
        along = self._is_part(change) or any(move.includes(change) for move in self.moves)
        return [] if along else None

    def _is_part(self, change: Change) -> bool:
        """Return whether *change* is one of a constraint or index that moves along."""
        match change:
            case (
                Create(obj=Part() as item) | Drop(obj=Part() as item) | Alter(after=Part() as item)
            ):
                return self._moves_along(change.table, item.name)
            case _:
                return False

    def _moves_along(self, table: QualifiedName, name: str | None) -> bool:
        return any((copy.table, copy.item.name) == (table, name) for copy in self.copies)


NO_MOVES = Moved()


def moving(ctx: Context, changes: Sequence[Change]) -> Moved:
    """Return the columns of *changes* that change their type through second columns.

    Raises:
        UnsupportedChange: One cannot; names what prevents it.
    """
    moves = find_moves(ctx, changes)
    return Moved(moves=moves, copies=find_copies(ctx, moves)) if moves else NO_MOVES


def retype(ctx: Context, moves: Sequence[Move], copies: Sequence[Copy]) -> Statements:
    """Yield the statements of one direction for all *moves*, with their stages."""
    for move in moves:
        yield from (_begin_back(ctx, move) if ctx.options.back else _begin(ctx, move))
    for move in moves:
        yield from in_stage(Stage.PREPARE, _validate(ctx, move))
    yield from in_stage(Stage.PREPARE, prepare(ctx, moves, copies))
    yield from in_stage(Stage.SWITCH, exchange(ctx, moves, copies, _sync_after(ctx, moves)))
    for move in moves:
        yield from (_end_back(ctx, move) if ctx.options.back else _end(ctx, move))


def _begin(ctx: Context, move: Move) -> Statements:
    """Add the second column, keep it equal to the first one, and fill it."""
    change, table = move.change, move.table
    new = _second(move.after, move.new)
    clause = column_clause(ctx, table, new)
    added = [
        statement(
            change,
            f"ALTER TABLE {ctx.name(table)} ADD COLUMN {clause}",
            why=f"Becomes {ctx.label(table, move.name)} once it is filled: a change of the type "
            "in place would block reads and writes while it rewrites the table.",
        ),
        *serving(change, after_column(ctx, table, new)),
        *_forward_trigger(ctx, move),
    ]
    yield from in_stage(Stage.EXPAND, added)
    missing = f"{quote(move.new)} IS NULL"
    where = f"{missing} AND {quote(move.name)} IS NOT NULL" if move.plain else missing
    filled = backfill(ctx, table, f"{quote(move.new)} = {move.forward}", where)
    yield replace(
        planned(change, filled), refuses=_refuses(ctx, move, move.effect, move.after.type)
    )


def _begin_back(ctx: Context, move: Move) -> Statements:
    """Bring back the old column, keep it equal to the new one, and fill it."""
    change, table = move.change, move.table
    old = _second(move.before, move.old)
    own = ctx.name(table)
    why = "Fills the column in transactions of its own, some pages of the table each."
    filled = statement(change, _fill_back(own, move), why=why, transactional=False)
    added = [
        statement(change, f"ALTER TABLE {own} ADD COLUMN {column_clause(ctx, table, old)}"),
        *serving(change, after_column(ctx, table, old)),
        *_backward_trigger(ctx, move),
        replace(
            filled,
            converts=_converts(ctx, move, move.effect_back),
            refuses=_refuses(ctx, move, move.effect_back, move.before.type),
        ),
    ]
    yield from in_stage(Stage.CONTRACT, added)


def _end(ctx: Context, move: Move) -> Statements:
    """Drop the old column, which nothing reads any more."""
    dropped: list[PlannedStatement] = []
    if move.backward is not None:
        dropped += serving(move.change, drop_trigger(ctx, move.table, move.trigger))
    text = f"ALTER TABLE {ctx.name(move.table)} DROP COLUMN {quote(move.old)}"
    last = replace(statement(move.change, text), converts=_converts(ctx, move, move.effect))
    yield from in_stage(Stage.CONTRACT, [*dropped, last])


def _end_back(ctx: Context, move: Move) -> Statements:
    dropped = serving(move.change, drop_trigger(ctx, move.table, move.trigger))
    text = f"ALTER TABLE {ctx.name(move.table)} DROP COLUMN {quote(move.new)}"
    yield from in_stage(Stage.EXPAND, [*dropped, statement(move.change, text)])


def _converts(ctx: Context, move: Move, effect: Effect) -> tuple[str, ...]:
    """Return the column if its old values are lost with the other column."""
    return (ctx.label(move.table, move.name),) if Effect.CHANGES in effect else ()


def _refuses(ctx: Context, move: Move, effect: Effect, type_: str) -> tuple[str, ...]:
    """Return the rows on which a conversion to *type_* fails."""
    if Effect.REFUSES not in effect:
        return ()
    return (f"{ctx.label(move.table, move.name)} does not fit {type_}",)


def _second(column: Column, name: str) -> Column:
    """Return *column* as a second column: without values, and not required."""
    return replace(
        column, name=name, not_null=False, not_null_name=None, default=None, identity=None
    )


# -- triggers --------------------------------------------------------------------------------------


def _sync_after(ctx: Context, moves: Sequence[Move]) -> Statements:
    """Yield the triggers that fill the second columns after the switch."""
    for move in moves:
        if ctx.options.back:
            yield from _forward_trigger(ctx, move)
        elif move.backward is not None:
            yield from _backward_trigger(ctx, move)


def _forward_trigger(ctx: Context, move: Move) -> Statements:
    why = f"Keeps {ctx.label(move.table, move.new)} equal to {move.name} in rows that are written."
    body = _assignment(move, move.new, move.forward, fits=move.fits)
    created = create_trigger(ctx, move.table, move.trigger, body, why)
    yield from serving(move.change, created)


def _backward_trigger(ctx: Context, move: Move) -> Statements:
    assert move.backward is not None
    label = ctx.label(move.table, move.old)
    why = f"Keeps {label} equal to {move.name}, so that a rollback loses no value."
    body = _assignment(move, move.old, move.backward, fits=move.fits_back)
    created = create_trigger(ctx, move.table, move.trigger, body, why)
    yield from serving(move.change, created)


def _assignment(move: Move, target: str, expression: str, *, fits: bool) -> str:
    """Return the PL/pgSQL that converts a value; a value that does not fit becomes NULL."""
    if expression == quote(move.name):
        text = f"NEW.{quote(target)} := NEW.{expression};"
    else:
        source = f"(SELECT NEW.*) AS {quote(move.table.name)}"
        text = f"SELECT {expression} INTO NEW.{quote(target)} FROM {source};"
    if fits:
        return f"    {text}"
    return (
        f"    BEGIN\n        {text}\n"
        "    EXCEPTION WHEN data_exception OR integrity_constraint_violation THEN\n"
        f"        NEW.{quote(target)} := NULL;\n    END;"
    )


# -- values ----------------------------------------------------------------------------------------


def _validate(ctx: Context, move: Move) -> Statements:
    """Compare the values of both columns, before the names are exchanged."""
    back = ctx.options.back
    second, expression = (move.old, move.backward) if back else (move.new, move.forward)
    wanted = (move.before if back else move.after).type
    own = ctx.name(move.table)
    label = ctx.label(move.table, second)
    name = quote(second)
    wrong = f"{name}::text IS DISTINCT FROM ({expression})::{wanted}::text"
    if not back and not move.plain:  # the expression may return another value each time
        wrong = f"{name} IS NULL AND ({expression}) IS NOT NULL"
    message = text_literal(f"{label} does not have the values of {move.name}")
    hint = text_literal(f"A value of {ctx.label(move.table, move.name)} does not fit {wanted}.")
    text = (
        "DO $validate$ BEGIN\n"
        f"    IF EXISTS (SELECT FROM {own} WHERE {wrong}) THEN\n"
        f"        RAISE EXCEPTION USING MESSAGE = {message}, HINT = {hint},\n"
        "            ERRCODE = 'data_exception';\n"
        "    END IF;\nEND $validate$"
    )
    why = "Every value is compared, without blocking reads or writes."
    yield statement(move.change, text, why=why, transactional=False)


def _fill_back(own: str, move: Move) -> str:
    """Return the SQL that fills the old column again, some pages of the table at a time."""
    # The trigger converts the value; one that does not fit stays NULL.
    value = f"SET {quote(move.old)} = NULL"
    pages = f"ctid >= format('(%s,0)', page)::tid AND ctid < format('(%s,0)', page + {PAGES})::tid"
    missing = f"{quote(move.old)} IS NULL AND {quote(move.name)} IS NOT NULL"
    return (
        "DO $fill$ DECLARE page bigint;\nBEGIN\n"
        "    FOR page IN SELECT generate_series(\n"
        f"        0, pg_relation_size({text_literal(own)}::regclass)\n"
        f"            / current_setting('block_size')::bigint, {PAGES}\n"
        "    ) LOOP\n"
        f"        UPDATE {own} {value}\n"
        f"        WHERE {pages}\n"
        f"            AND {missing};\n"
        "        COMMIT;\n    END LOOP;\nEND $fill$"
    )
