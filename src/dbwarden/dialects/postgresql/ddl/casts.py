"""Conversions between types, as in PostgreSQL's pg_cast. Pure."""

import re
from typing import Literal

Cast = Literal["implicit", "assignment", "explicit"]

# i: implicit, a: assignment, e: explicit. Missing pairs are converted through text.
CASTS = {
    "bigint": "i numeric, i real, i double precision, e bit, e bytea, a money, a smallint,"
    " a integer, a oid",
    "bit": "i bit varying, e integer, e bigint",
    "bit varying": "i bit",
    "boolean": "e integer, a character varying, a text, a character",
    "box": "e circle, e lseg, e point, a polygon",
    "bytea": "e bigint, e integer, e smallint",
    "character": "i text, a character varying, i name, e xml",
    "character varying": "i character, i text, i name, e xml",
    "cidr": "i inet, a text, a character, a character varying",
    "circle": "e box, e point, e polygon",
    "date": "i timestamp with time zone, i timestamp without time zone",
    "daterange": "e datemultirange",
    "double precision": "a bigint, a real, a numeric, a smallint, a integer",
    "inet": "a text, a character, a cidr, a character varying",
    "int4range": "e int4multirange",
    "int8range": "e int8multirange",
    "integer": "i numeric, i double precision, i real, i bigint, e bytea, e bit, e boolean,"
    " a smallint, a money",
    "interval": "a time without time zone",
    "json": "a jsonb",
    "jsonb": "e smallint, e boolean, e numeric, e integer, e bigint, e real,"
    " e double precision, a json",
    "lseg": "e point",
    "macaddr": "i macaddr8",
    "macaddr8": "i macaddr",
    "money": "a numeric",
    "name": "i text, a character varying, a character",
    "numeric": "i real, i double precision, a integer, a smallint, a bigint, a money",
    "numrange": "e nummultirange",
    "path": "a polygon",
    "point": "a box",
    "polygon": "e circle, e point, e box, a path",
    "real": "i double precision, a bigint, a smallint, a integer, a numeric",
    "smallint": "i bigint, i numeric, i double precision, i real, i integer, e bytea",
    "text": "i character varying, i name, i character, e xml",
    "time with time zone": "a time without time zone",
    "time without time zone": "i time with time zone, i interval",
    "timestamp with time zone": "a timestamp without time zone, a time without time zone, a date,"
    " a time with time zone",
    "timestamp without time zone": "i timestamp with time zone, a time without time zone, a date",
    "tsrange": "e tsmultirange",
    "tstzrange": "e tstzmultirange",
    "xml": "a character varying, a text, a character",
}
LETTERS: dict[str, Cast] = {"i": "implicit", "a": "assignment", "e": "explicit"}
STRINGS = frozenset({"text", "character varying", "character", "name", "citext"})
MODIFIER = re.compile(r"\(([-\d, ]+)\)")
FIELDS = re.compile(r"^interval( [a-z]+)+")


def without_modifier(type_: str) -> str:
    """Return *type_* without its modifier: ``character varying(50)`` is ``character varying``.

    The fields of an interval (``interval day to second``) are a modifier.
    """
    without = re.sub(r" {2,}", " ", MODIFIER.sub("", type_)).strip()
    return FIELDS.sub("interval", without)


def cast(before: str, after: str) -> Cast | None:
    """Return the context of the cast from *before* to *after*; ``None`` if there is none."""
    old, new = without_modifier(before), without_modifier(after)
    if old.endswith("[]") or new.endswith("[]"):
        if old.endswith("[]") and new.endswith("[]"):
            return cast(old.removesuffix("[]"), new.removesuffix("[]"))
        return _through_text(old, new)
    if old == new:
        return "implicit"
    for item in CASTS.get(old, "").split(", "):
        letter, _, target = item.partition(" ")
        if target == new:
            return LETTERS[letter]
    return _through_text(old, new)


def _through_text(old: str, new: str) -> Cast | None:
    """Return the cast through text: assignment to text, explicit from text."""
    if new in STRINGS:
        return "assignment"
    if old in STRINGS:
        return "explicit"
    return None
