"""Results and errors as JSON types."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from dbwarden.errors import ConfigurationError, DBWardenError, StatementFailed
from dbwarden.secrets import Secret

Json = dict[str, Any]


def plain(value: Any, error: Callable[[DBWardenError], Json] | None = None) -> Any:
    """Convert *value* to JSON types: dataclasses by field, times as ISO 8601 in UTC.

    *error* converts an error; default: :func:`error_document`.
    """
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Path | Secret):
        return str(value)
    if isinstance(value, DBWardenError):
        return (error or error_document)(value)
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name), error) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item, error) for key, item in value.items()}
    return [plain(item, error) for item in value]


def error_document(error: DBWardenError) -> Json:
    """Return an error with all its fields."""
    place = error.location
    document: Json = {
        "type": type(error).__name__,
        "message": error.message,
        "database": error.database,
        "file": str(place.path) if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "statement": error.statement,
        "detail": error.detail,
        "hint": error.hint,
        "next_step": error.next_step,
    }
    if isinstance(error, StatementFailed):
        document["sqlstate"] = error.sqlstate
    if isinstance(error, ConfigurationError):
        document["problems"] = list(error.problems)
    return document
