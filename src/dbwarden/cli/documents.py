"""Results as JSON documents. The shapes are documented in docs/commands.md."""

import json
from collections.abc import Sequence
from typing import Any

from dbwarden.errors import DBWardenError
from dbwarden.fleet import Outcome
from dbwarden.fleet.documents import Json, error_document, plain


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
        "duration_ms": None if outcome.duration_ms is None else round(outcome.duration_ms, 3),
        "error": plain(outcome.error),
        "result": result,
    }


def failure_document(command: str, error: DBWardenError, code: int) -> Json:
    """Return the document of a run that failed before it used any database."""
    return {"command": command, "exit_code": code, "error": error_document(error)}


def dumps(document: Any, *, ascii_only: bool = False) -> str:
    """Serialize one JSON document, indented."""
    return json.dumps(document, indent=2, ensure_ascii=ascii_only)
