"""Render indexes. Pure."""

from dataclasses import replace

from dbwarden.dialects.clauses import clause, set_changed
from dbwarden.dialects.postgresql.ddl.context import (
    Context,
    Statements,
    part_comment,
)
from dbwarden.dialects.postgresql.ddl.names import columns
from dbwarden.dialects.postgresql.ddl.parameters import (
    parameters,
    set_parameters,
    statistics_target,
)
from dbwarden.dialects.postgresql.sql.quoting import quote
from dbwarden.diff.alterable import index_keys
from dbwarden.diff.changes import Drop
from dbwarden.diff.partitioned_indexes import whole_of
from dbwarden.diff.statements import Sql
from dbwarden.schema import (
    Exclusion,
    Index,
    IndexColumn,
    PrimaryKey,
    QualifiedName,
    Unique,
)

IndexLike = PrimaryKey | Unique | Exclusion | Index
KEPT = "The partition keeps its own key, which is part of the index."


def add_index(ctx: Context, table: QualifiedName, index: Index) -> Statements:
    """Create an index."""
    yield index_text(ctx, table, index)
    yield from after_index(ctx, table, index)


def index_text(ctx: Context, table: QualifiedName, index: Index, *, online: bool = False) -> str:
    """Return ``CREATE INDEX ...``."""
    relation = ctx.tables.get(table)
    alone = relation is not None and relation.partition_by is not None and not index.valid
    head = f"CREATE {'UNIQUE ' * index.unique}INDEX {'CONCURRENTLY ' * online}{quote(index.name)}"
    method = f" USING {index.method}" if index.method != "btree" else ""
    keys = ", ".join(_index_key(column) for column in index.columns)
    return (
        f"{head} ON {'ONLY ' * alone}{ctx.name(table)}{method} ({keys})"
        + clause(" INCLUDE ({})", columns(index.include))
        + " NULLS NOT DISTINCT" * index.nulls_not_distinct
        + clause("\n    WITH {}", parameters(index.parameters))
        + clause("\n    WHERE {}", index.where)
    )


def _index_key(key: IndexColumn) -> str:
    text = quote(key.column) if key.column is not None else key.expression or ""
    text += clause(" COLLATE {}", key.collation) + clause(" {}", key.operator_class)
    if key.descending:
        return f"{text} DESC" if key.nulls_first else f"{text} DESC NULLS LAST"
    return text + " NULLS FIRST" * key.nulls_first


def after_index(ctx: Context, table: QualifiedName, index: Index) -> Statements:
    """Set the properties of a new index that CREATE INDEX cannot express."""
    new = replace(index, columns=index_keys(index), clustered=False, comment=None)
    return alter_index(ctx, table, new, index)


def drop_index(ctx: Context, change: Drop, index: Index) -> Statements:
    """Drop an index, while the partitions whose own key is part of it are detached."""
    for partition, of in change.detached:
        text = f"ALTER TABLE {ctx.name(of.parent)}\n    DETACH PARTITION {ctx.name(partition)}"
        yield Sql(text, why=KEPT)
    yield f"DROP INDEX {ctx.index(change.table, index.name)}"
    for partition, of in change.detached:
        text = f"ATTACH PARTITION {ctx.name(partition)}\n    {of.bound}"
        yield f"ALTER TABLE {ctx.name(of.parent)}\n    {text}"


def alter_index(
    ctx: Context, table: QualifiedName, before: IndexLike, after: IndexLike
) -> Statements:
    """Alter an index, or a constraint that has one, in place."""
    if not before.inherited:
        yield from _attach(ctx, table, after)
    if not isinstance(before, Exclusion) and not isinstance(after, Exclusion):
        name = ctx.index(table, after.key)
        yield from set_parameters(f"ALTER INDEX {name}", before.parameters, after.parameters)
        if isinstance(before, Index) and isinstance(after, Index):
            for place, (was, now) in enumerate(zip(before.columns, after.columns, strict=True), 1):
                alter = f"ALTER INDEX {name} ALTER COLUMN {place}"
                yield from set_changed(alter, was, now, {"statistics": statistics_target})
        if before.clustered != after.clustered:
            what = f"CLUSTER ON {quote(after.key)}" if after.clustered else "SET WITHOUT CLUSTER"
            yield f"ALTER TABLE {ctx.name(table)} {what}"
    yield from part_comment(ctx, table, after, before=before.comment)


def _attach(ctx: Context, name: QualifiedName, item: IndexLike) -> Statements:
    """Attach a partition's index to that of its table if it becomes a part of it."""
    table = ctx.tables.get(name)
    if not item.inherited or table is None:
        return
    parent = ctx.tables.get(table.partition_of.parent) if table.partition_of is not None else None
    whole = whole_of(parent, item)
    if parent is not None and whole is not None:
        above, part = ctx.index(parent.name, whole.key), ctx.index(table.name, item.key)
        yield f"ALTER INDEX {above} ATTACH PARTITION {part}"
