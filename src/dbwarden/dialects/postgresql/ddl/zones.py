"""Convert between times with and without a zone, independent of the session's TimeZone. Pure.

A plain cast uses the session's TimeZone, so that the same migration would produce different values
on another machine. These conversions use UTC.
"""

from dbwarden.dialects.postgresql.ddl.casts import STRINGS, without_modifier
from dbwarden.dialects.postgresql.ddl.context import Context
from dbwarden.dialects.postgresql.sql.quoting import quote
from dbwarden.schema import Column

_TIMESTAMP, _TIMESTAMPTZ = "timestamp without time zone", "timestamp with time zone"
_TIME, _TIMETZ = "time without time zone", "time with time zone"
_EXPRESSIONS = {
    (_TIMESTAMP, _TIMESTAMPTZ): "{0} AT TIME ZONE 'UTC'",
    (_TIMESTAMPTZ, _TIMESTAMP): "{0} AT TIME ZONE 'UTC'",
    ("date", _TIMESTAMPTZ): "{0}::timestamp AT TIME ZONE 'UTC'",
    (_TIMESTAMPTZ, "date"): "({0} AT TIME ZONE 'UTC')::date",
    (_TIMESTAMPTZ, _TIME): "({0} AT TIME ZONE 'UTC')::time",
    (_TIMESTAMPTZ, _TIMETZ): "(({0} AT TIME ZONE 'UTC')::time::text || '+00')::timetz",
    (_TIME, _TIMETZ): "({0}::text || '+00')::timetz",
    ("tsrange", "tstzrange"): "{range}",
    ("tstzrange", "tsrange"): "{range}",
}
_RANGE = (
    "CASE WHEN isempty({0}) THEN 'empty' WHEN {0} IS NOT NULL THEN {1}("
    "lower({0}) AT TIME ZONE 'UTC', upper({0}) AT TIME ZONE 'UTC',"
    " CASE WHEN lower_inc({0}) THEN '[' ELSE '(' END"
    " || CASE WHEN upper_inc({0}) THEN ']' ELSE ')' END) END"
)


def zone_conversion(ctx: Context, before: Column, after: Column) -> str | None:
    """Return the expression that converts a time through UTC, if a cast would use the TimeZone."""
    old, new = _types(ctx, before, after)
    name = quote(after.name)
    if old == _TIMESTAMPTZ and new in STRINGS:
        return f"({name} AT TIME ZONE 'UTC')::text || '+00'"
    found = _EXPRESSIONS.get((old, new))
    return found and found.format(name, range=_RANGE.format(name, new))


def depends_on_zone(ctx: Context, before: Column, after: Column) -> bool:
    """Return whether a plain cast would depend on the session's TimeZone."""
    old, new = (name.removesuffix("[]") for name in _types(ctx, before, after))
    strings = {old, new} & STRINGS and {old, new} & {_TIMESTAMPTZ, _TIMETZ}
    return (old, new) in _EXPRESSIONS or (bool(strings) and old != _TIMETZ)


def _types(ctx: Context, before: Column, after: Column) -> tuple[str, str]:
    return without_modifier(ctx.base_type(before.type)), without_modifier(ctx.base_type(after.type))
