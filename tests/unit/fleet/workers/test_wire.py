"""Results and errors arrive as they were, through JSON."""

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

import dbwarden
from dbwarden import errors
from dbwarden.errors import DBWardenError, MigrationFileError, ScratchRefused, UsageError
from dbwarden.fleet import Outcome, OutcomeState
from dbwarden.fleet.workers.wire import (
    read_error,
    read_outcome,
    reader,
    type_hints,
    write_error,
    write_outcome,
)
from dbwarden.types import DatabaseName, Location

OPERATIONS = [
    name for name in dbwarden.__all__ if inspect.iscoroutinefunction(getattr(dbwarden, name))
]
PLACE = Location(path=Path("/project/migrations/a.sql"), line=3, column=7)


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    path: Path
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    name: DatabaseName
    colour: Colour
    parts: tuple[Part, ...]
    pair: tuple[str, int]
    errors: tuple[DBWardenError, ...]
    counts: Mapping[str, int]
    first: Part | None = None
    anything: Any = None


def through_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


def travelled(outcome: Outcome[Any], hint: object) -> Outcome[Any]:
    return read_outcome(through_json(write_outcome(outcome)), hint)


def test_a_result_arrives_equal_to_what_was_sent() -> None:
    part = Part(path=Path("/a"), at=datetime(2026, 11, 30, 12, tzinfo=UTC))
    whole = Whole(
        name=DatabaseName("t1"),
        colour=Colour.RED,
        parts=(part, Part(path=Path("b"), at=None)),
        pair=("x", 1),
        errors=(),
        counts={"a": 1},
        first=part,
        anything=1.5,
    )
    outcome = Outcome(
        database=DatabaseName("t1"),
        state=OutcomeState.SUCCEEDED,
        result=whole,
        duration_ms=1.25,
    )

    assert travelled(outcome, Whole) == outcome


def test_a_result_without_a_known_type_stays_plain_data() -> None:
    outcome = Outcome(database=DatabaseName("a"), state=OutcomeState.SUCCEEDED, result=("x", 1))

    assert travelled(outcome, None).result == ["x", 1]


@pytest.mark.parametrize("name", sorted({*OPERATIONS} - {"migrate_all", "init", "new"}))
def test_the_result_of_every_operation_has_a_type_that_is_read(name: str) -> None:
    hint = type_hints(getattr(dbwarden, name))["return"]
    assert isinstance(hint, type), name
    for kind in _classes(hint):
        for value in get_type_hints(kind).values():
            choices = [each for each in get_args(value) if each is not type(None)]
            single = len(choices) < 2 or choices[-1] is ...
            assert single or get_origin(value) is Literal, f"{kind.__name__}: {value}"
    assert reader(hint) is not reader(int)


def _classes(hint: object) -> set[type]:
    found = {hint} if hasattr(hint, "__dataclass_fields__") and isinstance(hint, type) else set()
    inner = get_type_hints(hint).values() if found else get_args(hint)
    return found.union(*map(_classes, inner))


SPECIAL: dict[str, dict[str, Any]] = {
    "ScratchRefused": {"reason": "no such type", "cause": "missing object", "sqlstate": "42704"},
    "UsageError": {"option": "--fill"},
    "ConfigurationError": {"problems": ("a: no url", "b: no url")},
    "StartupFailed": {"known": ("a: is down",)},
}
CLASSES = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, DBWardenError)
]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_an_error_of_every_class_arrives_with_all_its_fields(kind: type[DBWardenError]) -> None:
    special = SPECIAL.get(kind.__name__, {})
    given = {} if "reason" in special else {"message": "it failed"}
    error = kind(**given, **special, database="t1", location=PLACE, next_step="Look.")

    arrived = read_error(through_json(write_error(error)))

    assert type(arrived) is kind
    assert vars(arrived) == vars(error)
    assert str(arrived) == str(error)


def test_the_problems_of_a_folder_arrive_as_errors() -> None:
    problem = MigrationFileError("a bad header", location=PLACE)
    arrived = read_error(through_json(write_error(MigrationFileError("bad", problems=[problem]))))

    assert isinstance(arrived, MigrationFileError)
    assert [str(each) for each in arrived.problems] == [str(problem)]


def test_an_error_inside_a_result_arrives_as_an_error() -> None:
    refused = ScratchRefused("no", cause="missing value")
    outcome = Outcome(
        database=DatabaseName("a"), state=OutcomeState.SUCCEEDED, result={"refused": [refused]}
    )

    result: Any = travelled(outcome, Mapping[str, Sequence[DBWardenError]]).result
    (arrived,) = result["refused"]

    assert vars(arrived) == vars(refused)


def test_an_error_of_a_class_that_is_not_ours_is_a_plain_one() -> None:
    class TheirError(UsageError):
        pass

    arrived = read_error(through_json(write_error(TheirError("oh"))))

    assert (type(arrived), arrived.message) == (DBWardenError, "oh")
