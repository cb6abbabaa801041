"""Fill columns of tables in use: a trigger for new rows, a backfill for existing ones. Pure."""

from dataclasses import replace
from itertools import chain

from dbwarden.dialects.postgresql.ddl.columns import after_column, alter_column, column_clause
from dbwarden.dialects.postgresql.ddl.context import Context, Statements
from dbwarden.dialects.postgresql.ddl.names import sequence_of
from dbwarden.dialects.postgresql.ddl.not_null import (
    SPARES_A_SCAN,
    check_filled,
    drop_check_filled,
)
from dbwarden.dialects.postgresql.ddl.online import at
from dbwarden.dialects.postgresql.sql.quoting import quote
from dbwarden.diff.changes import Alter, Change, Create, Drop
from dbwarden.diff.statements import Sql, Stage
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import Column, ObjectKind, QualifiedName, Table, Trigger, object_name, ref_of


def filling(ctx: Context, change: Change) -> Statements | None:
    """Return the statements of a change that fills rows; ``None`` for any other change."""
    table, back = change.table, ctx.options.back
    match change:
        case Create(obj=Column() as column) if not back and _is_filled(ctx, table, column):
            return _add(ctx, table, column)
        case Drop(obj=Column() as column) if back and _is_filled(ctx, table, column):
            return _drop(ctx, table, column)
        case Alter(before=Column() as before, after=Column() as after):
            was, now = (after, before) if back else (before, after)
            required = now.not_null and not was.not_null and not now.not_null_state
            if required and ctx.fill(table, now) is not None and in_use(ctx, table, now):
                if not back:
                    return _fill_and_require(ctx, table, before, after)
                other = alter_column(ctx, table, replace(before, not_null=False), after)
                undone = _undo(ctx, table, before, trigger=True)
                return chain(undone, at(Stage.SWITCH, other))
    return None


def in_use(ctx: Context, table: QualifiedName, column: Column) -> bool:
    """Return whether a table may have rows, and *column* is its own and may not be rewritten."""
    allowed = {ctx.label(table, column.name), ctx.label(table)} & {*ctx.options.allow_rewrite}
    return (
        ref_of(ObjectKind.TABLE, table) not in ctx.created and not column.inherited and not allowed
    )


def _is_filled(ctx: Context, table: QualifiedName, column: Column) -> bool:
    if not in_use(ctx, table, column) or column.not_null_state:
        return False
    if column.identity is not None or column.generated is not None:
        return False
    rewritten = ctx.label(table, column.name) in ctx.options.rewritten
    filled = column.not_null and column.default is None and ctx.fill(table, column) is not None
    return filled or (rewritten and column.default is not None)


def _add(ctx: Context, table: QualifiedName, column: Column) -> Statements:
    """Add a column without values, then fill it: new rows by its default or by a trigger."""
    own, name, default = ctx.name(table), quote(column.name), column.default
    require_key(ctx, table, column.name)
    bare = replace(column, not_null=False, default=None)
    clause = (
        f"{name} {column.type}" if ctx.serial(table, column) else column_clause(ctx, table, bare)
    )
    made = _trigger(ctx, table, column) if default is None else _default(ctx, table, column)
    added = (f"ALTER TABLE {own} ADD COLUMN {clause}", *made, *after_column(ctx, table, bare))
    yield from at(Stage.EXPAND, added)
    yield _backfill(ctx, table, column, "DEFAULT" if default is not None else None)
    if column.not_null:
        yield from _require(ctx, table, column.name)
    if default is None:
        yield from at(Stage.CONTRACT, drop_trigger(ctx, table, _name_of(table, column)))


def _default(ctx: Context, table: QualifiedName, column: Column) -> Statements:
    """Set the default of new rows, with the sequence of a serial column."""
    own, name = ctx.name(table), quote(column.name)
    sequence = ctx.name(sequence_of(table, column.name)) if ctx.serial(table, column) else None
    if sequence is not None:
        yield Sql(f"CREATE SEQUENCE {sequence} AS {column.type}")
    yield Sql(
        f"ALTER TABLE {own} ALTER COLUMN {name} SET DEFAULT {column.default}",
        why="Set separately, so that existing rows are not rewritten; a backfill fills them.",
    )
    if sequence is not None:
        yield Sql(f"ALTER SEQUENCE {sequence} OWNED BY {own}.{name}")


def _drop(ctx: Context, table: QualifiedName, column: Column) -> Statements:
    """Undo the stages of :func:`_add`."""
    yield from _undo(ctx, table, column, trigger=column.default is None)
    text = f"ALTER TABLE {ctx.name(table)} DROP COLUMN {quote(column.name)}"
    yield from at(Stage.EXPAND, [Sql(text, destroys=(ctx.label(table, column.name),))])


def _fill_and_require(
    ctx: Context, table: QualifiedName, before: Column, column: Column
) -> Statements:
    """Fill an existing column, then require its values."""
    require_key(ctx, table, column.name)
    # What else changes in the column; its values are filled below.
    other = replace(column, not_null=False)
    yield from at(Stage.SWITCH, alter_column(ctx, table, before, other))
    yield from at(Stage.EXPAND, _trigger(ctx, table, column))
    yield _backfill(ctx, table, column)
    yield from _require(ctx, table, column.name)
    yield from at(Stage.CONTRACT, drop_trigger(ctx, table, _name_of(table, column)))


def _undo(ctx: Context, table: QualifiedName, column: Column, *, trigger: bool) -> Statements:
    """Undo what the stages of a filled column have in common."""
    if trigger:
        yield from at(Stage.CONTRACT, _trigger(ctx, table, column))
    if column.not_null:
        text = f"ALTER TABLE {ctx.name(table)} ALTER COLUMN {quote(column.name)} DROP NOT NULL"
        yield from at(Stage.SWITCH, [text])
    if trigger:
        yield from at(Stage.EXPAND, drop_trigger(ctx, table, _name_of(table, column)))


# -- building blocks -------------------------------------------------------------------------------


NO_KEY = (
    "has no primary key and no unique key of columns that are NOT NULL (DEFERRABLE ones do not "
    "serve)"
)


def require_key(ctx: Context, table: QualifiedName, column: str) -> None:
    """Raise if the rows of a table cannot be walked in batches.

    Raises:
        UnsupportedChange: Names the column and the flag for the plain form.
    """
    found = ctx.current.table(table) or ctx.tables.get(table)
    if found is None or has_key(found):
        return
    label, own = ctx.label(table, column), ctx.label(table)
    raise UnsupportedChange(
        f"{label} cannot be filled without blocking writes: {own} {NO_KEY}, so its rows cannot be "
        "walked in batches.",
        next_step=f"Add a key to {own} in a migration before this one, or pass --allow-rewrite "
        f"{label} to fill the column in one transaction.",
    )


def has_key(table: Table) -> bool:
    """Return whether a table has a key that no row lacks, and that is checked at once."""
    required = {column.name for column in table.columns if column.not_null}
    keys = [set(key.columns) for key in table.keys if key.deferrable is None]
    keys += [
        {item.column or "" for item in index.columns}
        for index in table.indexes
        if index.unique and index.where is None
    ]
    return any(key <= required for key in keys)


def backfill(ctx: Context, table: QualifiedName, assignment: str, where: str) -> Sql:
    """Return the statement of a backfill that runs in batches."""
    own = ctx.name(table)
    text = f"UPDATE {own} SET {assignment}\nWHERE {where} AND {{batch}}"
    fires = [item.name for item in ctx.current.of(Trigger) if item.table == table]
    why = f"Review: each filled row runs the triggers {', '.join(fires)}." if fires else None
    return replace(Sql(text, why=why), stage=Stage.BACKFILL, batched=own)


def _backfill(ctx: Context, table: QualifiedName, column: Column, value: str | None = None) -> Sql:
    """Return the backfill of a column with *value*, or with that of ``--fill``."""
    name = quote(column.name)
    fill = value or ctx.fill(table, column) or "NULL"
    return backfill(ctx, table, f"{name} = {fill}", f"{name} IS NULL")


def _require(ctx: Context, table: QualifiedName, column: str) -> Statements:
    """Require a value without a scan under a strong lock: by a check that is validated before."""
    yield from at(Stage.PREPARE, check_filled(ctx, table, column))
    text = f"ALTER TABLE {ctx.name(table)} ALTER COLUMN {quote(column)} SET NOT NULL"
    required = Sql(text, why=SPARES_A_SCAN)
    yield from at(Stage.SWITCH, [required, drop_check_filled(ctx, table, column)])


def _trigger(ctx: Context, table: QualifiedName, column: Column) -> Statements:
    """Create the trigger that fills new rows of applications that do not know the column."""
    name, fill = quote(column.name), ctx.fill(table, column) or "NULL"
    body = (
        f"    IF NEW.{name} IS NULL THEN\n"
        f"        SELECT {fill} INTO NEW.{name} FROM (SELECT NEW.*) AS {quote(table.name)};\n"
        "    END IF;"
    )
    why = f"Fills {ctx.label(table, column.name)} in rows of applications that do not write it."
    yield from create_trigger(ctx, table, _name_of(table, column), body, why)


def _name_of(table: QualifiedName, column: Column) -> str:
    return object_name(table.name, column.name, "fill")


def create_trigger(
    ctx: Context, table: QualifiedName, name: str, body: str, why: str
) -> Statements:
    """Create a function *name* and the trigger that calls it for each written row."""
    function = ctx.name(QualifiedName(table.namespace, name))
    mark = "$fill$" if "$$" in body else "$$"
    yield Sql(
        f"CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql\n"
        f"SET search_path FROM CURRENT AS {mark}\n"
        f"#variable_conflict use_column\nBEGIN\n{body}\n    RETURN NEW;\nEND\n{mark}",
        why=why,
    )
    yield Sql(
        f"CREATE TRIGGER {quote(name)} BEFORE INSERT OR UPDATE ON {ctx.name(table)}\n"
        f"    FOR EACH ROW EXECUTE FUNCTION {function}()",
    )


def drop_trigger(ctx: Context, table: QualifiedName, name: str) -> Statements:
    """Drop a trigger and its function."""
    function = ctx.name(QualifiedName(table.namespace, name))
    yield Sql(f"DROP TRIGGER {quote(name)} ON {ctx.name(table)}")
    yield Sql(f"DROP FUNCTION {function}()")
