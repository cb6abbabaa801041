"""Quote names and values as SQL text."""

import re
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

from dbwarden.quoting import quoted
from dbwarden.quoting import text_literal as text_literal

_KEYWORDS = frozenset(
    """
    all analyse analyze and any array as asc asymmetric authorization between bigint binary
    bit boolean both case cast char character check coalesce collate collation column
    concurrently constraint create cross current_catalog current_date current_role
    current_schema current_time current_timestamp current_user dec decimal default deferrable
    desc distinct do else end except exists extract false fetch float for foreign freeze from
    full grant greatest group grouping having ilike in initially inner inout int integer
    intersect interval into is isnull join json json_array json_arrayagg json_exists
    json_object json_objectagg json_query json_scalar json_serialize json_table json_value
    lateral leading least left like limit localtime localtimestamp merge_action national
    natural nchar none normalize not notnull null nullif numeric offset on only or order out
    outer overlaps overlay placing position precision primary real references returning right
    row select session_user setof similar smallint some substring symmetric system_user table
    tablesample then time timestamp to trailing treat trim true union unique user using values
    varchar variadic verbose when where window with xmlattributes xmlconcat xmlelement
    xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable
    """.split()  # noqa: SIM905  # a list of words is easier to read as text
)
"""The words that PostgreSQL 14 to 18 does not accept as a plain name everywhere."""

_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")
_NOT_PLAIN = re.compile(r"[^\x20-\x7e]")


def quote(name: str) -> str:
    """Return *name* as an identifier, quoted only if necessary."""
    if _PLAIN.fullmatch(name) and name not in _KEYWORDS:
        return name
    return quoted(name)


def literal(value: str | int | float | bool | None) -> str:
    """Return *value* as a literal, valid for any ``standard_conforming_strings``."""
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("a text value cannot hold a NUL character")
        quoted = value.replace("'", "''")
        if "\\" in quoted:
            return "E'" + quoted.replace("\\", "\\\\") + "'"
        return f"'{quoted}'"
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value)


def literal_or_null(text: str | None) -> str:
    """Return *text* as a literal for files, or ``NULL``, for COMMENT."""
    return "NULL" if text is None else text_literal(text)


def plain_name(text: str, limit: int) -> str:
    """Return *text* as an application name: printable ASCII, at most *limit* bytes."""
    return _NOT_PLAIN.sub("?", text)[:limit]


def value_literal(value: object) -> str:
    """Return a value of Python as a literal for files, which the server gives its type.

    Raises:
        TypeError: There is no such literal.
    """
    match value:
        case None:
            return "NULL"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case Decimal():
            return str(value) if value.is_finite() else text_literal(str(value))
        case str():
            return text_literal(value)
        case bytes():
            return text_literal(f"\\x{value.hex()}")
        case timedelta():
            return text_literal(f"{value.total_seconds()} seconds")
        case tuple() | list():
            return text_literal(_array(value))
        case _:
            raise TypeError(f"there is no literal for a {type(value).__name__}")


def _array(values: Iterable[object]) -> str:
    """Return the text of an array, in which every element but NULL is quoted."""
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: object) -> str:
    if isinstance(value, tuple | list):
        return _array(value)
    if value is None:
        return "NULL"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
