"""Write PostgreSQL types as SQLAlchemy code. Pure."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dbwarden.quoting import quoted
from dbwarden.schema import Enum, QualifiedName, Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeType:
    """A type in code: its expression, its annotation, and its imports as (module, name)."""

    expression: str
    annotation: str
    imports: tuple[tuple[str, str], ...] = ()


_SQL, _PG = "sqlalchemy", "sqlalchemy.dialects.postgresql"
_DATETIME, _ANY = ("datetime", ""), ("typing", "Any")

# type: (expression, annotation, imports of the expression, import of the annotation)
_PLAIN: dict[str, tuple[str, str, str, tuple[str, str] | None]] = {
    "smallint": ("SmallInteger", "int", _SQL, None),
    "integer": ("Integer", "int", _SQL, None),
    "bigint": ("BigInteger", "int", _SQL, None),
    "text": ("Text", "str", _SQL, None),
    "character varying": ("String", "str", _SQL, None),
    "boolean": ("Boolean", "bool", _SQL, None),
    "date": ("Date", "datetime.date", _SQL, _DATETIME),
    "numeric": ("Numeric", "Decimal", _SQL, ("decimal", "Decimal")),
    "real": ("REAL", "float", _SQL, None),
    "double precision": ("Double", "float", _SQL, None),
    "uuid": ("Uuid", "uuid.UUID", _SQL, ("uuid", "")),
    "bytea": ("LargeBinary", "bytes", _SQL, None),
    "json": ("JSON", "Any", _SQL, _ANY),
    "jsonb": ("JSONB", "Any", _PG, _ANY),
    "inet": ("INET", "str", _PG, None),
    "cidr": ("CIDR", "str", _PG, None),
    "macaddr": ("MACADDR", "str", _PG, None),
    "money": ("MONEY", "str", _PG, None),
    "tsvector": ("TSVECTOR", "str", _PG, None),
    "hstore": ("HSTORE", "Any", _PG, _ANY),
    "citext": ("CITEXT", "str", _PG, None),
    "interval": ("INTERVAL", "datetime.timedelta", _PG, _DATETIME),
    "int4range": ("INT4RANGE", "Any", _PG, _ANY),
    "int8range": ("INT8RANGE", "Any", _PG, _ANY),
    "numrange": ("NUMRANGE", "Any", _PG, _ANY),
    "tsrange": ("TSRANGE", "Any", _PG, _ANY),
    "tstzrange": ("TSTZRANGE", "Any", _PG, _ANY),
    "daterange": ("DATERANGE", "Any", _PG, _ANY),
}
NAMES = frozenset(name for name, *_ in _PLAIN.values()) | {"DateTime", "Time", "CHAR", "TIMESTAMP"}
"""Names that columns may use."""

COLLATED = ("String", "Text", "CHAR", "NVARCHAR")
"""Prefixes of the types that take a collation in SQLAlchemy."""

_TIMES = re.compile(r"(timestamp|time)(?:\((\d)\))? (with|without) time zone")
_SIZED = re.compile(r"(character varying|character|numeric|bit varying|bit)\(([\d,]+)\)")


def code_type(type_: str, schema: Schema) -> CodeType:
    """Return the code for *type_*, as the catalog prints it.

    A type without a SQLAlchemy class is ``Raw("...")``, which the generated module defines.
    """
    if type_.endswith("[]"):
        inner = code_type(type_.removesuffix("[]"), schema)
        return CodeType(
            expression=f"ARRAY({inner.expression})",
            annotation=f"list[{inner.annotation}]",
            imports=(*inner.imports, (_PG, "ARRAY")),
        )
    if type_ in _PLAIN:
        expression, annotation, home, needed = _PLAIN[type_]
        imports = ((home, expression), *((needed,) if needed else ()))
        return CodeType(expression=expression, annotation=annotation, imports=imports)
    return _time(type_) or _sized(type_) or _enum(type_, schema) or raw(type_)


def _time(type_: str) -> CodeType | None:
    match = _TIMES.fullmatch(type_)
    if match is None:
        return None
    word, precision, zone = match.groups()
    annotation = "datetime.datetime" if word == "timestamp" else "datetime.time"
    if precision is None:
        name = "DateTime" if word == "timestamp" else "Time"
        expression = f"{name}(timezone=True)" if zone == "with" else name
        home = _SQL
    else:
        name, home = word.upper(), _PG
        expression = f"{name}({zone == 'with'}, {precision})"
    return CodeType(expression=expression, annotation=annotation, imports=((home, name), _DATETIME))


def _sized(type_: str) -> CodeType | None:
    match = _SIZED.fullmatch(type_)
    if match is None or match[1].startswith("bit"):
        return None
    numbers = match[2].replace(",", ", ")
    if match[1] == "numeric":
        imports = ((_SQL, "Numeric"), ("decimal", "Decimal"))
        return CodeType(expression=f"Numeric({numbers})", annotation="Decimal", imports=imports)
    name = "String" if match[1] == "character varying" else "CHAR"
    return CodeType(expression=f"{name}({numbers})", annotation="str", imports=((_SQL, name),))


def _enum(type_: str, schema: Schema) -> CodeType | None:
    for enum in schema.of(Enum):
        if type_ in printed(enum.name, schema.default_namespace):
            values = ", ".join(repr(value) for value in enum.values)
            space = _schema_argument(enum.name, schema.default_namespace)
            text = f"Enum({values}, name={enum.name.name!r}{space})"
            return CodeType(expression=text, annotation="str", imports=((_SQL, "Enum"),))
    return None


def _schema_argument(name: QualifiedName, default: str | None) -> str:
    return "" if name.namespace in (None, default) else f", schema={name.namespace!r}"


def printed(name: QualifiedName, default: str | None) -> tuple[str, ...]:
    """Return the forms in which the catalog may print *name*."""
    plain = (name.name, quoted(name.name))
    if name.namespace in (None, default):
        return plain
    spaces = (name.namespace, quoted(name.namespace))
    return tuple(f"{space}.{word}" for space in spaces for word in plain)


def raw(type_: str) -> CodeType:
    """Return a type that the generated module defines itself."""
    return CodeType(expression=f"Raw({type_!r})", annotation="Any", imports=(_ANY, ("", "Raw")))


RAW_CLASS = '''
class Raw(UserDefinedType[Any]):
    """A type of the database that SQLAlchemy has no name for."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        return self.name

'''


def import_lines(imports: dict[str, set[str]]) -> Iterator[str]:
    """Yield the import statements for names by module; SQLAlchemy's come last."""
    ours = {home for home in imports if home.startswith("sqlalchemy")}
    others = sorted(set(imports) - ours)
    yield from (f"import {home}" for home in others if "" in imports[home])
    for home in others:
        if names := _in_order(imports[home] - {""}):
            yield f"from {home} import {', '.join(names)}"
    yield ""
    for home in sorted(ours):
        yield f"from {home} import ("
        yield from (f"    {name}," for name in _in_order(imports[home]))
        yield ")"


def _in_order(names: Iterable[str]) -> list[str]:
    """Sort names like linters do: constants, classes, functions."""
    return sorted(names, key=lambda name: (not name.isupper(), name[:1].islower(), name.lower()))


def with_collation(expression: str, collation: str) -> str:
    """Return a type with its collation, if it takes one."""
    if not expression.startswith(COLLATED):
        return expression
    name = collation.strip('"').rpartition(".")[2].strip('"')
    head, bracket, rest = expression.partition("(")
    inside = rest.rstrip(")") + ", " if bracket else ""
    return f"{head}({inside}collation={name!r})"
