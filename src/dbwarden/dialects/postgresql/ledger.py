"""The ledger on PostgreSQL: where it lies, and how one look reads it and the lock. Pure."""

import json
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, LiteralString

from dbwarden.dialects.postgresql.quoting import identifier, literal
from dbwarden.errors import LedgerError
from dbwarden.ledger import Kind, LedgerRow, LockHolder, Reading, ReplicaState, State
from dbwarden.types import DatabaseName

LOCK_CLASS = 0x64627764
"""The first key of our advisory locks: the letters ``dbwd``."""

MESSAGE_BEGIN = "BEGIN;"
"""How a message with migrations begins."""

_VERSION = re.compile(r":\d+ (\S+)$")
"""The migration that runs, at the end of our application name."""

_ROWS: LiteralString = """
  SELECT coalesce(json_agg(json_build_array(
    l.id, l.key, l.description, l.kind, l.upgrade_checksum, l.rollback_checksum, l.state, l.step,
    l.running, l.steps_checksum, l.started_at, l.finished_at, l.duration_ms, l.application,
    l.host, l.pid, l.dbwarden_version)), '[]'::json)
  FROM """

# Does somebody else hold the lock? Who that is, is asked only then: in a fresh session each
# catalog and view that a query names costs more than the query itself.
_HELD: LiteralString = """
  EXISTS (SELECT FROM pg_lock_status() k
  WHERE k.classid = {lock_class} AND k.objid = {lock_key}::oid AND k.objsubid = 2
    AND k.locktype = 'advisory' AND k.granted AND k.pid <> pg_backend_pid())"""

# The same for half the price, in a statement that is its own transaction: a shared lock can be had
# beside other readers' but not beside a migrator's, and is given back when the statement ends.
_HELD_TRIED: LiteralString = "NOT pg_try_advisory_xact_lock_shared({lock_class}, {lock_key})"

# What pg_stat_activity hides from us comes out as NULL.
_HOLDER: LiteralString = """
  SELECT json_build_array(k.pid, a.application_name, host(a.client_addr), a.usename,
    a.backend_start,
    CASE WHEN a.state = 'active' AND a.query <> '<insufficient privilege>' THEN a.query END)
  FROM pg_catalog.pg_locks k LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = k.pid
  WHERE k.locktype = 'advisory' AND k.granted AND k.objsubid = 2
    AND k.database = (SELECT d.oid FROM pg_catalog.pg_database d
                      WHERE d.datname = current_database())
    AND k.classid = {lock_class} AND k.objid = {lock_key}::oid AND k.pid <> pg_backend_pid()
  LIMIT 1"""

# All that arrived was replayed: no lag, however long ago the last change was. That holds only
# while somebody delivers.
_REPLICA: LiteralString = """
  json_build_array(
    CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn()
          AND EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver w WHERE w.pid IS NOT NULL)
         THEN 0
         ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END,
    pg_last_wal_replay_lsn()::text)"""

_OURS_ALONE: LiteralString = "CASE WHEN pg_backend_pid() = {pid} THEN {done} END"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerAddress:
    """Where the configuration wants the ledger; without ``namespace`` the server finds one."""

    namespace: str | None
    table: str

    @property
    def found(self) -> str:
        """The table as the server will look for it."""
        parts = [self.namespace, self.table] if self.namespace else [self.table]
        return ".".join(identifier(part) for part in parts)

    @property
    def namespace_sql(self) -> str:
        """An expression for the namespace in which the ledger lies or would be made."""
        if self.namespace is not None:
            return f"{literal(self.namespace)}::text"
        table = f"to_regclass({literal(self.found)})"
        # 1259 is pg_class: a look by its number takes a third of the time of a join.
        return f"coalesce((pg_identify_object(1259, {table}, 0)).schema, current_schema())::text"

    @property
    def lock_key_sql(self) -> str:
        """An expression for the second key of the lock: the same for all who share the ledger.

        The server keeps the locks of databases apart, but shows them together; so the database's
        name is part of the key.
        """
        return self._lock_key(self.namespace_sql)

    def _lock_key(self, namespace: str) -> str:
        # Not with "||": a fresh session would have to look up which of its many operators is meant.
        return f"hashtext(concat(current_database(), '.', {namespace}, '.', {literal(self.table)}))"

    def claim_sql(self, backend_pid: int) -> str:
        """Within ``look_sql``: take the lock, if it is free and the session ours alone."""
        taken = f"pg_try_advisory_lock({LOCK_CLASS}, {self._lock_key('w.namespace')})"
        return _OURS_ALONE.format(pid=backend_pid, done=f"NOT pg_is_in_recovery() AND {taken}")

    def release_sql(self) -> str:
        """Within ``look_sql``: let go of the lock."""
        keys = f"{LOCK_CLASS}, {self._lock_key('w.namespace')}"
        return f"{unlock_sql(keys)} = 'true'"

    @property
    def namespace_there_sql(self) -> str:
        """A condition: a configured namespace exists."""
        if self.namespace is None:
            return "true"
        return f"to_regnamespace({literal(identifier(self.namespace))}) IS NOT NULL"

    def not_there_sql(self) -> str:
        """A statement that fails, with a division by zero, where the ledger can be found."""
        return f"SELECT 1 / (to_regclass({literal(self.found)}) IS NULL)::int;"

    def held_sql(self, namespace: str, *, alone: bool) -> str:
        """A condition: somebody else holds the lock of the ledger in *namespace*, an expression."""
        condition = _HELD_TRIED if alone else _HELD
        return condition.format(lock_class=LOCK_CLASS, lock_key=self._lock_key(namespace))

    def inside(self, namespace: str) -> str:
        """The table, qualified: what a migration does to ``search_path`` cannot move it."""
        return f"{identifier(namespace)}.{identifier(self.table)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A reading, and what else one look told.

    ``reading`` says nothing of the holder and the replica yet. ``held`` says that somebody seems
    to hold the lock, ``recovering`` that the server replays another one's changes; the details
    are another question. ``also`` is what came of what was asked beside. ``namespace_there`` is
    ``False`` where there is no ledger because its configured namespace is missing.
    """

    reading: Reading
    backend_pid: int
    held: bool
    recovering: bool
    also: bool = False
    namespace_there: bool = True


def unlock_sql(keys: str) -> str:
    """An expression: ``true`` as a text if the lock *keys* was ours, and was given back.

    What else the session has locked goes with it, the markers of its migrations for instance.
    """
    return f"concat(pg_advisory_unlock({keys})::text, pg_advisory_unlock_all()::text)"


def read_only_sql(backend_pid: int) -> str:
    """Within ``look_sql``: make the session read-only from the next transaction on.

    Free of charge, where a setting at the start would make poolers refuse us. Only in a session
    that is ours alone: a pooler would hand the setting on.
    """
    done = "set_config('default_transaction_read_only', 'on', false)"
    return _OURS_ALONE.format(pid=backend_pid, done=f"{done} = 'on'")


def look_sql(
    address: LedgerAddress,
    *,
    rows: bool = True,
    alone: bool = False,
    also: str = "NULL",
) -> str:
    """One SELECT that returns all of a :class:`Look` as one JSON text.

    Args:
        address: Where the ledger is.
        rows: Also read the rows; the server refuses that when there is no ledger.
        alone: It is a transaction by itself.
        also: A condition with an effect, evaluated when all the rest has been looked up. It does
            not see what it does; what others committed before the look began, the look sees.
    """
    there = "NULL" if rows else address.namespace_there_sql
    return f"""SELECT json_build_object(
  'version', current_setting('server_version'),
  'pid', pg_backend_pid(),
  'namespace', w.namespace,
  'recovering', pg_is_in_recovery(),
  'read_only', current_setting('transaction_read_only')::boolean,
  'held', {address.held_sql("w.namespace", alone=alone)},
  'rows', {f"({_ROWS}{address.found} l)" if rows else "NULL"},
  'namespace_there', {there},
  'also', {also})::text
FROM (SELECT {address.namespace_sql} AS namespace OFFSET 0) w"""


def parse_look(text: str, database: DatabaseName | None = None) -> Look:
    """Turn what :func:`look_sql` returned into values.

    Raises:
        LedgerError: A row of *database*'s ledger makes no sense.
    """
    found = json.loads(text)
    reading = Reading(
        server_version=found["version"],
        namespace=found["namespace"],
        rows=_rows(found["rows"], database),
        holder=None,
        read_only=found["read_only"] or found["recovering"],
    )
    return Look(
        reading=reading,
        backend_pid=found["pid"],
        held=bool(found["held"]),
        recovering=found["recovering"],
        also=bool(found["also"]),
        namespace_there=found["namespace_there"] is not False,
    )


def details_sql(address: LedgerAddress, *, holder: bool, lag: bool) -> str:
    """A query for what a :class:`Look` left open, as one JSON text.

    Args:
        address: Where the ledger is.
        holder: Ask who holds the lock.
        lag: Ask a replica how far it is; some kinds of them refuse that.
    """
    who = _HOLDER.format(lock_class=LOCK_CLASS, lock_key=address.lock_key_sql)
    return (
        f"SELECT json_build_object('holder', {f'({who})' if holder else 'NULL'},"
        f" 'replica', {_REPLICA if lag else 'NULL'})::text"
    )


def with_details(reading: Reading, recovering: bool, text: str) -> Reading:
    """*reading* with what :func:`details_sql` returned."""
    found = json.loads(text)
    lag, replayed = found["replica"] or (None, None)
    state = ReplicaState(lag_seconds=None if lag is None else float(lag), replayed=replayed)
    holder = None if found["holder"] is None else _holder(found["holder"])
    return replace(reading, holder=holder, replica=state if recovering else None)


def _rows(
    found: Sequence[Sequence[Any]] | None, database: DatabaseName | None
) -> tuple[LedgerRow, ...] | None:
    try:
        # Sorted here: an aggregate with an order costs the server a fifth of the whole look.
        return None if found is None else tuple(_row(row) for row in sorted(found, key=_id))
    except (ValueError, TypeError) as error:
        raise LedgerError(
            f"a row of the ledger makes no sense: {error}",
            database=database,
            next_step="A newer dbwarden may have written it: update dbwarden. Otherwise correct "
            "that row by hand.",
        ) from error


_id = itemgetter(0)

# A dictionary answers four times as fast as the enum's class, and a fleet has many rows.
_KINDS = {kind.value: kind for kind in Kind}
_STATES = {state.value: state for state in State}


def _row(row: Sequence[Any]) -> LedgerRow:
    key, description, kind, upgrade, rollback, state, step, running, done = row[1:10]
    started, finished, duration, application, host, pid, version = row[10:]
    return LedgerRow(
        id=row[0],
        key=key,
        description=description,
        kind=_KINDS.get(kind) or Kind(kind),
        upgrade_checksum=upgrade,
        rollback_checksum=rollback,
        state=_STATES.get(state) or State(state),
        step=step,
        running=running,
        steps_checksum=done,
        started_at=_time(started),
        finished_at=_time(finished) if finished is not None else None,
        duration_ms=duration,
        application=application,
        host=host,
        pid=pid,
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


def single_value(copied: bytes) -> str | None:
    """The one text that ``COPY (SELECT ...) TO STDOUT (FORMAT binary)`` sent; ``None`` for NULL."""
    # signature (11 bytes), flags (4), length of the header's extension (4), the extension,
    # number of columns (2), length of the value (4), the value, end mark
    (extension,) = struct.unpack_from("!i", copied, 15)
    start = 19 + extension + 2
    (length,) = struct.unpack_from("!i", copied, start)
    if length < 0:
        return None
    return copied[start + 4 : start + 4 + length].decode()


def no_namespace(database: str) -> LedgerError:
    """There is nowhere to put the ledger."""
    return LedgerError(
        "no namespace of the search_path exists, so there is no place for the ledger",
        database=database,
        next_step="Create one (CREATE SCHEMA ...), or set ledger_schema in its database_config.",
    )
