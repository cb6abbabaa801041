"""Render the clauses of CREATE TABLE and CREATE INDEX, one per line. Pure."""

import re

from dbwarden.dialects.clauses import clause, foreign_key_actions, generated_clause
from dbwarden.dialects.sqlite.catalog.expressions import strip_parentheses
from dbwarden.dialects.sqlite.catalog.tables import KEYS, NOT_NULL_ON_CONFLICT, ON_CONFLICT
from dbwarden.dialects.sqlite.catalog.tokens import Unreadable, tokens
from dbwarden.dialects.sqlite.sql.quoting import identifier
from dbwarden.schema import (
    Check,
    Column,
    Constraint,
    Exclusion,
    ForeignKey,
    Index,
    IndexColumn,
    PrimaryKey,
    QualifiedName,
    Table,
    Unique,
)
from dbwarden.schema.tables import Parameters

_CONSTANT = re.compile(
    r"[+-]?\s*(?:\d[\d_]*\.?\d*|\.\d+)(?:e[+-]?\d+)?|0x[0-9a-f]+|x?'(?:[^']|'')*'|null|true|false",
    re.IGNORECASE,
)
_NOW = re.compile(r"current_(?:date|time|timestamp)", re.IGNORECASE)


def names(columns: tuple[str, ...]) -> str:
    """Return several column names, separated by commas."""
    return ", ".join(map(identifier, columns))


def table_text(table: Table, name: str | None = None) -> str:
    """Return the CREATE TABLE statement of *table*, optionally under another *name*."""
    clauses = [column_clause(table, column) for column in table.columns]
    clauses += [
        constraint_clause(item)
        for item in table.constraints
        if not (item is table.primary_key and _at_column(table))
    ]
    inside = ",\n    ".join(clauses)
    text = f"CREATE TABLE {identifier(name or table.name.name)} (\n    {inside}\n)"
    options = ("STRICT",) * table.strict + ("WITHOUT ROWID",) * table.without_rowid
    return text + clause(" {}", ", ".join(options))


def column_clause(table: Table, column: Column) -> str:
    """Return ``name type ...``, as in CREATE TABLE and after ADD COLUMN."""
    text = f"{identifier(column.name)} {column.type}".rstrip()
    text += clause(" COLLATE {}", column.collation and identifier(column.collation))
    if column.generated is not None:
        expression = parenthesized(column.generated.expression)
        text += f" {generated_clause(column.generated, expression)}"
    elif column.default is not None:
        text += f" DEFAULT {default_text(column.default)}"
    if column.not_null:
        text += " NOT NULL" + _on_conflict(column.parameters, NOT_NULL_ON_CONFLICT)
    key = table.primary_key
    if key is not None and column.name in key.columns and _at_column(table):
        order = "" if table.autoincrement else " DESC"
        conflict = _on_conflict(key.parameters, ON_CONFLICT)
        count = " AUTOINCREMENT" if table.autoincrement else ""
        text += f" {_named(key)}PRIMARY KEY{order}{conflict}{count}"
    return text


def _at_column(table: Table) -> bool:
    """Return whether the primary key must be declared at its column.

    AUTOINCREMENT is valid only there, and only there does DESC prevent a key on an INTEGER column
    from being an alias of the rowid.
    """
    key = table.primary_key
    if key is None or len(key.columns) != 1 or table.without_rowid:
        return False
    column = table.column(key.columns[0])
    is_integer = column is not None and column.type == "INTEGER"
    return is_integer and (table.autoincrement or KEYS in dict(key.parameters))


def has_conflict_clause(table: Table) -> bool:
    """Return whether any part of *table* has ON CONFLICT."""
    keys = (*table.uniques, *((table.primary_key,) if table.primary_key is not None else ()))
    said = {name for obj in (*table.columns, *keys) for name, _ in obj.parameters}
    return not said.isdisjoint({ON_CONFLICT, NOT_NULL_ON_CONFLICT})


def _on_conflict(parameters: Parameters, name: str) -> str:
    return clause(" ON CONFLICT {}", dict(parameters).get(name))


def default_text(text: str) -> str:
    """Return a default for DEFAULT, in parentheses unless it is a plain value."""
    plain = _CONSTANT.fullmatch(text) or _NOW.fullmatch(text)
    return text if plain else parenthesized(text)


def is_constant(default: str) -> bool:
    """Return whether existing rows can get *default* without being rewritten."""
    while _enclosed(default):
        default = default[1:-1].strip()
    return _CONSTANT.fullmatch(default) is not None


def parenthesized(text: str) -> str:
    """Return *text* in one pair of outer parentheses."""
    return text if _enclosed(text) else f"({text})"


def _enclosed(text: str) -> bool:
    try:
        found = tokens(text)
    except Unreadable:
        return False
    return len(found) > 1 and len(strip_parentheses(found)) < len(found)


def constraint_clause(constraint: Constraint) -> str:
    """Return ``CONSTRAINT name ...``, as in CREATE TABLE."""
    assert not isinstance(constraint, Exclusion), "require_table refuses these"
    match constraint:
        case PrimaryKey():
            body = f"PRIMARY KEY {_keys(constraint)}"
        case Unique():
            body = f"UNIQUE {_keys(constraint)}"
        case ForeignKey():
            body = f"FOREIGN KEY ({names(constraint.columns)}) {references(constraint)}"
        case _:
            body = f"CHECK {parenthesized(constraint.expression)}"
    return _named(constraint) + body


def _keys(key: PrimaryKey | Unique) -> str:
    inside = dict(key.parameters).get(KEYS) or names(key.columns)
    return f"({inside})" + _on_conflict(key.parameters, ON_CONFLICT)


def _named(constraint: Constraint) -> str:
    return f"CONSTRAINT {identifier(constraint.name)} " if constraint.name is not None else ""


def references(key: ForeignKey) -> str:
    """Return ``REFERENCES ...`` and the rest of a foreign key."""
    text = f"REFERENCES {identifier(key.references.name)}"
    text += clause(" ({})", names(key.referred_columns)) + foreign_key_actions(key)
    return text + clause(" DEFERRABLE INITIALLY {}", key.deferrable and key.deferrable.upper())


def added_constraint(constraint: Check | ForeignKey) -> str:
    """Return the constraint of one column, as in ADD COLUMN."""
    if isinstance(constraint, Check):
        return constraint_clause(constraint)
    return _named(constraint) + references(constraint)


def index_text(table: QualifiedName, index: Index) -> str:
    """Return the CREATE INDEX statement."""
    keys = ", ".join(map(_key, index.columns))
    head = f"CREATE {'UNIQUE ' * index.unique}INDEX {identifier(index.name)}"
    text = f"{head} ON {identifier(table.name)} ({keys})"
    return text + clause("\nWHERE {}", index.where)


def _key(key: IndexColumn) -> str:
    text = identifier(key.column) if key.column is not None else key.expression or ""
    text += clause(" COLLATE {}", key.collation and identifier(key.collation))
    return text + " DESC" * key.descending
