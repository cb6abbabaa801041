"""Change the type of columns in use through a second column. Pure.

:mod:`renaming` changes their names with the same parts.

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
    live_column,
    prepare,
    second_name,
    serving,
    statement,
    wanted_column,
)
from dbwarden.dialects.postgresql.ddl.filling import backfill, create_trigger, drop_trigger
from dbwarden.dialects.postgresql.ddl.moves import Copy, Move, find_copies, find_moves
from dbwarden.dialects.postgresql.ddl.privileges import grant_column
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
        yield from (begin(ctx, move))
    for move in moves:
        yield from in_stage(Stage.PREPARE, validate(ctx, move))
    yield from in_stage(Stage.PREPARE, prepare(ctx, moves, copies))
    yield from in_stage(Stage.SWITCH, exchange(ctx, moves, copies, _sync_after(ctx, moves)))
    for move in moves:
        yield from (_end_back(ctx, move) if ctx.options.back else _end(ctx, move))


def begin(ctx: Context, move: Move) -> Statements:
    """Add the second column, keep it equal to the first one, and fill it."""
    return _begin_back(ctx, move) if ctx.options.back else _begin(ctx, move)


def _begin(ctx: Context, move: Move) -> Statements:
    yield from in_stage(Stage.EXPAND, _add_second(ctx, move))
    missing = f"{quote(move.new)} IS NULL"
    where = f"{missing} AND {quote(move.name)} IS NOT NULL" if move.plain else missing
    filled = backfill(ctx, move.table, f"{quote(move.new)} = {move.forward}", where)
    refuses = _refuses(ctx, move, move.effect, move.after.type)
    yield replace(planned(move.change, filled), refuses=refuses)


def _begin_back(ctx: Context, move: Move) -> Statements:
    why = "Fills the column in transactions of its own, some pages of the table each."
    text = _fill_back(ctx.name(move.table), move)
    filled = replace(
        statement(move.change, text, why=why, transactional=False),
        converts=_converts(ctx, move, move.effect_back),
        refuses=_refuses(ctx, move, move.effect_back, move.before.type),
    )
    yield from in_stage(Stage.CONTRACT, [*_add_second(ctx, move), filled])


def _add_second(ctx: Context, move: Move) -> Statements:
    """Add the second column with the trigger that fills it."""
    change, table, back = move.change, move.table, ctx.options.back
    second = _second(wanted_column(ctx, move), second_name(ctx, move))
    text = f"ALTER TABLE {ctx.name(table)} ADD COLUMN {column_clause(ctx, table, second)}"
    yield statement(change, text, why=None if back else _why(ctx, move))
    yield from serving(change, after_column(ctx, table, second))
    if move.default_on_both:
        column = f"ALTER COLUMN {quote(second.name)}"
        text = f"ALTER TABLE {ctx.name(table)} {column} SET DEFAULT {move.before.default}"
        yield statement(change, text, why="Set separately, so that existing rows are not filled.")
    if move.renamed:
        yield from serving(change, grant_column(ctx, table, second.name))
        yield from _both_ways_trigger(ctx, move)
    else:
        yield from _backward_trigger(ctx, move) if back else _forward_trigger(ctx, move)


def _why(ctx: Context, move: Move) -> str:
    if move.renamed:
        label = ctx.label(move.table, move.name)
        return f"Equal to {label}, which the running application goes on using."
    return (
        f"Becomes {ctx.label(move.table, move.name)} once it is filled: a change of the type "
        "in place would block reads and writes while it rewrites the table."
    )


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


def _both_ways_trigger(ctx: Context, move: Move) -> Statements:
    """Create the trigger of a renamed column: each release writes one of the names.

    Values are compared as they are stored, because equal ones may differ: 1.0 and 1.00.
    """
    old, new = quote(move.old), quote(move.new)
    was = f"OLD.{new}"
    if move.default_on_both:
        default = f"CAST({move.before.default} AS {move.before.type})"
        was = f"CASE TG_OP WHEN 'INSERT' THEN {default} ELSE {was} END"
    body = (
        f"    IF ROW(NEW.{new})::record *<> ROW({was})::record\n"
        f"        OR TG_OP = 'UPDATE' AND NEW.{old} IS NULL AND OLD.{old} IS NULL\n"
        f"    THEN\n        NEW.{old} := NEW.{new};\n"
        f"    ELSE\n        NEW.{new} := NEW.{old};\n    END IF;"
    )
    why = f"Keeps {ctx.label(move.table, move.old)} and {move.new} equal, whichever is written."
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


def validate(ctx: Context, move: Move) -> Statements:
    """Compare the values of both columns, before the second one is used."""
    back = ctx.options.back
    second, expression = (move.old, move.backward) if back else (move.new, move.forward)
    wanted = (move.before if back else move.after).type
    own = ctx.name(move.table)
    label = ctx.label(move.table, second)
    name = quote(second)
    wrong = f"{name}::text IS DISTINCT FROM ({expression})::{wanted}::text"
    if not back and not move.plain:  # the expression may return another value each time
        wrong = f"{name} IS NULL AND ({expression}) IS NOT NULL"
    first = live_column(ctx, move).name
    message = text_literal(f"{label} does not have the values of {first}")
    hint = text_literal(f"A value of {ctx.label(move.table, first)} does not fit {wanted}.")
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
    missing = f"{quote(move.old)} IS NULL AND {quote(move.after.name)} IS NOT NULL"
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
