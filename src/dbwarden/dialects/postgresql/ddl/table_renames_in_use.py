"""Rename tables in use: a view keeps the old name until no application uses it. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from dbwarden.dialects.postgresql.ddl.column_renames_in_use import refusal
from dbwarden.dialects.postgresql.ddl.context import Context
from dbwarden.dialects.postgresql.ddl.moves import late_readers
from dbwarden.dialects.postgresql.ddl.names import columns
from dbwarden.dialects.postgresql.ddl.objects import rename
from dbwarden.dialects.postgresql.ddl.online import Planned, Replaced, in_stage, serving
from dbwarden.dialects.postgresql.sql.quoting import text_literal
from dbwarden.diff.changes import Change, Drop, Rename
from dbwarden.diff.statements import PlannedStatement, Sql, Stage
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import Column, ObjectKind, Ref, Table

SECURITY_INVOKER_VERSION = 150000
_PARTS = (ObjectKind.CONSTRAINT, ObjectKind.INDEX)


def old_names(ctx: Context, changes: Sequence[Change]) -> Replaced:
    """Return the statements of the changes that rename tables in use.

    Raises:
        UnsupportedChange: A table cannot keep its old name; names what prevents it.
    """
    for item in ctx.options.renames_in_use if not ctx.options.back else ():
        if item.before.kind is ObjectKind.TABLE:
            for reason in _obstacles(ctx, changes, item):
                raise refusal(ctx.label(item.before.table), reason)
    renames = {
        (item.after if ctx.options.back else item.before): item
        for item in ctx.options.renames_in_use
    }
    return {
        change: list(_keep_old_name(ctx, change, renames[change.before]))
        for change in changes
        if isinstance(change, Rename) and change.before in renames
    }


def _keep_old_name(ctx: Context, change: Rename, pair: Rename) -> Planned:
    table = (ctx.desired if ctx.options.back else ctx.current).table(pair.before.table)
    assert table is not None
    old, new = ctx.name(pair.before.table), ctx.name(pair.after.table)
    view = Sql(_view(ctx, table, old, new), why=f"For applications that use {old}.")
    added = serving(change, (view, _grants(old, new)))
    dropped = serving(change, [f"DROP VIEW {old}"])
    renamed = list(serving(change, rename(ctx, change)))
    if ctx.options.back:
        yield from in_stage(Stage.CONTRACT, added)
        yield from in_stage(Stage.EXPAND, [*dropped, *renamed])
    else:
        why = "In one short transaction with the view; reads no row."
        renamed[0] = replace(renamed[0], why=why)
        yield from in_stage(Stage.EXPAND, [*renamed, *added])
        yield from in_stage(Stage.CONTRACT, dropped)


def _view(ctx: Context, table: Table, old: str, new: str) -> str:
    """Return the view, which the server lets applications write through.

    Policies are for the role that uses the view. Without policies the view has the rights of its
    owner, because a role with privileges on some columns could not read a view of all otherwise.
    """
    options = " WITH (security_invoker)" if table.row_security else ""
    names = columns(tuple(column.name for column in table.columns))
    return f"CREATE VIEW {old}{options} AS\n    SELECT {names} FROM {new}"


def _grants(old: str, new: str) -> str:
    """Return the SQL that gives the view the owner and the privileges of the table."""
    table = f"{text_literal(new)}::regclass"
    return (
        "DO $grant$ DECLARE item record;\nBEGIN\n"
        f"    EXECUTE format({text_literal(f'ALTER VIEW {_escaped(old)} OWNER TO %I')},\n"
        f"        (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = {table}));\n"
        "    FOR item IN\n"
        "        SELECT '' AS part, acl.* FROM pg_class, aclexplode(relacl) AS acl\n"
        f"        WHERE oid = {table}\n"
        "        UNION ALL\n"
        "        SELECT format(' (%I)', attname), acl.*\n"
        "        FROM pg_attribute, aclexplode(attacl) AS acl\n"
        f"        WHERE attrelid = {table} AND NOT attisdropped\n"
        "    LOOP\n"
        "        EXECUTE format(\n"
        f"            {text_literal(f'GRANT %s%s ON {_escaped(old)} TO %s%s')},\n"
        "            item.privilege_type, item.part,\n"
        "            CASE item.grantee WHEN 0 THEN 'PUBLIC'\n"
        "                ELSE quote_ident(pg_get_userbyid(item.grantee)) END,\n"
        "            CASE WHEN item.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END\n"
        "        );\n"
        "    END LOOP;\nEND $grant$"
    )


def _escaped(name: str) -> str:
    return name.replace("%", "%%")


def _obstacles(ctx: Context, changes: Sequence[Change], pair: Rename) -> Iterator[str]:
    old, new = pair.before.table, pair.after.table
    table = ctx.current.table(old)
    assert table is not None
    version = ctx.desired.server_version
    if table.row_security and version < SECURITY_INVOKER_VERSION:
        yield "its row-level security would not apply to a view before PostgreSQL 15"
    if ctx.will_have(old):
        yield "its old name becomes that of another object"
    if ctx.has(new):
        yield f"{ctx.label(new)} exists already"
    yield from late_readers(ctx, changes, {table.ref, *_columns(ctx, table.ref)})
    for change in changes:
        match change:
            case Rename(before=before, after=after) if before.part is not None:
                if before.table in (old, new) and before.kind is ObjectKind.COLUMN:
                    yield f"{before.part} becomes {after.part} as well"
            case Drop(obj=Column(name=name)) if change.table == new:
                yield f"{name} is dropped as well, and the view would need it until then"


def refuse_with_backfills(ctx: Context, statements: Sequence[PlannedStatement]) -> None:
    """Raise if *statements* rename a table in use, and fill rows in batches.

    Rollbacks run the files of such a set in another order, in which the table has its new name.

    Raises:
        UnsupportedChange: Names the table.
    """
    filled = next((item.batched for item in statements if item.batched is not None), None)
    for item in ctx.options.renames_in_use if filled is not None else ():
        if item.before.kind is ObjectKind.TABLE:
            reason = f"rows of {filled} are filled in the same set of files"
            raise refusal(ctx.label(item.before.table), reason)


def refuse_in_place(ctx: Context, statements: Sequence[PlannedStatement]) -> None:
    """Raise if a later file of the set changes what *statements* rename in place.

    Rollbacks run that file first, when the object still has its new name.

    Raises:
        UnsupportedChange: Names the object.
    """
    changes = [item.change for item in statements]
    later = {item.change.table for item in statements if (item.stage or 0) > Stage.EXPAND}
    for change in changes if later else ():
        if not isinstance(change, Rename) or change in ctx.options.renames_in_use:
            continue
        if change.before.kind in _PARTS:
            continue
        reasons = late_readers(ctx, changes, {change.before, *_columns(ctx, change.before)})
        if change.after.table in later or any(reasons):
            old = ctx.label(change.before.table, change.before.part)
            new = change.after.part or ctx.label(change.after.table)
            raise UnsupportedChange(
                f"{old} cannot become {new} in place, because a later file of the set changes it, "
                "or drops a view or function that uses it.",
                next_step="Leave the new name, or the other changes, to a migration of its own.",
            )


def _columns(ctx: Context, ref: Ref) -> Iterator[Ref]:
    """Yield the columns of the table *ref*."""
    table = ctx.current.table(ref.table) if ref.kind is ObjectKind.TABLE else None
    if table is not None:
        yield from (table.column_ref(column.name) for column in table.columns)
