"""Render recorded statements, whose values were bound, as plain SQL. Pure."""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from dbwarden.dialects.authoring import TimeUnit
from dbwarden.files.lexing import Lexis

Literal = Callable[[object], str]
"""Renders a value of Python as SQL; see ``AuthoringDialect.literal``."""
Now = Callable[[TimeUnit], str]
"""Returns the SQL of the current time; see ``AuthoringDialect.now``."""
Clock = tuple[datetime, datetime]
"""When a run began and ended."""
BoundParameters = Sequence[Any] | Mapping[str, Any] | None

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
    ``returns_rows`` is true if the revision fetched rows. ``target`` is the number of the
    database that the statement went to, ``inside`` is true if a revision sent it. ``counted`` is
    true if the revision read how many rows there were. ``clock`` is the time of the run.
    """

    sql: str
    values: tuple[BoundParameters, ...] = (None,)
    style: str = "qmark"
    autocommit: bool = False
    returns_rows: bool = False
    counted: bool = False
    target: int = 0
    inside: bool = True
    clock: Clock | None = None

    @classmethod
    def parse(cls, document: Mapping[str, Any], clock: Clock) -> "Recorded":
        """Read the document of a statement that was recorded in a run at *clock*."""
        return cls(
            sql=document["sql"],
            values=tuple(_decode_all(each) for each in document["values"]),
            style=document["style"],
            autocommit=document["autocommit"],
            returns_rows=document["rows"],
            counted=document["counted"],
            target=document["target"],
            inside=document["inside"],
            clock=clock,
        )

    def render(self, lexis: Lexis, literal: Literal, now: Now) -> tuple[str, ...]:
        """Return the SQL of each execution, with its values as literals.

        A value that is the time of the run becomes the expression that *now* returns: it is the
        same within a transaction, as a value of Python that several statements use.

        Raises:
            NoLiteral: A value has no literal.
        """
        clock = None if self.autocommit else self.clock

        def rendered(value: object) -> str:
            unit = unit_of(value, clock) if clock is not None else None
            return literal(value) if unit is None else now(unit)

        return tuple(_fill(self, each, lexis, rendered) for each in self.values)


def _decode_all(values: Any) -> BoundParameters:
    if isinstance(values, Mapping):
        return {name: _decode(value) for name, value in values.items()}
    return None if values is None else tuple(map(_decode, values))


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value of another type, which has no literal."""

    type: str


class Instant(str):
    """The text of a time with its time zone."""

    __slots__ = ()


def unit_of(value: object, clock: Clock) -> TimeUnit | None:
    """Return the form in which *value* is the time of the run; ``None`` if it is another value."""
    if isinstance(value, Instant):
        return "instant" if clock[0] <= datetime.fromisoformat(value) <= clock[1] else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    first, last = (moment.timestamp() for moment in clock)
    if int(first) <= value <= last:
        return "seconds"
    return "milliseconds" if int(first * 1000) <= value <= last * 1000 else None


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
        case "instant":
            return Instant(value)
        case "unknown":
            return Unknown(value)
        case _:  # text, whole numbers, booleans and NULL are as in JSON
            return value


def _fill(statement: Recorded, values: BoundParameters, lexis: Lexis, literal: Literal) -> str:
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
