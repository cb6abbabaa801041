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
_IN_MODULES = {"Decimal": ("decimal", "Decimal"), "Any": ("typing", "Any")}

# type: (class, annotation, module of the class if it is not SQLAlchemy's own)
_PLAIN: dict[str, tuple[str, str] | tuple[str, str, str]] = {
    "smallint": ("SmallInteger", "int"),
    "integer": ("Integer", "int"),
    "bigint": ("BigInteger", "int"),
    "text": ("Text", "str"),
    "character varying": ("String", "str"),
    "boolean": ("Boolean", "bool"),
    "date": ("Date", "datetime.date"),
    "numeric": ("Numeric", "Decimal"),
    "real": ("REAL", "float"),
    "double precision": ("Double", "float"),
    "uuid": ("Uuid", "uuid.UUID"),
    "bytea": ("LargeBinary", "bytes"),
    "json": ("JSON", "Any"),
    "jsonb": ("JSONB", "Any", _PG),
    "inet": ("INET", "str", _PG),
    "cidr": ("CIDR", "str", _PG),
    "macaddr": ("MACADDR", "str", _PG),
    "money": ("MONEY", "str", _PG),
    "tsvector": ("TSVECTOR", "str", _PG),
    "hstore": ("HSTORE", "Any", _PG),
    "citext": ("CITEXT", "str", _PG),
    "interval": ("INTERVAL", "datetime.timedelta", _PG),
    "int4range": ("INT4RANGE", "Any", _PG),
    "int8range": ("INT8RANGE", "Any", _PG),
    "numrange": ("NUMRANGE", "Any", _PG),
    "tsrange": ("TSRANGE", "Any", _PG),
    "tstzrange": ("TSTZRANGE", "Any", _PG),
    "daterange": ("DATERANGE", "Any", _PG),
}
NAMES = frozenset(name for name, *_ in _PLAIN.values()) | {"DateTime", "Time", "CHAR", "TIMESTAMP"}
"""Names that columns may use."""

COLLATED = ("String", "Text", "CHAR", "NVARCHAR")
"""Prefixes of the types that take a collation in SQLAlchemy."""

_TIMES = re.compile(r"(timestamp|time)(?:\((\d)\))? (with|without) time zone")
_SIZED = re.compile(r"(character varying|character|numeric)\(([\d,]+)\)")


def class_type(name: str, annotation: str, home: str = _SQL, arguments: str = "") -> CodeType:
    """Return the type of the class *name*, with the imports that it and its annotation need."""
    module, dot, _ = annotation.partition(".")
    needed = (module, "") if dot else _IN_MODULES.get(annotation)
    imports = ((home, name), *((needed,) if needed else ()))
    return CodeType(expression=name + arguments, annotation=annotation, imports=imports)


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
        return class_type(*_PLAIN[type_])
    return _time(type_) or _sized(type_) or _enum(type_, schema) or raw(type_)


def _time(type_: str) -> CodeType | None:
    match = _TIMES.fullmatch(type_)
    if match is None:
        return None
    word, precision, zone = match.groups()
    annotation = "datetime.datetime" if word == "timestamp" else "datetime.time"
    if precision is not None:
        return class_type(word.upper(), annotation, _PG, f"({zone == 'with'}, {precision})")
    name = "DateTime" if word == "timestamp" else "Time"
    return class_type(name, annotation, arguments="(timezone=True)" if zone == "with" else "")


def _sized(type_: str) -> CodeType | None:
    match = _SIZED.fullmatch(type_)
    if match is None:
        return None
    arguments = f"({match[2].replace(',', ', ')})"
    if match[1] == "numeric":
        return class_type("Numeric", "Decimal", arguments=arguments)
    name = "String" if match[1] == "character varying" else "CHAR"
    return class_type(name, "str", arguments=arguments)


def _enum(type_: str, schema: Schema) -> CodeType | None:
    for enum in schema.of(Enum):
        if type_ in printed(enum.name, schema.default_namespace):
            values = ", ".join(repr(value) for value in enum.values)
            name, space = enum.name, ""
            if name.namespace not in (None, schema.default_namespace):
                space = f", schema={name.namespace!r}"
            arguments = f"({values}, name={name.name!r}{space})"
            return class_type("Enum", "str", arguments=arguments)
    return None


def printed(name: QualifiedName, default: str | None) -> tuple[str, ...]:
    """Return the forms in which the catalog may print *name*."""
    plain = (name.name, quoted(name.name))
    if name.namespace in (None, default):
        return plain
    spaces = (name.namespace, quoted(name.namespace))
    return tuple(f"{space}.{word}" for space in spaces for word in plain)


def raw(type_: str) -> CodeType:
    """Return a type that the generated module defines itself."""
    return CodeType(
        expression=f"Raw({type_!r})", annotation="Any", imports=(_IN_MODULES["Any"], ("", "Raw"))
    )


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
