"""Send many migrations in one message, and find the one that an error belongs to. Pure.

PostgreSQL runs many statements in one round trip and stops at the first error. In that text each
migration is a transaction of its own, with its ledger row. Two traces show how far it got:

- ``dbwarden.done``, a setting that each transaction changes. A setting is rolled back with its
  transaction, so its value names the last one that was committed.
- Markers between the statements of a migration, each of which takes the same advisory lock once
  more. The session counts these locks, a rollback does not release them, and they need no
  privilege. So their number identifies the statement if the error has no position. (``RAISE``
  would too, but each is a response of its own, which costs more than a small statement.) All
  markers have the same text, so that the server's statistics count them as one statement.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from dbwarden.dialects.base import PendingMigration, Statement, Step
from dbwarden.dialects.postgresql.migrate.history_queries import MESSAGE_BEGIN
from dbwarden.dialects.postgresql.migrate.session_state import RESET, leftovers
from dbwarden.dialects.postgresql.sql.quoting import literal, plain_name
from dbwarden.files.migration import Migration
from dbwarden.types import LONGEST_NAME, Location

MOST_UNITS = 100
"""The maximum number of migrations in one message."""

MOST_CHARACTERS = 1024 * 1024
"""The maximum number of characters of SQL in a message with several migrations."""

DONE = "dbwarden.done"

MARK_CLASS = 0x6462776D
"""The first key of the markers' lock, the letters ``dbwm``; the second is the backend's pid."""

_MARKER = (
    f"SELECT pg_catalog.pg_try_advisory_lock_shared({MARK_CLASS},pg_catalog.pg_backend_pid());"
)

TRACE = f"""SELECT concat(current_setting('{DONE}', true), ' ', (
  WITH RECURSIVE given_back(number, more) AS (
    SELECT 0, true UNION ALL
    SELECT number + 1, pg_advisory_unlock_shared({MARK_CLASS}, pg_backend_pid())
    FROM given_back WHERE more)
  SELECT max(number) - 1 FROM given_back))"""
"""The query for the last commit and the number of markers since the previous query."""

# SET TRANSACTION must come before the first query of a transaction, and a marker is one.
_SETS_TRANSACTION = re.compile(r"set\s+(?:local\s+|session\s+)?transaction", re.IGNORECASE)
# The server parses a whole message before it runs any of it. It may raise these errors then, and
# the first one without a position.
READING_ERRORS = frozenset({"22021", "22P05", "42601", "54000", "54001"})
_END = "\n;"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionLimits:
    """The settings of each transaction: timeouts in seconds (``None``: no limit), and our name."""

    statement_timeout: float | None
    lock_timeout: float | None
    application: str

    def sql(self, key: str, *, scope: str = "LOCAL", lock: bool = True) -> str:
        """Return the settings for migration *key*, without ``lock_timeout`` if *lock* is false."""
        lock_timeout = self.lock_timeout if lock else None
        room = LONGEST_NAME - min(len(key), 24) - 1
        name = plain_name(f"{self.application[:room]} {key[:24]}", LONGEST_NAME)
        return (
            f"SET {scope} statement_timeout={milliseconds(self.statement_timeout)};"
            f"SET {scope} lock_timeout={milliseconds(lock_timeout)};"
            f"SET {scope} application_name={literal(name)};"
        )


def milliseconds(seconds: float | None) -> int:
    """Return *seconds* as a timeout of the server: at least 1, or 0 for no limit."""
    return 0 if seconds is None else max(1, round(seconds * 1000))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One transaction: a step (``None``: only the ledger) and the SQL that records it.

    ``number`` is the value of ``dbwarden.done`` once it is committed; numbers only increase.
    ``prelude`` has the session settings of earlier steps of the same migration.
    """

    number: int
    pending: PendingMigration
    step: Step | None
    record: str
    prelude: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A part of a message that is part of a step: ``length`` characters from ``start``."""

    start: int
    length: int
    unit: Unit
    step_offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A text for the server and the origins of its parts.

    ``markers`` has the meaning of each marker, in order: ``(unit number, statements done)``.
    """

    text: str
    units: tuple[Unit, ...]
    slices: tuple[Slice, ...]
    markers: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The facts known after an error: its position and SQLSTATE, the markers, the last commit.

    ``position`` counts characters from 1, ``marks`` the markers of the message that ran.
    ``opened`` is true if the SQL before the first unit is committed.
    """

    sqlstate: str | None
    position: int | None
    marks: int
    done: int
    opened: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The failure of *unit* at *statement*; ``None`` is our own SQL or the commit."""

    unit: Unit
    statement: Statement | None
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingRan:
    """The server could not parse the message; the units in ``before`` precede the error."""

    before: tuple[Unit, ...]
    failed: Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class SendSeparately:
    """The server could not parse the message and gave no position, so send each unit alone."""


FailurePoint = Failed | NothingRan | SendSeparately


def batches(units: Sequence[Unit]) -> Iterator[tuple[Unit, ...]]:
    """Split *units* into the batches that one message can carry."""
    batch: list[Unit] = []
    size = 0
    for unit in units:
        length = len(unit.step.text) if unit.step is not None else 0
        if batch and (len(batch) == MOST_UNITS or size + length > MOST_CHARACTERS):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(unit)
        size += length
    if batch:
        yield tuple(batch)


def render(units: Sequence[Unit], limits: TransactionLimits, *, opening: str = "") -> Message:
    """Render *units* as one message, each its own transaction, after *opening*."""
    text = [opening]
    slices: list[Slice] = []
    marks: list[tuple[int, int]] = []
    position = len(opening)
    for unit in units:
        for piece in _pieces(unit, limits):
            length = len(piece.text)
            if piece.done is not None:
                marks.append((unit.number, piece.done))
            if piece.offset is not None:
                offset = piece.offset
                slices.append(Slice(start=position, length=length, unit=unit, step_offset=offset))
            text.append(piece.text)
            position += length
    return Message(
        text="".join(text), units=tuple(units), slices=tuple(slices), markers=tuple(marks)
    )


class _Piece(NamedTuple):
    """A part of a message: of a step, from ``offset`` on, or one that we add.

    ``done`` is the number of statements before a marker.
    """

    text: str
    done: int | None = None
    offset: int | None = None


def _pieces(unit: Unit, limits: TransactionLimits) -> Iterator[_Piece]:
    yield _Piece(MESSAGE_BEGIN)
    if unit.step is not None:
        yield _Piece(limits.sql(unit.pending.migration.key) + unit.prelude)
        yield from _step_pieces(unit.step)
        yield _Piece(RESET)
    yield _Piece(f"{unit.record};SELECT set_config('{DONE}','{unit.number}',false);COMMIT;")
    if unit.step is not None and unit.step.number == len(unit.pending.steps):
        cleanup_sql = leftovers(unit.pending.steps)
        yield _Piece(f"BEGIN;{cleanup_sql}COMMIT;" if cleanup_sql else "")


def _step_pieces(step: Step) -> Iterator[_Piece]:
    begin = 0
    offsets = statement_offsets(step)
    first = _first_marker(step)
    for done, offset in enumerate(offsets[first:], start=first):
        yield _Piece(step.text[begin:offset], offset=begin)
        yield _Piece(_MARKER, done)
        begin = offset
    yield _Piece(step.text[begin:], offset=begin)
    # On a line of its own: the text may end in a comment.
    yield _Piece(_END)
    if first <= len(offsets):
        yield _Piece(_MARKER, len(offsets))


def _first_marker(step: Step) -> int:
    """Return the number of statements that must precede the first marker."""
    setting = [
        number
        for number, statement in enumerate(step.statements, start=1)
        if _SETS_TRANSACTION.match(statement.text)
    ]
    return max(setting, default=1)


def statement_offsets(step: Step) -> tuple[int, ...]:
    """Return the offset of each statement in the step's text."""
    starts = [0, *(match.end() for match in re.finditer("\n", step.text))]
    return tuple(
        starts[statement.line - step.line]
        + statement.column
        - (step.column if statement.line == step.line else 1)
        for statement in step.statements
    )


# Statements that only create objects have the same result in one transaction and in several. New
# enum values, deferred constraints and SET LOCAL do not.
_ONLY_CREATES = re.compile(
    r"(create\s+(unlogged\s+)?(table|sequence|schema|type)|create\s+(unique\s+)?index|alter\s+table"
    r"|comment\s+on)\b",
    re.IGNORECASE,
)


def split_step(step: Step, most: int) -> tuple[Step, ...]:
    """Return *step*, or equivalent steps of at most *most* statements, for an empty database."""
    statements = step.statements
    if len(statements) <= most or not all(_ONLY_CREATES.match(each.text) for each in statements):
        return (step,)
    offsets = (*statement_offsets(step), len(step.text))
    return tuple(
        replace(
            step,
            text=step.text[offsets[start] : offsets[min(start + most, len(statements))]],
            line=statements[start].line,
            column=statements[start].column,
            statements=statements[start : start + most],
        )
        for start in range(0, len(statements), most)
    )


def find_failure(message: Message, trace: Trace) -> FailurePoint:
    """Return the unit of *message* that failed, and its location."""
    by_position = _at_position(message, trace.position)
    running = next((unit for unit in message.units if unit.number > trace.done), message.units[-1])
    marker = message.markers[trace.marks - 1] if trace.marks else None
    ran = marker is not None or running is not message.units[0]
    if by_position is None:
        if not ran and len(message.units) > 1 and trace.sqlstate in READING_ERRORS:
            return SendSeparately()
        return _at_marker(running, marker)
    if by_position.unit is running:
        return by_position
    failed_at = message.units.index(by_position.unit)
    return NothingRan(before=message.units[:failed_at], failed=by_position)


def _at_position(message: Message, position: int | None) -> Failed | None:
    if position is None:
        return None
    offset = position - 1
    for piece in message.slices:
        # An unexpected end of a text is reported at the "\n;" that we append to it.
        if piece.start <= offset < piece.start + piece.length + len(_END):
            break
    else:
        return None
    assert piece.unit.step is not None
    inside = offset - piece.start + piece.step_offset
    statement, location = locate_offset(piece.unit.pending.migration, piece.unit.step, inside)
    return Failed(unit=piece.unit, statement=statement, location=location)


def locate_offset(
    migration: Migration, step: Step, offset: int
) -> tuple[Statement | None, Location]:
    """Return the statement at *offset* of *step*, and the location of *offset* in the file."""
    offset = min(offset, len(step.text))
    line = step.text.count("\n", 0, offset)
    column = offset - step.text.rfind("\n", 0, offset) if line else step.column + offset
    begun = [
        statement
        for statement, start in zip(step.statements, statement_offsets(step), strict=True)
        if start <= offset
    ]
    statement = begun[-1] if begun else next(iter(step.statements), None)
    return statement, migration.at(step.line + line, column)


def _at_marker(unit: Unit, marker: tuple[int, int] | None) -> Failed:
    migration = unit.pending.migration
    if unit.step is None or not unit.step.statements:
        return Failed(unit=unit, statement=None, location=migration.at())
    done = marker[1] if marker is not None and marker[0] == unit.number else 0
    if done >= len(unit.step.statements):
        return Failed(unit=unit, statement=None, location=migration.at(unit.step.line))
    statement = unit.step.statements[done]
    location = migration.at(statement.line, statement.column)
    return Failed(unit=unit, statement=statement, location=location)
