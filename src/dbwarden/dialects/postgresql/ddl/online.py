"""Render changes without blocking reads and writes. Pure.

Indexes are built CONCURRENTLY. Constraints are added NOT VALID and validated in a separate
transaction. NOT NULL uses a validated check, and a unique constraint takes over an index.
"""

from dataclasses import replace

from dbwarden.dialects.postgresql.ddl.constraints import (
    after_constraint,
    after_index,
    constraint_clause,
    index_text,
)
from dbwarden.dialects.postgresql.ddl.context import Context, Statements
from dbwarden.dialects.postgresql.ddl.not_null import VALIDATED_SEPARATELY
from dbwarden.dialects.postgresql.sql.quoting import quote
from dbwarden.diff.changes import Change, Create, Drop
from dbwarden.diff.statements import Sql
from dbwarden.schema import (
    Check,
    ForeignKey,
    Index,
    IndexColumn,
    PrimaryKey,
    QualifiedName,
    Unique,
)

BUILT_CONCURRENTLY = "Built without blocking writes; cannot run in a transaction."


def online(ctx: Context, change: Change) -> Statements | None:
    """Return the statements that make *change* without blocking; ``None`` if the plain ones do."""
    table = change.table
    if not ctx.may_have_rows(table):
        return None
    match change:
        case Create(obj=Index() as index):
            return _add_index(ctx, table, index)
        case Drop(obj=Index() as index):
            return _drop_index(ctx, table, index.name)
        case Create(obj=ForeignKey() | Check() as constraint):
            return _add_not_valid(ctx, table, constraint)
        case Create(obj=PrimaryKey(without_overlaps=False) | Unique(without_overlaps=False) as key):
            return _add_by_index(ctx, table, key)
        case _:
            return None


def _add_index(ctx: Context, table: QualifiedName, index: Index) -> Statements:
    text = index_text(ctx, table, index, online=True)
    yield Sql(text, why=BUILT_CONCURRENTLY, transactional=False)
    yield from after_index(ctx, table, index)
    if (table, index.name) in ctx.old_index_names:
        old = ctx.index(table, ctx.old_index_names[table, index.name])
        yield Sql(f"DROP INDEX CONCURRENTLY {old}", transactional=False)


def _drop_index(ctx: Context, table: QualifiedName, name: str) -> Statements:
    own = ctx.index(table, name)
    if (table, name) in ctx.old_index_names:
        new = quote(ctx.old_index_names[table, name])
        why = "The old index stays in use until the new one is built."
        yield Sql(f"ALTER INDEX {own} RENAME TO {new}", why=why)
    else:
        yield Sql(f"DROP INDEX CONCURRENTLY {own}", transactional=False)


def _add_not_valid(
    ctx: Context, table: QualifiedName, constraint: ForeignKey | Check
) -> Statements:
    own = ctx.name(table)
    later = replace(constraint, validated=False) if constraint.enforced else constraint
    clause = constraint_clause(ctx, later)
    yield f"ALTER TABLE {own}\n    ADD {clause}"
    if constraint.validated and constraint.enforced:
        text = f"ALTER TABLE {own} VALIDATE CONSTRAINT {quote(constraint.name or '')}"
        yield Sql(text, why=VALIDATED_SEPARATELY, transactional=False)
    yield from after_constraint(ctx, table, constraint)


def _add_by_index(ctx: Context, table: QualifiedName, key: PrimaryKey | Unique) -> Statements:
    index = Index(
        name=key.name or "",
        columns=tuple(IndexColumn(column=name) for name in key.columns),
        unique=True,
        include=key.include,
        nulls_not_distinct=isinstance(key, Unique) and key.nulls_not_distinct,
        parameters=key.parameters,
    )
    built = index_text(ctx, table, index, online=True)
    yield Sql(built, why=BUILT_CONCURRENTLY, transactional=False)
    word = "PRIMARY KEY" if isinstance(key, PrimaryKey) else "UNIQUE"
    ending = "" if key.deferrable is None else " DEFERRABLE"
    ending += " INITIALLY DEFERRED" if key.deferrable == "deferred" else ""
    name = quote(index.name)
    text = f"ADD CONSTRAINT {name} {word} USING INDEX {name}{ending}"
    yield f"ALTER TABLE {ctx.name(table)}\n    {text}"
    yield from after_constraint(ctx, table, key)
