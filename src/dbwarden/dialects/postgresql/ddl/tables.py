"""Render tables. Pure."""

from dbwarden.dialects.clauses import Settings, clause, set_changed
from dbwarden.dialects.postgresql.ddl.columns import after_column, alter_column, column_clause
from dbwarden.dialects.postgresql.ddl.constraints import (
    add_constraint,
    after_constraint,
    constraint_clause,
)
from dbwarden.dialects.postgresql.ddl.context import Context, Statements
from dbwarden.dialects.postgresql.ddl.parameters import parameters, set_parameters
from dbwarden.dialects.postgresql.sql.quoting import quote
from dbwarden.diff.inheritance import reaches_children
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import Column, PrimaryKey, Table, Unique


def _replica_identity(identity: str) -> str:
    _, using, index = identity.partition("USING INDEX ")
    return f"REPLICA IDENTITY {using}{quote(index)}" if index else f"REPLICA IDENTITY {identity}"


STORAGE: Settings = {
    "unlogged": lambda unlogged: f"SET {'UN' * unlogged}LOGGED",
    "access_method": lambda method: f"SET ACCESS METHOD {method or 'DEFAULT'}",
}
_SETTINGS: Settings = {
    "row_security": lambda on: f"{'ENABLE' if on else 'DISABLE'} ROW LEVEL SECURITY",
    "force_row_security": lambda on: f"{'NO ' * (not on)}FORCE ROW LEVEL SECURITY",
    "replica_identity": _replica_identity,
}
"""What CREATE TABLE cannot express."""


def create_table(ctx: Context, table: Table) -> Statements:
    """Create a table and set what CREATE TABLE cannot express."""
    yield _create_text(ctx, table)
    yield from _inherited_columns(ctx, table)
    for column in table.columns:
        if not column.inherited:
            yield from after_column(ctx, table.name, column)
    repeated = _repeated_keys(table)
    for constraint in table.constraints:
        if not constraint.inherited and constraint not in repeated:
            yield from after_constraint(ctx, table.name, constraint)
    for key in repeated:
        yield from add_constraint(ctx, table.name, key)
    alter = f"ALTER TABLE {ctx.name(table.name)}"
    yield from set_changed(alter, Table(name=table.name), table, _SETTINGS)


def _repeated_keys(table: Table) -> tuple[Unique, ...]:
    """Return the constraints that CREATE TABLE would leave out: a key has their columns already."""
    keys = {each.columns for each in table.constraints if isinstance(each, PrimaryKey)}
    repeated: list[Unique] = []
    for constraint in table.constraints:
        if isinstance(constraint, Unique) and not constraint.inherited:
            if constraint.columns in keys:
                repeated.append(constraint)
            keys.add(constraint.columns)
    return tuple(repeated)


def _create_text(ctx: Context, table: Table) -> str:
    repeated = _repeated_keys(table)
    own = [each for each in table.constraints if not each.inherited and each not in repeated]
    clauses = [column_clause(ctx, table.name, c) for c in table.columns if not c.inherited]
    clauses += [constraint_clause(ctx, each) for each in own]
    inside = clause(" (\n    {}\n)", ",\n    ".join(clauses))
    text = f"CREATE {'UNLOGGED ' * table.unlogged}TABLE {ctx.name(table.name)}"
    if table.partition_of is not None:
        of = table.partition_of
        text += f" PARTITION OF {ctx.name(of.parent)}{inside}\n    {of.bound}"
    else:
        text += inside or " ()"
    return (
        text
        + clause("\nINHERITS ({})", ", ".join(ctx.name(parent) for parent in table.inherits))
        + clause("\nPARTITION BY {}", table.partition_by)
        + clause("\nUSING {}", table.access_method)
        + clause("\nWITH {}", parameters(table.parameters))
    )


def _inherited_columns(ctx: Context, table: Table) -> Statements:
    """Alter a child's columns where they differ from the parent's."""
    for column in table.columns:
        if column.inherited:
            for parent in table.parents:
                given = _inherited_column(ctx.tables.get(parent), column)
                if given is not None and given != column:
                    yield from alter_column(ctx, table.name, given, column)


def _inherited_column(parent: Table | None, column: Column) -> Column | None:
    """Return a child's column as inherited from *parent*."""
    own = parent.column(column.name) if parent is not None else None
    if own is None:
        return None
    identity = column.identity  # a partition has its parent's, a child has none: it comes as it is
    return Column(
        name=own.name,
        type=own.type,
        collation=own.collation,
        not_null=reaches_children(own),
        default=own.default,
        identity=identity,
        generated=own.generated,
        storage=own.storage,
        compression=own.compression,
        inherited=True,
    )


def alter_table(ctx: Context, before: Table, after: Table) -> Statements:
    """Alter a table itself."""
    if before.partition_by != after.partition_by:
        label = ctx.label(after.name)
        raise UnsupportedChange(
            f"The partition key of table {label} changes from {before.partition_by or 'none'} to"
            f" {after.partition_by or 'none'}, which PostgreSQL cannot do in place.",
            next_step="Create a new table, copy the rows and drop the old one, in a migration by"
            f' hand: dbwarden make-migrations --empty -m "partition {label}".',
        )
    yield from _parents(ctx, before, after)
    alter = f"ALTER TABLE {ctx.name(after.name)}"
    yield from set_changed(alter, before, after, STORAGE)
    yield from set_parameters(alter, before.parameters, after.parameters)
    yield from set_changed(alter, before, after, _SETTINGS)


def _parents(ctx: Context, before: Table, after: Table) -> Statements:
    name = ctx.name(after.name)
    if before.partition_of != after.partition_of:
        if (of := before.partition_of) is not None:
            yield f"ALTER TABLE {ctx.name(of.parent)}\n    DETACH PARTITION {name}"
        if (of := after.partition_of) is not None:
            attach = f"ATTACH PARTITION {name}\n    {of.bound}"
            yield f"ALTER TABLE {ctx.name(of.parent)}\n    {attach}"
    for parent in before.inherits:
        if parent not in after.inherits:
            yield f"ALTER TABLE {name} NO INHERIT {ctx.name(parent)}"
    for parent in after.inherits:
        if parent not in before.inherits:
            yield f"ALTER TABLE {name} INHERIT {ctx.name(parent)}"
