"""Write the SQLite-specific parts of models: types, defaults, options. Pure."""

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
"""Names that columns may use."""

_SIZED = re.compile(r"(VARCHAR|CHAR|NVARCHAR|NUMERIC|DECIMAL)\((\d+(?:, \d+)?)\)")
_LITERAL = re.compile(r"[+-]?[\w.]+|x?'(?:[^']|'')*'", re.IGNORECASE)


def code_type(type_: str) -> CodeType:
    """Return the code for the declared type *type_*; ``Raw`` if SQLAlchemy cannot write it."""
    if type_ in _PLAIN:
        expression, annotation, needed = _PLAIN[type_]
        imports = ((_SQL, expression), *((needed,) if needed else ()))
        return CodeType(expression=expression, annotation=annotation, imports=imports)
    match = _SIZED.fullmatch(type_)
    if match is None or ("," in match[2] and match[1] not in ("NUMERIC", "DECIMAL")):
        return raw(type_)
    name = {"VARCHAR": "String", "NUMERIC": "Numeric"}.get(match[1], match[1])
    number = match[1] in ("NUMERIC", "DECIMAL")
    imports = ((_SQL, name), *((_DECIMAL,) if number else ()))
    annotation = "Decimal" if number else "str"
    return CodeType(expression=f"{name}({match[2]})", annotation=annotation, imports=imports)


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
