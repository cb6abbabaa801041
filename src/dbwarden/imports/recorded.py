"""Render recorded statements, whose values were bound, as plain SQL. Pure."""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from dbwarden.files.lexing import Lexis

Literal = Callable[[object], str]
"""Renders a value of Python as SQL; see ``AuthoringDialect.literal``."""
Values = Sequence[Any] | Mapping[str, Any] | None

_FORMAT = re.compile(r"%%|%\((?P<name>[^)]*)\)s|%s")
_PLACEHOLDERS = {
    "qmark": r"\?",
    "numeric": r":(?P<number>[0-9]+)",
    "numeric_dollar": r"\$(?P<number>[0-9]+)",
    "named": r"(?<!:):(?P<name>[A-Za-z_][A-Za-z_0-9]*)",
}


class NoLiteral(ValueError):
    """A value has no literal; names its type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One statement that reached the server.

    ``values`` has the bound values of each execution, decoded. ``style`` is the DBAPI's paramstyle.
    ``returns_rows`` is true if the server answered with rows. ``target`` is the number of the
    database that the statement went to, ``inside`` is true if a revision sent it.
    """

    sql: str
    values: tuple[Values, ...] = (None,)
    style: str = "qmark"
    autocommit: bool = False
    returns_rows: bool = False
    target: int = 0
    inside: bool = True

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> "Recorded":
        """Read the document of a recorded statement."""
        return cls(
            sql=document["sql"],
            values=tuple(_decode_all(each) for each in document["values"]),
            style=document["style"],
            autocommit=document["autocommit"],
            returns_rows=document["rows"],
            target=document["target"],
            inside=document["inside"],
        )

    def render(self, lexis: Lexis, literal: Literal) -> tuple[str, ...]:
        """Return the SQL of each execution, with its values as literals.

        Raises:
            NoLiteral: A value has no literal.
        """
        return tuple(_fill(self, each, lexis, literal) for each in self.values)


def _decode_all(values: Any) -> Values:
    if isinstance(values, Mapping):
        return {name: _decode(value) for name, value in values.items()}
    return None if values is None else tuple(map(_decode, values))


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value of another type, which has no literal."""

    type: str


def _decode(document: Mapping[str, Any]) -> object:
    value = document["value"]
    match document["type"]:
        case "float":
            return Decimal(value)
        case "bytes":
            return base64.b64decode(value)
        case "list":
            return tuple(map(_decode, value))
        case "interval":
            return timedelta(seconds=value)
        case "unknown":
            return Unknown(value)
        case _:  # text, whole numbers, booleans and NULL are as in JSON
            return value


def _fill(statement: Recorded, values: Values, lexis: Lexis, literal: Literal) -> str:
    """Return the SQL with each placeholder replaced by its value."""
    if values is None:
        return statement.sql
    given = iter(values if not isinstance(values, Mapping) else ())

    def value_of(match: re.Match[str]) -> str:
        groups = match.groupdict()
        if (number := groups.get("number")) is not None:
            assert not isinstance(values, Mapping)
            return _render(values[int(number) - 1], literal)
        if (name := groups.get("name")) is not None:
            assert isinstance(values, Mapping)
            return _render(values[name], literal)
        return _render(next(given), literal)

    if statement.style in ("format", "pyformat"):
        return _FORMAT.sub(lambda m: "%" if m[0] == "%%" else value_of(m), statement.sql)
    return _fill_outside_quotes(statement, lexis, value_of) if values else statement.sql


def _fill_outside_quotes(
    statement: Recorded, lexis: Lexis, value_of: Callable[[re.Match[str]], str]
) -> str:
    text, position, parts = statement.sql, 0, list[str]()
    place = re.compile(rf"(?P<place>{_PLACEHOLDERS[statement.style]})|{lexis.openers.pattern}")
    while match := place.search(text, position):
        end = match.end() if match["place"] else lexis.close(text, match.start())
        if end < 0:
            break
        filled = value_of(match) if match["place"] else text[match.start() : end]
        parts += [text[position : match.start()], filled]
        position = end
    return "".join([*parts, text[position:]])


def _render(value: object, literal: Literal) -> str:
    if isinstance(value, Unknown):
        raise NoLiteral(f"a value of type {value.type} has no literal")
    try:
        return literal(value)
    except TypeError as error:
        raise NoLiteral(str(error)) from error
