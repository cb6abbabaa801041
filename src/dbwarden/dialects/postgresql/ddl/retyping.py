"""Change the type of columns in use through a second column. Pure.

:mod:`renaming` changes their names with the same parts.

Upgrade and rollback mirror each other: one direction adds the second column, fills it, prepares
what moves with the column, and exchanges the names; the other does the same with the types swapped.
"""

from collections.abc import Sequence
from dataclasses import replace

from dbwarden.dialects.postgresql.ddl.capacity import Effect
from dbwarden.dialects.postgresql.ddl.columns import after_column, column_clause
from dbwarden.dialects.postgresql.ddl.context import Context, Statements
from dbwarden.dialects.postgresql.ddl.exchanging import exchange, prepare
from dbwarden.dialects.postgresql.ddl.filling import backfill, create_trigger, drop_trigger
from dbwarden.dialects.postgresql.ddl.moves import Conversion, Move, ShadowPart, find_copies
from dbwarden.dialects.postgresql.ddl.online import Planned, Replaced, at, in_stage, serving
from dbwarden.dialects.postgresql.ddl.privileges import grant_column
from dbwarden.dialects.postgresql.sql.quoting import quote, text_literal
from dbwarden.diff.changes import Alter, Change, Create, Drop
from dbwarden.diff.statements import Sql, Stage
from dbwarden.schema import Part

PAGES = 200
"""The pages of a table that a rollback fills in one transaction."""


def retyping(ctx: Context, changes: Sequence[Change], moves: Sequence[Move]) -> Replaced:
    """Return the statements of the changes that *moves* replace.

    Those of all moves are in the place of the first one.
    """
    if not moves:
        return {}
    copies = find_copies(ctx, moves)
    columns = {move.change.ref for move in moves}
    parts = {(copy.table, copy.item.name) for copy in copies}
    replaced: Replaced = {}
    for change in changes:
        match change:
            case Create(obj=obj) | Drop(obj=obj) | Alter(after=obj):
                part = isinstance(obj, Part) and (change.table, obj.name) in parts
                if part or change.ref in columns:
                    replaced[change] = []
    return replaced | {moves[0].change: list(_retype(ctx, moves, copies))}


def _retype(ctx: Context, moves: Sequence[Move], copies: Sequence[ShadowPart]) -> Planned:
    """Yield the statements of one direction for all *moves*, with their stages."""
    yield from build_second(ctx, moves, copies, Stage.PREPARE)
    triggers = (  # that fill the second columns after the switch
        item
        for move in moves
        if move.back or move.backward is not None
        for item in serving(move.change, _one_way_trigger(ctx, move, forward=move.back))
    )
    yield from in_stage(Stage.SWITCH, exchange(ctx, moves, copies, triggers))
    for move in moves:
        yield from serving(move.change, _end(ctx, move))


def build_second(
    ctx: Context, moves: Sequence[Move], copies: Sequence[ShadowPart], stage: Stage
) -> Planned:
    """Add and fill the second columns, and build on them what uses the first ones."""
    for move in moves:
        yield from serving(move.change, _begin(ctx, move))
    for move in moves:
        yield from serving(move.change, at(stage, _validate(ctx, move)))
    yield from in_stage(stage, prepare(ctx, moves, copies))


def _begin(ctx: Context, move: Move) -> Statements:
    """Add the second column, keep it equal to the first one, and fill it."""
    added, effect = _add_second(ctx, move), move.conversion.effect
    label = ctx.label(move.table, move.name)
    refuses = (f"{label} does not fit {move.wanted.type}",) if Effect.REFUSES in effect else ()
    if move.back:
        filled = Sql(
            _fill_back(ctx.name(move.table), move),
            why="Fills the column in transactions of its own, some pages of the table each.",
            transactional=False,
            converts=(label,) if Effect.CHANGES in effect else (),
            refuses=refuses,
        )
        yield from at(Stage.CONTRACT, [*added, filled])
    else:
        yield from at(Stage.EXPAND, added)
        missing = f"{quote(move.new)} IS NULL"
        where = f"{missing} AND {quote(move.name)} IS NOT NULL" if move.plain else missing
        value = f"{quote(move.new)} = {move.forward.expression}"
        yield replace(backfill(ctx, move.table, value, where), refuses=refuses)


def _add_second(ctx: Context, move: Move) -> Statements:
    """Add the second column with the trigger that fills it."""
    table, own = move.table, f"ALTER TABLE {ctx.name(move.table)}"
    # Without values, and not required.
    second = replace(
        move.wanted,
        name=move.second,
        not_null=False,
        not_null_name=None,
        default=None,
        identity=None,
    )
    text = f"{own} ADD COLUMN {column_clause(ctx, table, second)}"
    yield Sql(text, why=None if move.back else _why(ctx, move))
    yield from after_column(ctx, table, second)
    if move.default_on_both:
        text = f"{own} ALTER COLUMN {quote(second.name)} SET DEFAULT {move.before.default}"
        yield Sql(text, why="Set separately, so that existing rows are not filled.")
    if move.renamed:
        yield from grant_column(ctx, table, second.name)
        yield from _both_ways_trigger(ctx, move)
    else:
        yield from _one_way_trigger(ctx, move, forward=not move.back)


def _why(ctx: Context, move: Move) -> str:
    if move.renamed:
        label = ctx.label(move.table, move.name)
        return f"Equal to {label}, which the running application goes on using."
    return (
        f"Becomes {ctx.label(move.table, move.name)} once it is filled: a change of the type "
        "in place would block reads and writes while it rewrites the table."
    )


def _end(ctx: Context, move: Move) -> Statements:
    """Drop the second column, which nothing reads any more."""
    stage = Stage.EXPAND if move.back else Stage.CONTRACT
    # The old values are lost with the other column.
    lost = not move.back and Effect.CHANGES in move.forward.effect
    converts = (ctx.label(move.table, move.name),) if lost else ()
    if move.back or move.backward is not None:
        yield from at(stage, drop_trigger(ctx, move.table, move.trigger))
    text = f"ALTER TABLE {ctx.name(move.table)} DROP COLUMN {quote(move.retired)}"
    yield from at(stage, [Sql(text, converts=converts)])


# -- triggers --------------------------------------------------------------------------------------


def _one_way_trigger(ctx: Context, move: Move, *, forward: bool) -> Statements:
    """Create the trigger that converts each written value to the new or to the old type."""
    target, by, when = move.new, move.forward, " in rows that are written"
    if not forward and move.backward is not None:
        target, by, when = move.old, move.backward, ", so that a rollback loses no value"
    why = f"Keeps {ctx.label(move.table, target)} equal to {move.name}{when}."
    yield from create_trigger(ctx, move.table, move.trigger, _assignment(move, target, by), why)


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
    yield from create_trigger(ctx, move.table, move.trigger, body, why)


def _assignment(move: Move, target: str, by: Conversion) -> str:
    """Return the PL/pgSQL that converts a value; a value that does not fit becomes NULL."""
    if by.expression == quote(move.name):
        text = f"NEW.{quote(target)} := NEW.{by.expression};"
    else:
        source = f"(SELECT NEW.*) AS {quote(move.table.name)}"
        text = f"SELECT {by.expression} INTO NEW.{quote(target)} FROM {source};"
    if by.fits:
        return f"    {text}"
    return (
        f"    BEGIN\n        {text}\n"
        "    EXCEPTION WHEN data_exception OR integrity_constraint_violation THEN\n"
        f"        NEW.{quote(target)} := NULL;\n    END;"
    )


# -- values ----------------------------------------------------------------------------------------


def _validate(ctx: Context, move: Move) -> Statements:
    """Compare the values of both columns, before the second one is used."""
    own, name, wanted = ctx.name(move.table), quote(move.second), move.wanted.type
    expression = move.conversion.expression
    wrong = f"{name}::text IS DISTINCT FROM ({expression})::{wanted}::text"
    if not move.back and not move.plain:  # the expression may return another value each time
        wrong = f"{name} IS NULL AND ({expression}) IS NOT NULL"
    first, label = move.live.name, ctx.label(move.table, move.second)
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
    yield Sql(text, why=why, transactional=False)


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
