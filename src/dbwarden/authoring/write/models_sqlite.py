"""Write the SQLite-specific parts of models: types, defaults, options. Pure."""

import re
from collections.abc import Iterator

from dbwarden.authoring.write.models_types import COLLATED, CodeType, class_type, raw
from dbwarden.dialects.sqlite.sql.quoting import identifier
from dbwarden.schema import Column, ForeignKey, PrimaryKey, Schema, Table, Unique

# declared type: (class, annotation)
_PLAIN = {
    "INTEGER": ("Integer", "int"),
    "BIGINT": ("BigInteger", "int"),
    "SMALLINT": ("SmallInteger", "int"),
    "TEXT": ("Text", "str"),
    "VARCHAR": ("String", "str"),
    "BOOLEAN": ("Boolean", "bool"),
    "DATE": ("Date", "datetime.date"),
    "DATETIME": ("DateTime", "datetime.datetime"),
    "TIMESTAMP": ("TIMESTAMP", "datetime.datetime"),
    "TIME": ("Time", "datetime.time"),
    "FLOAT": ("Float", "float"),
    "REAL": ("REAL", "float"),
    "DOUBLE": ("Double", "float"),
    "DOUBLE PRECISION": ("DOUBLE_PRECISION", "float"),
    "NUMERIC": ("Numeric", "Decimal"),
    "DECIMAL": ("DECIMAL", "Decimal"),
    "BLOB": ("LargeBinary", "bytes"),
    "JSON": ("JSON", "Any"),
}
NAMES = frozenset(name for name, *_ in _PLAIN.values()) | {"CHAR", "NVARCHAR"}
"""Names that columns may use."""

_SIZED = re.compile(r"(VARCHAR|CHAR|NVARCHAR|NUMERIC|DECIMAL)\((\d+(?:, \d+)?)\)")
_LITERAL = re.compile(r"[+-]?[\w.]+|x?'(?:[^']|'')*'", re.IGNORECASE)


def code_type(type_: str) -> CodeType:
    """Return the code for the declared type *type_*; ``Raw`` if SQLAlchemy cannot write it."""
    if type_ in _PLAIN:
        return class_type(*_PLAIN[type_])
    match = _SIZED.fullmatch(type_)
    if match is None or ("," in match[2] and match[1] not in ("NUMERIC", "DECIMAL")):
        return raw(type_)
    name = {"VARCHAR": "String", "NUMERIC": "Numeric"}.get(match[1], match[1])
    number = match[1] in ("NUMERIC", "DECIMAL")
    return class_type(name, "Decimal" if number else "str", arguments=f"({match[2]})")


def type_of(column: Column) -> CodeType:
    """Return the type of *column*, with its collation where SQLAlchemy's type takes none."""
    code = code_type(column.type)
    if column.collation is None or code.expression.startswith(COLLATED):
        return code
    return raw(f"{column.type} COLLATE {identifier(column.collation)}".strip())


def default_text(default: str) -> str:
    """Return a default for SQLAlchemy, in parentheses unless it is a plain value."""
    return default if _LITERAL.fullmatch(default) else f"({default})"


def column_options(column: Column) -> Iterator[str]:
    """Yield the trailing options of a column."""
    for name, value in column.parameters:
        if name == "not null on conflict":
            yield f"sqlite_on_conflict_not_null={value!r}"


def key_options(key: PrimaryKey | Unique) -> str:
    """Return the trailing options of a primary key or unique constraint."""
    return "".join(
        f", sqlite_on_conflict={value!r}" for name, value in key.parameters if name == "on conflict"
    )


def table_options(table: Table) -> Iterator[str]:
    """Yield the options of a table as ``name=value``."""
    if table.autoincrement:
        yield "sqlite_autoincrement=True"
    if table.strict:
        yield "sqlite_strict=True"
    if table.without_rowid:
        yield "sqlite_with_rowid=False"


def resolves(schema: Schema, key: ForeignKey) -> bool:
    """Return whether SQLAlchemy finds the target of *key*; SQLite allows a missing one."""
    parent = schema.table(key.references)
    return bool(key.referred_columns) and parent is not None and parent.virtual is None
