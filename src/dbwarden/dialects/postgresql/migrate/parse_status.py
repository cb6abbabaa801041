"""Parse the result of a status query. Pure."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

from dbwarden.dialects.postgresql.migrate.history_queries import MESSAGE_BEGIN, NO_COLUMNS
from dbwarden.errors import LedgerError
from dbwarden.migration_history import (
    DatabaseStatus,
    HistoryKind,
    LedgerExcerpt,
    LedgerRow,
    LockHolder,
    ReplicaState,
    State,
    check_format,
    parse_intervals,
)
from dbwarden.types import DatabaseName

_VERSION = re.compile(r":\d+ (\S+)$")
"""The running migration, at the end of our application name."""

_STATUS_COLUMNS = 8
"""The number of columns about the server, which precede those of a row."""

_ROW_COLUMNS = 19
"""The number of columns of a row; four about fingerprints may follow."""

Lines = Sequence[Sequence[Any]]
"""The rows of a status query, as values or as texts in the format of COPY."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReply:
    """The result of one status query: a reading and facts for the next queries.

    ``reading`` lacks the holder and the replica, which need another query. ``held`` is true if
    another session seems to hold the lock, ``recovering`` if the server replays the changes of
    another one. ``side_effect_done`` is the value of ``StatusQuery.side_effect_sql``.
    ``namespace_exists`` is false if there is no ledger because its configured namespace is missing.
    ``has_fingerprints`` is true if the ledger is known to have the columns of fingerprints.
    """

    reading: DatabaseStatus
    backend_pid: int
    held: bool
    recovering: bool
    side_effect_done: bool = False
    namespace_exists: bool = True
    has_fingerprints: bool = False


def parse_status_lines(lines: Lines, database: DatabaseName | None = None) -> StatusReply:
    """Parse the result of :func:`status_sql`, which has at least one line.

    Raises:
        LedgerError: A row of *database*'s ledger is invalid.
    """
    server, row = lines[0][:_STATUS_COLUMNS], lines[0][_STATUS_COLUMNS:]
    pid, version, recovering, read_only, namespace_exists, namespace, held, side_effect = server
    reading = DatabaseStatus(
        server_version=version,
        namespace=namespace,
        rows=_rows([line[_STATUS_COLUMNS:] for line in lines], database) if row else None,
        holder=None,
        read_only=read_only == "on" or _true(recovering),
        fingerprint=_fingerprint(row),
    )
    return StatusReply(
        reading=reading,
        backend_pid=int(pid),
        held=_true(held),
        recovering=_true(recovering),
        side_effect_done=_true(side_effect),
        namespace_exists=_true(namespace_exists),
        has_fingerprints=len(row) > _ROW_COLUMNS and row[-2] != NO_COLUMNS,
    )


def parse_history(lines: Lines, database: DatabaseName) -> LedgerExcerpt:
    """Parse the result of :func:`history_sql`.

    Raises:
        LedgerError: A row of *database*'s ledger is invalid.
    """
    if not lines:
        return LedgerExcerpt()
    return LedgerExcerpt(
        rows=_rows([line[1:] for line in lines], database),
        total=int(lines[0][0]),
        fingerprint=_fingerprint(lines[0][1:]),
    )


def _fingerprint(row: Sequence[Any]) -> str | None:
    """Return the fingerprint of the schema, if the query had one."""
    return row[-1] if len(row) > _ROW_COLUMNS else None


def _true(value: str | bool | None) -> bool:
    return value is True or value == "t"


def add_details(reading: DatabaseStatus, recovering: bool, text: str) -> DatabaseStatus:
    """Return *reading* with the result of :func:`details_sql`."""
    details = json.loads(text)
    lag, replayed = details["replica"] or (None, None)
    state = ReplicaState(lag_seconds=None if lag is None else float(lag), replayed=replayed)
    holder = None if details["holder"] is None else _holder(details["holder"])
    return replace(reading, holder=holder, replica=state if recovering else None)


def _rows(lines: Lines, database: DatabaseName | None) -> tuple[LedgerRow, ...]:
    try:
        # Sorted here, because an ordered aggregate takes a fifth of the query's time on the server.
        return tuple(sorted([_row(line) for line in lines], key=_id))
    except (ValueError, TypeError) as error:
        raise LedgerError(
            f"a row of the ledger is invalid: {error}",
            database=database,
            next_step="A newer dbwarden may have written it: update dbwarden. Otherwise correct "
            "that row by hand.",
        ) from error


_id = attrgetter("id")

# A dictionary lookup is four times as fast as calling the enum, and a fleet has many rows.
_KINDS = {kind.value: kind for kind in HistoryKind}
_STATES = {state.value: state for state in State}


def _row(row: Sequence[Any]) -> LedgerRow:
    key, description, kind, upgrade, rollback, state, step, running, done = row[1:10]
    started, finished, duration, application, host, pid, version = row[10:17]
    format_, phase = row[17:_ROW_COLUMNS]
    check_format(int(format_))
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
        phase=phase,
        **_fingerprints(row[_ROW_COLUMNS:]),
    )


def _fingerprints(values: Sequence[Any]) -> dict[str, Any]:
    """Return the fields about the schema of a row, if the query had them."""
    if not values or values[0] is None:
        return {}
    fingerprint, taken_at, changed, _ = values
    return {
        "fingerprint": fingerprint,
        "fingerprint_at": _time(taken_at.strip('"')),
        "changed_outside": parse_intervals(changed),
    }


def _holder(values: Sequence[Any]) -> LockHolder:
    pid, application, host, user, since, statement = values
    if statement is not None and statement.startswith(MESSAGE_BEGIN):
        # The server shows the beginning of a message, maybe a hundred migrations ago.
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
    """Parse the text format of ``COPY (SELECT ...) TO STDOUT``.

    See https://www.postgresql.org/docs/current/sql-copy.html, "Text Format".
    """
    text = copied.decode()
    # Escapes are rare, and a call for each value would take most of the time.
    plain = "\\" not in text.replace(r"\N", "")
    return [
        [None if field == r"\N" else field if plain else _unescaped(field) for field in fields]
        for fields in (line.split("\t") for line in text.split("\n")[:-1])
    ]


def _unescaped(field: str) -> str:
    return _ESCAPED.sub(lambda match: _ESCAPES.get(match[1], match[1]), field)
