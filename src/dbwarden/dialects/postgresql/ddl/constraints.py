"""Render constraints and indexes. Pure."""

from collections.abc import Iterator
from dataclasses import replace

from dbwarden.dialects.clauses import clause, foreign_key_actions, set_changed
from dbwarden.dialects.postgresql.ddl.context import (
    Context,
    Statements,
    comment,
    part_comment,
)
from dbwarden.dialects.postgresql.ddl.names import columns
from dbwarden.dialects.postgresql.sql.lexer import tokens
from dbwarden.dialects.postgresql.sql.quoting import quote, text_literal
from dbwarden.diff.alterable import differing, index_keys
from dbwarden.diff.changes import Drop
from dbwarden.diff.partitioned_indexes import whole_of
from dbwarden.diff.statements import Sql
from dbwarden.schema import (
    Check,
    Constraint,
    Exclusion,
    ForeignKey,
    Index,
    IndexColumn,
    Key,
    Parameters,
    PrimaryKey,
    QualifiedName,
    Unique,
)

KEYS = (Key, Exclusion)
"""The constraints that have an index."""
IndexLike = PrimaryKey | Unique | Exclusion | Index
KEPT = "The partition keeps its own key, which is part of the index."


def parameters(items: Parameters) -> str:
    """Return ``(fillfactor = 70, ...)``; nothing if there are none."""
    return clause("({})", ", ".join(f"{name} = {_value(value)}" for name, value in items))


def _value(value: str) -> str:
    plain = value.replace(".", "").replace("_", "").replace("-", "").isalnum()
    return value if plain else text_literal(value)


def constraint_clause(ctx: Context, constraint: Constraint) -> str:
    """Return ``CONSTRAINT name ...``, as in CREATE TABLE and after ADD."""
    named = f"CONSTRAINT {quote(constraint.name)} " if constraint.name is not None else ""
    return named + _body(ctx, constraint)


def _body(ctx: Context, constraint: Constraint) -> str:
    match constraint:
        case PrimaryKey():
            return f"PRIMARY KEY {_key(constraint)}{deferral(constraint)}"
        case Unique():
            nulls = "NULLS NOT DISTINCT " * constraint.nulls_not_distinct
            return f"UNIQUE {nulls}{_key(constraint)}{deferral(constraint)}"
        case ForeignKey():
            return f"{_foreign_key(ctx, constraint)}{deferral(constraint)}{_state(constraint)}"
        case Check():
            text = constraint.expression
            text = text if _is_enclosed(text) else f"({text})"
            return f"CHECK {text}{' NO INHERIT' * constraint.no_inherit}{_state(constraint)}"
        case Exclusion():
            return constraint.definition + deferral(constraint)


def _state(constraint: Check | ForeignKey) -> str:
    valid = " NOT VALID" * (not constraint.validated)
    return " NOT ENFORCED" * (not constraint.enforced) + valid


def _is_enclosed(text: str) -> bool:
    """Return whether *text* has one pair of outer parentheses."""
    depth, found = 0, tokens(text)
    for place, token in enumerate(found, start=1):
        depth += {("sign", "("): 1, ("sign", ")"): -1}.get((token.kind, token.value), 0)
        if depth == 0:
            return place == len(found) > 1
    return False


def _key(key: Key) -> str:
    return (
        f"({columns(key.columns)}{' WITHOUT OVERLAPS' * key.without_overlaps})"
        + clause(" INCLUDE ({})", columns(key.include))
        + clause(" WITH {}", parameters(key.parameters))
    )


def _foreign_key(ctx: Context, key: ForeignKey) -> str:
    own = [quote(name) for name in key.columns]
    referred = [quote(name) for name in key.referred_columns]
    if key.period:
        own[-1], referred[-1] = f"PERIOD {own[-1]}", f"PERIOD {referred[-1]}"
    text = f"FOREIGN KEY ({', '.join(own)})"
    text += f" REFERENCES {ctx.name(key.references)} ({', '.join(referred)})"
    return text + foreign_key_actions(key, columns(key.on_delete_columns))


def statistics_target(target: int | None) -> str:
    """Return ``SET STATISTICS ...``."""
    return f"SET STATISTICS {-1 if target is None else target}"


def deferral(constraint: Key | ForeignKey | Exclusion) -> str:
    """Return `` DEFERRABLE INITIALLY DEFERRED`` or the like."""
    text = " DEFERRABLE" if constraint.deferrable is not None else ""
    return text + (" INITIALLY DEFERRED" if constraint.deferrable == "deferred" else "")


def after_constraint(ctx: Context, table: QualifiedName, constraint: Constraint) -> Statements:
    """Set the properties of a new constraint that its clause cannot express."""
    new = replace(constraint, comment=None)
    if isinstance(new, KEYS):
        new = replace(new, index_comment=None)
    if isinstance(new, Key):
        new = replace(new, clustered=False)
    return alter_constraint(ctx, table, new, constraint)


def add_constraint(ctx: Context, table: QualifiedName, constraint: Constraint) -> Statements:
    """Add a constraint to an existing table."""
    alone = isinstance(constraint, Key) and not constraint.valid
    own = f"{'ONLY ' * alone}{ctx.name(table)}"
    yield f"ALTER TABLE {own}\n    ADD {constraint_clause(ctx, constraint)}"
    yield from after_constraint(ctx, table, constraint)


def alter_constraint(
    ctx: Context, table: QualifiedName, before: Constraint, after: Constraint
) -> Statements:
    """Alter a constraint in place."""
    own, name = ctx.name(table), quote(after.key)
    changed = differing(before, after)
    if "deferrable" in changed and isinstance(after, ForeignKey):
        timing = deferral(after) or " NOT DEFERRABLE"
        if after.deferrable == "immediate":
            timing = " DEFERRABLE INITIALLY IMMEDIATE"
        yield f"ALTER TABLE {own}\n    ALTER CONSTRAINT {name}{timing}"
    if "validated" in changed:
        yield f"ALTER TABLE {own} VALIDATE CONSTRAINT {name}"
    if isinstance(before, KEYS) and isinstance(after, KEYS):
        yield from alter_index(ctx, table, before, after)
        if "index_comment" in changed:
            yield comment(f"INDEX {ctx.index(table, after.key)}", after.index_comment)
    else:
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


def set_parameters(alter: str, before: Parameters, after: Parameters) -> Iterator[str]:
    """Yield *alter* with ``SET (...)``, and with ``RESET (...)``."""
    new = tuple(item for item in after if item not in before)
    gone = [key for key, _ in before if key not in dict(after)]
    if new:
        yield f"{alter} SET {parameters(new)}"
    if gone:
        yield f"{alter} RESET ({', '.join(gone)})"


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


def add_index(ctx: Context, table: QualifiedName, index: Index) -> Statements:
    """Create an index."""
    yield index_text(ctx, table, index)
    yield from after_index(ctx, table, index)


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
