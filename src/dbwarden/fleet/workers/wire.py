"""Write outcomes as JSON documents for a worker's messages, and read them back. Pure.

A result is read by the annotations of its class, so that only data travels and never code.
"""

import functools
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any

from dbwarden import errors
from dbwarden.errors import DBWardenError
from dbwarden.fleet.documents import Json, error_document, plain
from dbwarden.fleet.running import Outcome, OutcomeState
from dbwarden.types import DatabaseName, Location

Reader = Callable[[Any], Any]
"""A function that reads a value of JSON types as one of a certain type."""

_BASE = frozenset(vars(DBWardenError()))
_SEQUENCES = (tuple, list, set, frozenset)


def write_outcome(outcome: Outcome[object]) -> Json:
    """Return *outcome* as a document."""
    return {
        "database": outcome.database,
        "state": outcome.state.value,
        "result": plain(outcome.result, write_error),
        "error": write_error(outcome.error) if outcome.error is not None else None,
        "duration_ms": outcome.duration_ms,
    }


def read_outcome(document: Json, result: object) -> Outcome[object]:
    """Return the outcome in *document*, whose result is of the type *result*."""
    error = document["error"]
    value = document["result"]
    return Outcome(
        database=DatabaseName(document["database"]),
        state=OutcomeState(document["state"]),
        result=reader(result)(value) if value is not None else None,
        error=read_error(error) if error is not None else None,
        duration_ms=document["duration_ms"],
    )


def write_error(error: DBWardenError) -> Json:
    """Return *error* as a document with every field of its class."""
    more = {name: value for name, value in vars(error).items() if name not in _BASE}
    return {**error_document(error), "more": plain(more, write_error)}


def read_error(document: Json) -> DBWardenError:
    """Return the error in *document*; an error of a class that dbwarden lacks is its base class."""
    kind = getattr(errors, document["type"], DBWardenError)
    error: DBWardenError = kind.__new__(kind)
    place = document["file"]
    DBWardenError.__init__(
        error,
        document["message"],
        database=document["database"],
        location=Location(path=Path(place), line=document["line"], column=document["column"])
        if place is not None
        else None,
        **{name: document[name] for name in ("statement", "detail", "hint", "next_step")},
    )
    for name, value in document["more"].items():
        setattr(error, name, _read_field(value))
    return error


def _read_field(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_read_field(item) for item in value)
    return read_error(value) if isinstance(value, dict) else value


def type_hints(function: Callable[..., Any]) -> Mapping[str, object]:
    """Return the annotations of *function*; none if one names a type that is not imported."""
    while (wrapped := getattr(function, "__wrapped__", None)) is not None:
        function = wrapped
    try:
        return typing.get_type_hints(function)
    except NameError:
        return {}


@functools.cache
def reader(hint: object) -> Reader:
    """Return the function that reads JSON values as *hint*; other types are left as they are."""
    if isinstance(hint, typing.NewType):
        return reader(hint.__supertype__)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, UnionType):
        choices = [each for each in arguments if each is not NoneType]
        # A union of several types is left as it is.
        read = reader(choices[0]) if len(choices) == 1 else _same
        return lambda value: None if value is None else read(value)
    if origin is Sequence:
        return _sequence(tuple, (*arguments, ...))
    if origin in _SEQUENCES:
        return _sequence(origin, arguments)
    if origin in (dict, Mapping):
        read_key, read_item = map(reader, arguments)
        return lambda value: {read_key(key): read_item(item) for key, item in value.items()}
    if not isinstance(hint, type):
        return _same
    if is_dataclass(hint):
        return _record(hint)
    if issubclass(hint, datetime):
        return hint.fromisoformat
    if issubclass(hint, DBWardenError):
        return read_error
    return hint if issubclass(hint, Path | Enum) else _same


def _same(value: Any) -> Any:
    return value


def _sequence(kind: Callable[[Any], Any], arguments: tuple[Any, ...]) -> Reader:
    if kind is tuple and arguments and arguments[-1] is not Ellipsis:
        readers = [reader(each) for each in arguments]
        return lambda value: tuple(read(item) for read, item in zip(readers, value, strict=True))
    read = reader(arguments[0]) if arguments else _same
    return lambda value: kind(read(item) for item in value)


def _record(kind: Any) -> Reader:
    hints = typing.get_type_hints(kind)
    readers = [(field.name, reader(hints[field.name])) for field in fields(kind) if field.init]
    return lambda value: kind(**{name: read(value[name]) for name, read in readers})
