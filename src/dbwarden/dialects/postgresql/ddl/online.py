"""Render changes without blocking reads and writes. Pure.

Indexes are built CONCURRENTLY. Constraints are added NOT VALID and validated in a separate
transaction. NOT NULL uses a validated check, and a unique constraint takes over an index.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

from dbwarden.dialects.postgresql.ddl.constraints import (
    after_constraint,
    constraint_clause,
    deferral,
)
from dbwarden.dialects.postgresql.ddl.context import Context, Statements
from dbwarden.dialects.postgresql.ddl.indexes import after_index, index_text
from dbwarden.dialects.postgresql.ddl.not_null import VALIDATED_SEPARATELY
from dbwarden.dialects.postgresql.sql.quoting import quote
from dbwarden.diff.changes import Change, Create, Drop
from dbwarden.diff.statements import PlannedStatement, Sql, Stage, planned
from dbwarden.schema import (
    Check,
    ForeignKey,
    Index,
    IndexColumn,
    Key,
    PrimaryKey,
    QualifiedName,
    Unique,
)

S = TypeVar("S", bound=Sql)
Planned = Iterator[PlannedStatement]
Replaced = dict[Change, list[PlannedStatement]]
"""The statements of the changes that have others because their tables are in use."""


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
            return _add_constraint(ctx, table, constraint)
        case Create(obj=Key(without_overlaps=False) as key):
            return _add_key(ctx, table, key)
        case _:
            return None


def _add_index(ctx: Context, table: QualifiedName, index: Index) -> Statements:
    yield build_index(ctx, table, index)
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


def _add_constraint(
    ctx: Context, table: QualifiedName, constraint: ForeignKey | Check
) -> Statements:
    yield from add_not_valid(ctx, table, constraint)
    yield from after_constraint(ctx, table, constraint)


def _add_key(ctx: Context, table: QualifiedName, key: PrimaryKey | Unique) -> Statements:
    index = index_of(key, key.key)
    yield build_index(ctx, table, index)
    yield add_by_index(ctx, table, key, index.name)
    yield from after_constraint(ctx, table, key)


# -- building blocks -------------------------------------------------------------------------------


def build_index(ctx: Context, table: QualifiedName, index: Index) -> Sql:
    """Build an index while others write."""
    why = "Built without blocking writes; cannot run in a transaction."
    return Sql(index_text(ctx, table, index, online=True), why=why, transactional=False)


def index_of(key: PrimaryKey | Unique, name: str) -> Index:
    """Return the index called *name* that *key* can take over."""
    return Index(
        name=name,
        columns=tuple(IndexColumn(column=column) for column in key.columns),
        unique=True,
        include=key.include,
        nulls_not_distinct=isinstance(key, Unique) and key.nulls_not_distinct,
        parameters=key.parameters,
    )


def add_by_index(ctx: Context, table: QualifiedName, key: PrimaryKey | Unique, index: str) -> str:
    """Add a key that takes over the index called *index*."""
    word = "PRIMARY KEY" if isinstance(key, PrimaryKey) else "UNIQUE"
    text = f"ADD CONSTRAINT {quote(key.key)} {word} USING INDEX {quote(index)}{deferral(key)}"
    return f"ALTER TABLE {ctx.name(table)}\n    {text}"


def add_not_valid(ctx: Context, table: QualifiedName, constraint: ForeignKey | Check) -> Statements:
    """Add a constraint, and check existing rows while others write."""
    own, checked = ctx.name(table), constraint.validated and constraint.enforced
    later = replace(constraint, validated=False) if constraint.enforced else constraint
    yield f"ALTER TABLE {own}\n    ADD {constraint_clause(ctx, later)}"
    if checked:
        text = f"ALTER TABLE {own} VALIDATE CONSTRAINT {quote(constraint.key)}"
        yield Sql(text, why=VALIDATED_SEPARATELY, transactional=False)


def serving(change: Change, statements: Iterable[str | Sql]) -> Planned:
    """Yield *statements* for *change*."""
    return (planned(change, item) for item in statements)


def in_stage(stage: Stage, statements: Iterable[S]) -> Iterator[S]:
    """Yield *statements* in a stage of a set of files."""
    return (replace(item, stage=stage, joins=None) for item in statements)


def at(stage: Stage, statements: Iterable[str | Sql]) -> Iterator[Sql]:
    """Yield *statements*, some of which are mere texts, in a stage of a set of files."""
    return in_stage(stage, (Sql(item) if isinstance(item, str) else item for item in statements))
