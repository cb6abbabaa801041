"""What SQLite says in models in its own way: types, defaults, options of tables and keys. Pure."""

import re
from collections.abc import Iterator

from dbwarden.authoring.write.models_types import COLLATED, CodeType, raw
from dbwarden.dialects.sqlite.sql.quoting import identifier
from dbwarden.schema import Column, ForeignKey, PrimaryKey, Schema, Table, Unique

_SQL = "sqlalchemy"
_DATETIME, _DECIMAL, _ANY = ("datetime", ""), ("decimal", "Decimal"), ("typing", "Any")

# declared type: (expression, annotation, import of the annotation)
_PLAIN: dict[str, tuple[str, str, tuple[str, str] | None]] = {
    "INTEGER": ("Integer", "int", None),
    "BIGINT": ("BigInteger", "int", None),
    "SMALLINT": ("SmallInteger", "int", None),
    "TEXT": ("Text", "str", None),
    "VARCHAR": ("String", "str", None),
    "BOOLEAN": ("Boolean", "bool", None),
    "DATE": ("Date", "datetime.date", _DATETIME),
    "DATETIME": ("DateTime", "datetime.datetime", _DATETIME),
    "TIMESTAMP": ("TIMESTAMP", "datetime.datetime", _DATETIME),
    "TIME": ("Time", "datetime.time", _DATETIME),
    "FLOAT": ("Float", "float", None),
    "REAL": ("REAL", "float", None),
    "DOUBLE": ("Double", "float", None),
    "DOUBLE PRECISION": ("DOUBLE_PRECISION", "float", None),
    "NUMERIC": ("Numeric", "Decimal", _DECIMAL),
    "DECIMAL": ("DECIMAL", "Decimal", _DECIMAL),
    "BLOB": ("LargeBinary", "bytes", None),
    "JSON": ("JSON", "Any", _ANY),
}
NAMES = frozenset(name for name, *_ in _PLAIN.values()) | {"CHAR", "NVARCHAR"}
"""What columns may be written with."""

_SIZED = re.compile(r"(VARCHAR|CHAR|NVARCHAR|NUMERIC|DECIMAL)\((\d+(?:, \d+)?)\)")
_LITERAL = re.compile(r"[+-]?[\w.]+|x?'(?:[^']|'')*'", re.IGNORECASE)


def code_type(type_: str) -> CodeType:
    """What the declared type *type_* is in code; what SQLAlchemy does not write so is ``Raw``."""
    if type_ in _PLAIN:
        expression, annotation, needed = _PLAIN[type_]
        imports = ((_SQL, expression), *((needed,) if needed else ()))
        return CodeType(expression=expression, annotation=annotation, imports=imports)
    found = _SIZED.fullmatch(type_)
    if found is None or ("," in found[2] and found[1] not in ("NUMERIC", "DECIMAL")):
        return raw(type_)
    name = {"VARCHAR": "String", "NUMERIC": "Numeric"}.get(found[1], found[1])
    number = found[1] in ("NUMERIC", "DECIMAL")
    imports = ((_SQL, name), *((_DECIMAL,) if number else ()))
    annotation = "Decimal" if number else "str"
    return CodeType(expression=f"{name}({found[2]})", annotation=annotation, imports=imports)


def type_of(column: Column) -> CodeType:
    """The type of *column*, with its collation where SQLAlchemy's type takes none."""
    found = code_type(column.type)
    if column.collation is None or found.expression.startswith(COLLATED):
        return found
    return raw(f"{column.type} COLLATE {identifier(column.collation)}".strip())


def default_text(default: str) -> str:
    """A default as SQLAlchemy passes it on: anything but a plain value in parentheses."""
    return default if _LITERAL.fullmatch(default) else f"({default})"


def column_options(column: Column) -> Iterator[str]:
    """What is written behind all else of a column."""
    for name, value in column.parameters:
        if name == "not null on conflict":
            yield f"sqlite_on_conflict_not_null={value!r}"


def key_options(key: PrimaryKey | Unique) -> str:
    """What is written behind all else of a primary key or unique constraint."""
    return "".join(
        f", sqlite_on_conflict={value!r}" for name, value in key.parameters if name == "on conflict"
    )


def table_options(table: Table) -> Iterator[str]:
    """The options of a table, ``name=value`` each."""
    if table.autoincrement:
        yield "sqlite_autoincrement=True"
    if table.strict:
        yield "sqlite_strict=True"
    if table.without_rowid:
        yield "sqlite_with_rowid=False"


def resolves(schema: Schema, key: ForeignKey) -> bool:
    """Whether SQLAlchemy finds what *key* refers to: SQLite does not mind if it is not there."""
    parent = schema.table(key.references)
    return bool(key.referred_columns) and parent is not None and parent.virtual is None
