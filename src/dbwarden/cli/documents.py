"""Results as JSON documents. The shapes are documented in docs/commands.md."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from dbwarden.errors import ConfigurationError, DBWardenError, StatementFailed
from dbwarden.fleet import Outcome
from dbwarden.secrets import Secret

Json = dict[str, Any]


def plain(value: Any) -> Any:
    """Convert *value* to JSON types: dataclasses by field, times as ISO 8601 in UTC."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Path | Secret):
        return str(value)
    if isinstance(value, DBWardenError):
        return error_document(value)
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value]


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


def fleet_document(
    command: str, outcomes: Sequence[Outcome[Any]], code: int, *, flat: bool = False
) -> Json:
    """Return the outcome of every database, a count of each state, and the exit code.

    *flat* repeats the fields of each result next to its state, and lists the errors, for readers
    of earlier versions.
    """
    states = [outcome.state.value for outcome in outcomes]
    errors = [plain(outcome.error) for outcome in outcomes if outcome.error is not None]
    document: Json = {"command": command, "exit_code": code}
    if flat and errors:
        document |= {"error": errors[0], "errors": errors}
    document["summary"] = {state: states.count(state) for state in sorted(set(states))}
    document["databases"] = [_outcome_document(outcome, flat=flat) for outcome in outcomes]
    return document


def _outcome_document(outcome: Outcome[Any], *, flat: bool) -> Json:
    result = plain(outcome.result)
    clean = getattr(outcome.result, "clean", None)
    if clean is not None:
        result["clean"] = clean
    return {
        **(result if flat and result else {}),
        "database": outcome.database,
        "state": outcome.state.value,
        "duration_ms": _rounded(outcome.duration_ms),
        "error": plain(outcome.error),
        "result": result,
    }


def failure_document(command: str, error: DBWardenError, code: int) -> Json:
    """Return the document of a run that failed before it used any database."""
    return {"command": command, "exit_code": code, "error": error_document(error)}


def dumps(document: Any, *, ascii_only: bool = False) -> str:
    """Serialize one JSON document, indented."""
    return json.dumps(document, indent=2, ensure_ascii=ascii_only)


def _rounded(duration_ms: float | None) -> float | None:
    return None if duration_ms is None else round(duration_ms, 3)
