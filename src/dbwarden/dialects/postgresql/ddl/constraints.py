"""Render constraints. Pure."""

from dataclasses import replace

from dbwarden.dialects.clauses import clause, foreign_key_actions
from dbwarden.dialects.postgresql.ddl.context import (
    Context,
    Statements,
    comment,
    part_comment,
)
from dbwarden.dialects.postgresql.ddl.indexes import alter_index
from dbwarden.dialects.postgresql.ddl.names import columns
from dbwarden.dialects.postgresql.ddl.parameters import parameters
from dbwarden.dialects.postgresql.sql.lexer import tokens
from dbwarden.dialects.postgresql.sql.quoting import quote
from dbwarden.diff.alterable import differing
from dbwarden.schema import (
    Check,
    Constraint,
    Exclusion,
    ForeignKey,
    Key,
    PrimaryKey,
    QualifiedName,
    Unique,
)

KEYS = (Key, Exclusion)
"""The constraints that have an index."""


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
