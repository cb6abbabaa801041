"""Determine how a change of a column's type affects values: kept, refused or changed. Pure."""

import re
from collections.abc import Mapping
from enum import Flag, auto

from dbwarden.dialects.postgresql.ddl.casts import MODIFIER, STRINGS, cast, without_modifier


class Effect(Flag):
    """The effect on values that the new type cannot hold unchanged."""

    KEEPS = 0
    REFUSES = auto()
    """The statement fails on such a value; no data is lost."""
    CHANGES = auto()
    """Such a value is rounded, cut or reformatted; the original is lost."""


KEEPS, REFUSES, CHANGES = Effect.KEEPS, Effect.REFUSES, Effect.CHANGES

_DIGITS: Mapping[str, int] = {"smallint": 5, "integer": 10, "bigint": 19, "oid": 10, "money": 17}
"""The digits before the point of the largest value of each integer type."""
_SIZES = ("smallint", "integer", "bigint")
_EXACT: Mapping[str, int] = {"real": 6, "double precision": 15}
"""The decimal digits that a floating-point type preserves."""
_WHOLE_IN_FLOAT = {("smallint", "real"), ("smallint", "double precision")} | {
    ("integer", "double precision")
}
_TEXT_LENGTH: Mapping[str, int] = {
    "boolean": 5,
    "smallint": 6,
    "integer": 11,
    "bigint": 20,
    "uuid": 36,
}
_TIME = "time without time zone"
_KEPT = {
    *(("date", "timestamp without time zone"), ("date", "timestamp with time zone")),
    *(("timestamp without time zone", "timestamp with time zone"),),
    *(("timestamp with time zone", "timestamp without time zone"),),
    *(("time without time zone", "time with time zone"), ("time without time zone", "interval")),
    *(("tsrange", "tstzrange"), ("tstzrange", "tsrange")),
    *(("jsonb", "json"), ("cidr", "inet"), ("macaddr", "macaddr8"), ("boolean", "integer")),
}
_REFUSED = {("macaddr8", "macaddr"), ("text", "xml"), ("character varying", "xml")}
_CHANGED = {
    *(("timestamp without time zone", "date"), ("timestamp without time zone", _TIME)),
    *(("timestamp with time zone", "date"), ("timestamp with time zone", _TIME)),
    *(("timestamp with time zone", "time with time zone"), ("time with time zone", _TIME)),
    *(("interval", _TIME), ("json", "jsonb"), ("inet", "cidr")),
}
_PRECISION = 6
"""Default fractional digits of times."""
_ARRAY = re.compile(r"(\[\])+$")
_BITS = ("bit", "bit varying")


def conversion_effect(before: str, after: str) -> Effect:
    """Return the effect of the conversion from *before* to *after* on values that do not fit.

    Args:
        before: The type, or a domain's base type, as the server prints it.
        after: The new type.
    """
    if _ARRAY.search(before) and _ARRAY.search(after):
        return conversion_effect(_ARRAY.sub("", before), _ARRAY.sub("", after))
    old, new = without_modifier(before), without_modifier(after)
    if new in STRINGS:
        return _to_string(before, after)
    if old in STRINGS:
        return REFUSES if (old, new) in _REFUSED else REFUSES | CHANGES
    if {old, new} <= {"numeric", *_DIGITS, *_EXACT}:
        return _numbers(before, after)
    if {old, new} <= {*_BITS}:
        return _bits(before, after)
    if (old, new) in _CHANGED:
        return CHANGES
    if (old, new) in _REFUSED:
        return REFUSES
    if old == new or (old, new) in _KEPT:
        return _fractions(before, after)
    return KEEPS if cast(before, after) == "implicit" else REFUSES | CHANGES


def _to_string(before: str, after: str) -> Effect:
    old, new, longest = without_modifier(before), without_modifier(after), _modifier(after)
    if new == "name":
        return KEEPS if old == "name" else CHANGES
    length = _modifier(before)[0] if old in STRINGS and _modifier(before) else None
    length = _TEXT_LENGTH.get(old, length)
    fits = not longest or (length is not None and length <= longest[0])
    padded = new == "character" and old in STRINGS and old != "character"
    return (KEEPS if fits else REFUSES) | (CHANGES if padded else KEEPS)


def _numbers(before: str, after: str) -> Effect:
    old, new = without_modifier(before), without_modifier(after)
    if new in _EXACT:
        return _to_float(before, old, new)
    if old in _EXACT:
        return REFUSES | CHANGES
    if old in _SIZES and new in _SIZES:
        return KEEPS if _SIZES.index(old) <= _SIZES.index(new) else REFUSES
    whole, fraction = _digits(before)
    most, finest = _digits(after, limit=True)
    return (KEEPS if whole <= most else REFUSES) | (KEEPS if fraction <= finest else CHANGES)


def _to_float(before: str, old: str, new: str) -> Effect:
    if old == new or (old, new) == ("real", "double precision"):
        return KEEPS
    if old in _SIZES:
        return KEEPS if (old, new) in _WHOLE_IN_FLOAT else CHANGES
    if old == "numeric" and _modifier(before) and _modifier(before)[0] <= _EXACT[new]:
        return KEEPS
    return CHANGES if old not in _EXACT and _modifier(before) else REFUSES | CHANGES


def _digits(type_: str, *, limit: bool = False) -> tuple[float, float]:
    """Return the digits before and after the point that *type_* has.

    Args:
        type_: An exact numeric type.
        limit: Whether every number with that many digits must fit: 9 digits in an integer.
    """
    name, modifier = without_modifier(type_), _modifier(type_)
    if name == "money":
        return _DIGITS[name] - limit, 2
    if name != "numeric":
        return _DIGITS[name] - limit, 0
    if not modifier:
        return float("inf"), float("inf")
    scale = sum(modifier[1:])
    return modifier[0] - scale, scale


def _bits(before: str, after: str) -> Effect:
    """Return the effect on bit strings, which assignments never cut or pad."""
    length, longest = _modifier(before), _modifier(after)
    if without_modifier(after) == "bit":
        return KEEPS if without_modifier(before) == "bit" and length == longest else REFUSES
    return KEEPS if not longest or (length and length[0] <= longest[0]) else REFUSES


def _fractions(before: str, after: str) -> Effect:
    """Return the effect on times and intervals: rounded to their precision, cut to their fields."""
    if "interval " in after and MODIFIER.sub("", before) != MODIFIER.sub("", after):
        return CHANGES
    if without_modifier(after).startswith(("time", "interval")):
        old, new = ((_modifier(it) or (_PRECISION,))[0] for it in (before, after))
        return KEEPS if without_modifier(before) == "date" or old <= new else CHANGES
    modifiers = (_modifier(before), _modifier(after))
    return KEEPS if not modifiers[1] or modifiers[0] == modifiers[1] else REFUSES | CHANGES


def _modifier(type_: str) -> tuple[int, ...]:
    found = MODIFIER.search(type_)
    return tuple(int(part) for part in found[1].split(",")) if found else ()
