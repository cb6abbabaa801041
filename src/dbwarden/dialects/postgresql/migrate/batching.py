"""Many migrations in one message to the server, and which of them an error means. Pure.

PostgreSQL takes a text of many statements in one round trip and stops at the first error. Each
migration is a transaction of its own in that text, with its ledger row. Two traces tell afterwards
what happened:

- ``dbwarden.done``, a setting that each transaction changes: a setting goes back with its
  transaction, so its value names the last one that was committed.
- markers between the statements of a migration: each takes the same advisory lock once more. The
  session counts that, a rollback does not take it back, and it needs no privilege, so how often
  it was taken tells which statement ran, where the error has no position. (A ``RAISE`` would tell
  it too, but each is an answer of its own, which costs more than a small statement.) They all
  read the same, so that the server's statistics count them as one statement.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from dbwarden.dialects.base import PendingMigration, Statement, Step
from dbwarden.dialects.postgresql.migrate.history_queries import MESSAGE_BEGIN
from dbwarden.dialects.postgresql.migrate.session_state import RESET, leftovers
from dbwarden.dialects.postgresql.sql.quoting import NAME_LIMIT, literal, plain_name
from dbwarden.files.migration import Migration
from dbwarden.types import Location

MOST_UNITS = 100
"""How many migrations travel in one message."""

MOST_CHARACTERS = 1024 * 1024
"""How long a message gets before the next migration has to wait for the next one."""

DONE = "dbwarden.done"

MARK_CLASS = 0x6462776D
"""The first key of the markers' lock, the letters ``dbwm``; the second is the server's process."""

_MARKER = (
    f"SELECT pg_catalog.pg_try_advisory_lock_shared({MARK_CLASS},pg_catalog.pg_backend_pid());"
)

TRACE = f"""SELECT concat(current_setting('{DONE}', true), ' ', (
  WITH RECURSIVE given_back(number, more) AS (
    SELECT 0, true UNION ALL
    SELECT number + 1, pg_advisory_unlock_shared({MARK_CLASS}, pg_backend_pid())
    FROM given_back WHERE more)
  SELECT max(number) - 1 FROM given_back))"""
"""Asks for the last commit and the number of markers since the last time it was asked."""

# SET TRANSACTION must come before the first query of a transaction, and a marker is one.
_SETS_TRANSACTION = re.compile(r"set\s+(?:local\s+|session\s+)?transaction", re.IGNORECASE)
# The server reads a message as a whole before it runs any of it; these it may find then, and the
# first one without saying where.
READING_ERRORS = frozenset({"22021", "22P05", "42601", "54000", "54001"})
_END = "\n;"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a transaction is started with: seconds (``None``: no limit), and our name."""

    statement_timeout: float | None
    lock_timeout: float | None
    application: str

    def sql(self, key: str, *, scope: str = "LOCAL", lock: bool = True) -> str:
        """The settings for migration *key*; *lock* ``False`` waits for table locks for ever."""
        lock_timeout = self.lock_timeout if lock else None
        room = NAME_LIMIT - min(len(key), 24) - 1
        name = plain_name(f"{self.application[:room]} {key[:24]}", NAME_LIMIT)
        return (
            f"SET {scope} statement_timeout={milliseconds(self.statement_timeout)};"
            f"SET {scope} lock_timeout={milliseconds(lock_timeout)};"
            f"SET {scope} application_name={literal(name)};"
        )


def milliseconds(seconds: float | None) -> int:
    """*seconds* as the server takes a time limit: at least 1, and 0 for none."""
    return 0 if seconds is None else max(1, round(seconds * 1000))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One transaction: a step (``None``: only the ledger) and the SQL that records it.

    ``number`` is what ``dbwarden.done`` says once it is committed; numbers only grow. ``prelude``
    are the session settings that earlier steps of the same migration made.
    """

    number: int
    pending: PendingMigration
    step: Step | None
    record: str
    prelude: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A piece of a message that is a piece of a step: ``length`` characters from ``start``."""

    start: int
    length: int
    unit: Unit
    step_offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A text for the server and where its pieces come from.

    ``markers`` has what each marker says, in order: ``(unit number, statements done)``.
    """

    text: str
    units: tuple[Unit, ...]
    slices: tuple[Slice, ...]
    markers: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What is known after an error: its position and SQLSTATE, the markers, the last commit.

    ``position`` counts characters from 1, ``marks`` the markers of the message that ran.
    ``opened`` says that what came before the first unit is committed.
    """

    sqlstate: str | None
    position: int | None
    marks: int
    done: int
    opened: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """*unit* failed, at *statement*; ``None`` is our own part or the commit."""

    unit: Unit
    statement: Statement | None
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingRan:
    """The server refused to read the message; these units stand before the fault in it."""

    before: tuple[Unit, ...]
    failed: Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class SendApart:
    """The server refused to read the message and did not say why: send each unit alone."""


Verdict = Failed | NothingRan | SendApart


def batches(units: Sequence[Unit]) -> Iterator[tuple[Unit, ...]]:
    """Cut *units* into what travels together."""
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


def render(units: Sequence[Unit], limits: Limits, *, opening: str = "") -> Message:
    """Write *units* into one message, each its own transaction, behind *opening*."""
    text = [opening]
    slices: list[Slice] = []
    marks: list[tuple[int, int]] = []
    position = len(opening)
    for unit in units:
        for piece in _pieces(unit, limits):
            match piece:
                case _Ours(text=written, done=int(done)):
                    marks.append((unit.number, done))
                case _Ours(text=written):
                    pass
                case _Theirs(text=written, offset=offset):
                    length = len(written)
                    slices.append(
                        Slice(start=position, length=length, unit=unit, step_offset=offset)
                    )
            text.append(written)
            position += len(written)
    return Message(
        text="".join(text), units=tuple(units), slices=tuple(slices), markers=tuple(marks)
    )


class _Ours(NamedTuple):
    """A piece of a message that we add; a marker says how many statements are done."""

    text: str
    done: int | None = None


class _Theirs(NamedTuple):
    """A piece of a step, from *offset* on."""

    text: str
    offset: int


def _pieces(unit: Unit, limits: Limits) -> Iterator[_Ours | _Theirs]:
    yield _Ours(MESSAGE_BEGIN)
    if unit.step is not None:
        yield _Ours(limits.sql(unit.pending.migration.key) + unit.prelude)
        yield from _step_pieces(unit.step)
        yield _Ours(RESET)
    yield _Ours(f"{unit.record};SELECT set_config('{DONE}','{unit.number}',false);COMMIT;")
    if unit.step is not None and unit.step.number == len(unit.pending.steps):
        left = leftovers(unit.pending.steps)
        yield _Ours(f"BEGIN;{left}COMMIT;" if left else "")


def _step_pieces(step: Step) -> Iterator[_Ours | _Theirs]:
    begin = 0
    offsets = statement_offsets(step)
    first = _first_marker(step)
    for done, offset in enumerate(offsets[first:], start=first):
        yield _Theirs(step.text[begin:offset], begin)
        yield _Ours(_MARKER, done)
        begin = offset
    yield _Theirs(step.text[begin:], begin)
    # On a line of its own: the text may end in a comment.
    yield _Ours(_END)
    if first <= len(offsets):
        yield _Ours(_MARKER, len(offsets))


def _first_marker(step: Step) -> int:
    """How many statements must be done before a marker may stand."""
    setting = [
        number
        for number, statement in enumerate(step.statements, start=1)
        if _SETS_TRANSACTION.match(statement.text)
    ]
    return max(setting, default=1)


def statement_offsets(step: Step) -> tuple[int, ...]:
    """Where in the step's text each of its statements begins."""
    starts = [0, *(found.end() for found in re.finditer("\n", step.text))]
    return tuple(
        starts[statement.line - step.line]
        + statement.column
        - (step.column if statement.line == step.line else 1)
        for statement in step.statements
    )


# What only makes things leads to the same in one transaction and in several. A value that is added
# to an enum, rows that wait for a deferred constraint or SET LOCAL do not.
_ONLY_MAKES = re.compile(
    r"(create\s+(unlogged\s+)?(table|sequence|schema|type)|create\s+(unique\s+)?index|alter\s+table"
    r"|comment\s+on)\b",
    re.IGNORECASE,
)


def split_step(step: Step, most: int) -> tuple[Step, ...]:
    """*step*, or steps of at most *most* statements that do the same in an empty database."""
    statements = step.statements
    if len(statements) <= most or not all(_ONLY_MAKES.match(each.text) for each in statements):
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


def find_failure(message: Message, trace: Trace) -> Verdict:
    """Which unit of *message* failed, and where."""
    by_position = _at_position(message, trace.position)
    running = next((unit for unit in message.units if unit.number > trace.done), message.units[-1])
    marker = message.markers[trace.marks - 1] if trace.marks else None
    ran = marker is not None or running is not message.units[0]
    if by_position is None:
        if not ran and len(message.units) > 1 and trace.sqlstate in READING_ERRORS:
            return SendApart()
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
        # What is missing at the end of a text is missed at the "\n;" that we put behind it.
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
    """The statement in which the character at *offset* of *step* stands, and where in the file."""
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
