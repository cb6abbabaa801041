"""What a look at a database answered, as values. Pure."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

from dbwarden.dialects.postgresql.migrate.history_queries import MESSAGE_BEGIN
from dbwarden.errors import LedgerError
from dbwarden.history import (
    HistoryKind,
    LedgerExcerpt,
    LedgerRow,
    LockHolder,
    Reading,
    ReplicaState,
    State,
)
from dbwarden.types import DatabaseName

_VERSION = re.compile(r":\d+ (\S+)$")
"""The migration that runs, at the end of our application name."""

_STATUS_COLUMNS = 8
"""How many columns of a look tell of the server; those of a row follow."""

Lines = Sequence[Sequence[Any]]
"""What a look returned, as values or as PostgreSQL writes them in a COPY."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """What a server of version 14 or newer tells of itself before it is asked.

    ``read_only`` is about transactions that do not say what they are. Times are written as of ISO
    8601. Behind a pooler all this is what another server process said, maybe long ago:
    ``backend_pid`` tells.
    """

    backend_pid: int
    server_version: str
    recovering: bool
    read_only: bool

    @staticmethod
    def of(backend_pid: int, settings: object) -> "Greeting | None":
        """From the settings that the server has reported; ``None`` where they do not say it."""
        version = getattr(settings, "server_version", None)
        recovering = getattr(settings, "in_hot_standby", None)
        read_only = getattr(settings, "default_transaction_read_only", None)
        iso = getattr(settings, "DateStyle", "").startswith("ISO")
        if version is None or recovering is None or read_only is None or not iso:
            return None
        return Greeting(
            backend_pid=backend_pid,
            server_version=version,
            recovering=recovering == "on",
            read_only=read_only == "on",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReply:
    """A reading, and what else one look told.

    ``reading`` says nothing of the holder and the replica yet. ``held`` says that somebody seems
    to hold the lock, ``recovering`` that the server replays another one's changes; the details
    are another question. ``also`` is what came of what was asked beside. ``namespace_exists`` is
    ``False`` where there is no ledger because its configured namespace is missing.
    """

    reading: Reading
    backend_pid: int
    held: bool
    recovering: bool
    also: bool = False
    namespace_exists: bool = True


def parse_status_lines(
    lines: Lines, database: DatabaseName | None = None, greeting: Greeting | None = None
) -> StatusReply:
    """Turn what :func:`look_sql` returned, at least one line, into values.

    Args:
        lines: What came back.
        database: For errors.
        greeting: What was not asked, because it was known.

    Raises:
        LedgerError: A row of *database*'s ledger makes no sense.
    """
    pid, version, recovering, read_only, there, namespace, held, also = lines[0][:_STATUS_COLUMNS]
    if greeting is not None:
        version, recovering = greeting.server_version, greeting.recovering
        read_only = "on" if greeting.read_only else "off"
    reading = Reading(
        server_version=version,
        namespace=namespace,
        rows=None
        if len(lines[0]) == _STATUS_COLUMNS
        else _rows([line[_STATUS_COLUMNS:] for line in lines], database),
        holder=None,
        read_only=read_only == "on" or _true(recovering),
    )
    return StatusReply(
        reading=reading,
        backend_pid=int(pid),
        held=_true(held),
        recovering=_true(recovering),
        also=_true(also),
        namespace_exists=_true(there),
    )


def parse_history(lines: Lines, database: DatabaseName) -> LedgerExcerpt:
    """Turn what :func:`history_sql` returned into values.

    Raises:
        LedgerError: A row of *database*'s ledger makes no sense.
    """
    if not lines:
        return LedgerExcerpt()
    return LedgerExcerpt(rows=_rows([line[1:] for line in lines], database), total=int(lines[0][0]))


def _true(value: str | bool | None) -> bool:
    return value is True or value == "t"


def add_details(reading: Reading, recovering: bool, text: str) -> Reading:
    """*reading* with what :func:`details_sql` returned."""
    found = json.loads(text)
    lag, replayed = found["replica"] or (None, None)
    state = ReplicaState(lag_seconds=None if lag is None else float(lag), replayed=replayed)
    holder = None if found["holder"] is None else _holder(found["holder"])
    return replace(reading, holder=holder, replica=state if recovering else None)


def _rows(lines: Lines, database: DatabaseName | None) -> tuple[LedgerRow, ...]:
    try:
        # Sorted here: an aggregate with an order costs the server a fifth of the whole look.
        return tuple(sorted([_row(line) for line in lines], key=_id))
    except (ValueError, TypeError) as error:
        raise LedgerError(
            f"a row of the ledger makes no sense: {error}",
            database=database,
            next_step="A newer dbwarden may have written it: update dbwarden. Otherwise correct "
            "that row by hand.",
        ) from error


_id = attrgetter("id")

# A dictionary answers four times as fast as the enum's class, and a fleet has many rows.
_KINDS = {kind.value: kind for kind in HistoryKind}
_STATES = {state.value: state for state in State}


def _row(row: Sequence[Any]) -> LedgerRow:
    key, description, kind, upgrade, rollback, state, step, running, done = row[1:10]
    started, finished, duration, application, host, pid, version = row[10:]
    return LedgerRow(
        id=int(row[0]),
        key=key,
        description=description,
        kind=_KINDS.get(kind) or HistoryKind(kind),
        upgrade_checksum=upgrade,
        rollback_checksum=rollback,
        state=_STATES.get(state) or State(state),
        step=int(step),
        running=running,
        steps_checksum=done,
        started_at=_time(started.strip('"')),
        finished_at=_time(finished.strip('"')) if finished is not None else None,
        duration_ms=float(duration) if duration is not None else None,
        application=application,
        host=host,
        pid=int(pid),
        dbwarden_version=version,
    )


def _holder(found: Sequence[Any]) -> LockHolder:
    pid, application, host, user, since, statement = found
    if statement is not None and statement.startswith(MESSAGE_BEGIN):
        # The server shows how a message begins, which may be a hundred migrations ago.
        version = _VERSION.search(application or "")
        statement = f"migration {version[1]}" if version else "a migration"
    return LockHolder(
        pid=pid,
        application=application or None,
        host=host,
        user=user,
        since=_time(since) if since is not None else None,
        statement=statement,
    )


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo is UTC else time.astimezone(UTC)


_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def copied_lines(copied: bytes) -> list[list[str | None]]:
    """The lines that ``COPY (SELECT ...) TO STDOUT`` sent in its text format.

    As of https://www.postgresql.org/docs/current/sql-copy.html, "Text Format".
    """
    text = copied.decode()
    # What has to be unescaped is rare, and a call for each value would take most of the time.
    plain = "\\" not in text.replace(r"\N", "")
    return [
        [None if field == r"\N" else field if plain else _unescaped(field) for field in fields]
        for fields in (line.split("\t") for line in text.split("\n")[:-1])
    ]


def _unescaped(field: str) -> str:
    return _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[1]), field)
