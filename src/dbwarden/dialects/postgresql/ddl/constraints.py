"""Render constraints and indexes. Pure."""

from collections.abc import Iterator

from dbwarden.dialects.postgresql.ddl.context import (
    Context,
    Statements,
    comment,
    part_comment,
)
from dbwarden.dialects.postgresql.ddl.names import columns
from dbwarden.dialects.postgresql.sql.quoting import quote, text_literal
from dbwarden.diff.alterable import differing
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
    """Return ``(fillfactor = 70, ...)``."""
    return "(" + ", ".join(f"{name} = {_value(value)}" for name, value in items) + ")"


def _value(value: str) -> str:
    plain = value.replace(".", "").replace("_", "").replace("-", "").isalnum()
    return value if plain else text_literal(value)


def constraint_clause(ctx: Context, constraint: Constraint) -> str:
    """Return ``CONSTRAINT name ...``, as in CREATE TABLE and after ADD."""
    named = f"CONSTRAINT {quote(constraint.name)} " if constraint.name is not None else ""
    return named + _body(ctx, constraint) + _suffix(constraint)


def _body(ctx: Context, constraint: Constraint) -> str:
    match constraint:
        case PrimaryKey():
            return f"PRIMARY KEY {_key(constraint)}"
        case Unique():
            nulls = "NULLS NOT DISTINCT " if constraint.nulls_not_distinct else ""
            return f"UNIQUE {nulls}{_key(constraint)}"
        case ForeignKey():
            return _foreign_key(ctx, constraint)
        case Check():
            inherit = " NO INHERIT" if constraint.no_inherit else ""
            return f"CHECK {_parenthesized(constraint.expression)}{inherit}"
        case Exclusion():
            return constraint.definition


def _parenthesized(expression: str) -> str:
    """Return *expression* in exactly one pair of outer parentheses."""
    return expression if _enclosed(expression) else f"({expression})"


def _enclosed(text: str) -> bool:
    if not (text.startswith("(") and text.endswith(")")):
        return False
    depth, quoted = 0, ""
    for place, character in enumerate(text):
        if quoted:
            quoted = "" if character == quoted else quoted
        elif character in "'\"":
            quoted = character
        elif character in "()":
            depth += 1 if character == "(" else -1
            if depth == 0 and place < len(text) - 1:
                return False
    return True


def _key(key: Key) -> str:
    names = columns(key.columns)
    text = f"({names} WITHOUT OVERLAPS)" if key.without_overlaps else f"({names})"
    if key.include:
        text += f" INCLUDE ({columns(key.include)})"
    if key.parameters:
        text += f" WITH {parameters(key.parameters)}"
    return text


def _foreign_key(ctx: Context, key: ForeignKey) -> str:
    own = [quote(name) for name in key.columns]
    referred = [quote(name) for name in key.referred_columns]
    if key.period:
        own[-1], referred[-1] = f"PERIOD {own[-1]}", f"PERIOD {referred[-1]}"
    text = f"FOREIGN KEY ({', '.join(own)})"
    text += f" REFERENCES {ctx.name(key.references)} ({', '.join(referred)})"
    if key.match != "SIMPLE":
        text += f" MATCH {key.match}"
    if key.on_update != "NO ACTION":
        text += f" ON UPDATE {key.on_update}"
    if key.on_delete != "NO ACTION":
        text += f" ON DELETE {key.on_delete}"
        text += f" ({columns(key.on_delete_columns)})" if key.on_delete_columns else ""
    return text


def _suffix(constraint: Constraint) -> str:
    text = deferral(constraint) if not isinstance(constraint, Check) else ""
    if isinstance(constraint, Check | ForeignKey):
        text += "" if constraint.enforced else " NOT ENFORCED"
        text += "" if constraint.validated else " NOT VALID"
    return text


def deferral(constraint: Key | ForeignKey | Exclusion) -> str:
    """Return `` DEFERRABLE INITIALLY DEFERRED`` or the like."""
    text = " DEFERRABLE" if constraint.deferrable is not None else ""
    return text + (" INITIALLY DEFERRED" if constraint.deferrable == "deferred" else "")


def after_constraint(ctx: Context, table: QualifiedName, constraint: Constraint) -> Statements:
    """Set the properties of a new constraint that its clause cannot express."""
    own = ctx.name(table)
    if isinstance(constraint, Key) and constraint.clustered:
        yield f"ALTER TABLE {own} CLUSTER ON {quote(constraint.name or '')}"
    yield from part_comment(ctx, table, constraint)
    if isinstance(constraint, KEYS) and constraint.index_comment is not None:
        yield _index_comment(ctx, table, constraint)


def _index_comment(ctx: Context, table: QualifiedName, key: Key | Exclusion) -> str:
    return comment(f"INDEX {ctx.index(table, key.name or '')}", key.index_comment)


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
            yield _index_comment(ctx, table, after)
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


def _cluster(table: str, index: str, clustered: bool) -> str:
    text = f"CLUSTER ON {quote(index)}" if clustered else "SET WITHOUT CLUSTER"
    return f"ALTER TABLE {table} {text}"


def index_text(ctx: Context, table: QualifiedName, index: Index, *, online: bool = False) -> str:
    """Return ``CREATE INDEX ...``."""
    unique = "UNIQUE " if index.unique else ""
    concurrently = "CONCURRENTLY " if online else ""
    method = f" USING {index.method}" if index.method != "btree" else ""
    keys = ", ".join(_index_key(column) for column in index.columns)
    relation = ctx.tables.get(table)
    alone = relation is not None and relation.partition_by is not None and not index.valid
    on = f"{'ONLY ' * alone}{ctx.name(table)}"
    head = f"CREATE {unique}INDEX {concurrently}{quote(index.name)} ON {on}"
    text = f"{head}{method} ({keys})"
    if index.include:
        text += f" INCLUDE ({columns(index.include)})"
    if index.nulls_not_distinct:
        text += " NULLS NOT DISTINCT"
    if index.parameters:
        text += f"\n    WITH {parameters(index.parameters)}"
    if index.where is not None:
        text += f"\n    WHERE {index.where}"
    return text


def _index_key(key: IndexColumn) -> str:
    text = quote(key.column) if key.column is not None else key.expression or ""
    if key.collation is not None:
        text += f" COLLATE {key.collation}"
    if key.operator_class is not None:
        text += f" {key.operator_class}"
    if key.descending:
        text += " DESC" if key.nulls_first else " DESC NULLS LAST"
    elif key.nulls_first:
        text += " NULLS FIRST"
    return text


def add_index(ctx: Context, table: QualifiedName, index: Index) -> Statements:
    """Create an index."""
    yield index_text(ctx, table, index)
    yield from after_index(ctx, table, index)


def after_index(ctx: Context, table: QualifiedName, index: Index) -> Statements:
    """Set the properties of a new index that CREATE INDEX cannot express."""
    name = ctx.index(table, index.name)
    yield from _statistics_targets(name, index.columns)
    if index.clustered:
        yield _cluster(ctx.name(table), index.name, True)
    yield from part_comment(ctx, table, index)


def _statistics_targets(
    name: str,
    after: tuple[IndexColumn, ...],
    before: tuple[IndexColumn, ...] = (),
) -> Statements:
    for place, key in enumerate(after):
        old = before[place].statistics if before else None
        if key.statistics != old:
            target = -1 if key.statistics is None else key.statistics
            yield f"ALTER INDEX {name} ALTER COLUMN {place + 1} SET STATISTICS {target}"


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
            yield from _statistics_targets(name, after.columns, before.columns)
        if before.clustered != after.clustered:
            yield _cluster(ctx.name(table), after.key, after.clustered)
    yield from part_comment(ctx, table, after, before=before.comment)
