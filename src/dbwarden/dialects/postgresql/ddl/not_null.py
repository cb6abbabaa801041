"""Render NOT NULL, which PostgreSQL 18 stores as a constraint with a name and a state. Pure."""

from dataclasses import replace

from dbwarden.dialects.postgresql.ddl.context import Context, Statements
from dbwarden.dialects.postgresql.sql.quoting import quote
from dbwarden.diff.statements import Sql
from dbwarden.schema import Column, QualifiedName, object_name

VALIDATED_SEPARATELY = "Existing rows are checked without blocking writes; committed separately."
SPARES_A_SCAN = "The validated check makes a scan unnecessary."
_FAILS_ON_NULL = "Fails where a row has no value. Provide one with --fill."
_NOT_VALID, _NO_INHERIT = "NOT VALID", "NO INHERIT"


def is_not_valid(column: Column) -> bool:
    """Return whether rows without a value may exist although new rows require one."""
    return column.not_null and _NOT_VALID in column.not_null_state


def not_null_clause(column: Column) -> str:
    """Return ``NOT NULL`` with its name, as far as a column's clause can express it."""
    if not column.not_null or _NOT_VALID in column.not_null_state:
        return ""
    name = f" CONSTRAINT {quote(column.not_null_name)}" if column.not_null_name else ""
    return f"{name} NOT NULL" + (f" {_NO_INHERIT}" if column.not_null_state else "")


def _not_null_name(table: QualifiedName, column: Column) -> str:
    return quote(column.not_null_name or f"{table.name}_{column.name}_not_null")


def add_not_null(ctx: Context, table: QualifiedName, column: Column) -> str:
    """Add a NOT NULL in a separate statement, with its name and state."""
    name, own = _not_null_name(table, column), quote(column.name)
    text = f"ADD CONSTRAINT {name} NOT NULL {own} {column.not_null_state}"
    return f"ALTER TABLE {ctx.name(table)}\n    {text.rstrip()}"


def fill_rows(ctx: Context, table: QualifiedName, column: Column) -> Statements:
    """Put the user's expression, if there is one, into the rows that have no value."""
    name, fill = quote(column.name), ctx.fill(table, column)
    if fill is not None:
        yield Sql(
            f"UPDATE {ctx.name(table)} SET {name} = {fill} WHERE {name} IS NULL",
            why="Rows without a value get one before it is required.",
        )


def _unfilled(ctx: Context, table: QualifiedName, column: Column) -> tuple[str, ...]:
    """Return the label of *column* if its rows may have no value."""
    return () if ctx.fill(table, column) is not None else (ctx.label(table, column.name),)


def set_not_null(ctx: Context, table: QualifiedName, column: Column, alter: Sql) -> Statements:
    """Complete *alter* by SET NOT NULL; online, a check that is validated before spares a scan."""
    required = replace(alter, text=f"{alter.text} SET NOT NULL")
    if not (ctx.options.online and ctx.may_have_rows(table)):
        yield required
        return
    yield from check_filled(ctx, table, column.name, why=alter.why)
    yield replace(required, why=SPARES_A_SCAN)
    yield drop_check_filled(ctx, table, column.name)


def check_filled(
    ctx: Context, table: QualifiedName, column: str, *, why: str | None = None
) -> Statements:
    """Add a check that a column has values, and validate it without blocking writes."""
    own, check = ctx.name(table), _check_name(table, column)
    add = f"ADD CONSTRAINT {check} CHECK ({quote(column)} IS NOT NULL) NOT VALID"
    yield Sql(f"ALTER TABLE {own}\n    {add}", why=why)
    validate = f"ALTER TABLE {own} VALIDATE CONSTRAINT {check}"
    yield Sql(validate, why=VALIDATED_SEPARATELY, transactional=False)


def drop_check_filled(ctx: Context, table: QualifiedName, column: str) -> str:
    """Drop the check that a column has values."""
    return f"ALTER TABLE {ctx.name(table)} DROP CONSTRAINT {_check_name(table, column)}"


def _check_name(table: QualifiedName, column: str) -> str:
    return quote(object_name(table.name, column, "filled"))


def nullability(ctx: Context, table: QualifiedName, before: Column, after: Column) -> Statements:
    """Add, drop or change a NOT NULL."""
    if before.not_null == after.not_null:
        yield from _not_null_state(ctx, table, before, after)
        return
    alter = ctx.alter(table, after.name)
    if not after.not_null:
        yield f"{alter} DROP NOT NULL"
        return
    yield from fill_rows(ctx, table, after)
    unfilled = _unfilled(ctx, table, after)
    if after.not_null_state:
        added = add_not_null(ctx, table, after)
        yield added if is_not_valid(after) else Sql(added, unfilled=unfilled)
        return
    why = _FAILS_ON_NULL if unfilled else None
    yield from set_not_null(ctx, table, after, Sql(alter, why=why, unfilled=unfilled))


def _not_null_state(
    ctx: Context, table: QualifiedName, before: Column, after: Column
) -> Statements:
    """Change whether an existing NOT NULL is validated and inherited."""
    if before.not_null_state == after.not_null_state:
        return
    own, name = f"ALTER TABLE {ctx.name(table)}", _not_null_name(table, before)
    was_valid, now_valid = (_NOT_VALID not in item.not_null_state for item in (before, after))
    was_alone, now_alone = (_NO_INHERIT in item.not_null_state for item in (before, after))
    if (was_valid and not now_valid) or (now_alone and not was_alone):
        yield f"{own}\n    ALTER COLUMN {quote(after.name)} DROP NOT NULL"
        yield add_not_null(ctx, table, after)
        return
    if now_valid and not was_valid:
        yield from fill_rows(ctx, table, after)
        unfilled = _unfilled(ctx, table, after)
        why = _FAILS_ON_NULL if unfilled else None
        yield Sql(f"{own} VALIDATE CONSTRAINT {name}", why=why, unfilled=unfilled)
    if was_alone != now_alone:
        yield f"{own} ALTER CONSTRAINT {name} INHERIT"
