"""The ledger on PostgreSQL: where it lies, and the SQL that looks at it and at the lock. Pure."""

from dataclasses import dataclass
from functools import lru_cache
from typing import LiteralString

from dbwarden.dialects.postgresql.sql.quoting import identifier, literal
from dbwarden.errors import LedgerError

LOCK_CLASS = 0x64627764
"""The first key of our advisory locks: the letters ``dbwd``."""

MESSAGE_BEGIN = "BEGIN;"
"""How a message with migrations begins."""

# The rows as they are: to make one JSON text of them would cost a fresh session more than to read
# them.
_ROWS: LiteralString = """
  l.id, l.key, l.description, l.kind, l.upgrade_checksum, l.rollback_checksum, l.state, l.step,
  l.running, l.steps_checksum, {times}, l.duration_ms, l.application, l.host, l.pid,
  l.dbwarden_version"""

# How a time is written depends on the session's DateStyle; in JSON it does not.
_TIMES: LiteralString = "to_json(l.started_at), to_json(l.finished_at)"
_TIMES_AS_THEY_ARE: LiteralString = "l.started_at, l.finished_at"

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
    def existing_namespace_sql(self) -> str:
        """The same where the ledger is known to be there."""
        if self.namespace is not None:
            return self.namespace_sql
        return f"(pg_identify_object(1259, to_regclass({literal(self.found)}), 0)).schema"

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
        """Within ``status_sql``: take the lock, if it is free and the session ours alone."""
        taken = f"pg_try_advisory_lock({LOCK_CLASS}, {self.lock_key_sql})"
        return _OURS_ALONE.format(pid=backend_pid, done=f"NOT pg_is_in_recovery() AND {taken}")

    def release_sql(self) -> str:
        """Within ``status_sql``: let go of the lock."""
        return f"{unlock_sql(f'{LOCK_CLASS}, {self.lock_key_sql}')} = 'true'"

    @property
    def namespace_exists_sql(self) -> str:
        """A condition: a configured namespace exists."""
        if self.namespace is None:
            return "true"
        return f"to_regnamespace({literal(identifier(self.namespace))}) IS NOT NULL"

    def assert_absent_sql(self) -> str:
        """A statement that fails, with a division by zero, where the ledger can be found."""
        return f"SELECT 1 / (to_regclass({literal(self.found)}) IS NULL)::int;"

    def held_sql(self, namespace: str, *, alone: bool) -> str:
        """A condition: somebody else holds the lock of the ledger in *namespace*, an expression."""
        condition = _HELD_TRIED if alone else _HELD
        return condition.format(lock_class=LOCK_CLASS, lock_key=self._lock_key(namespace))

    def inside(self, namespace: str) -> str:
        """The table, qualified: what a migration does to ``search_path`` cannot move it."""
        return f"{identifier(namespace)}.{identifier(self.table)}"


def unlock_sql(keys: str) -> str:
    """An expression: ``true`` as a text if the lock *keys* was ours, and was given back.

    What else the session has locked goes with it, the markers of its migrations for instance.
    """
    return f"concat(pg_advisory_unlock({keys})::text, pg_advisory_unlock_all()::text)"


def read_only_sql(backend_pid: int) -> str:
    """Within ``status_sql``: make the session read-only from the next transaction on.

    Free of charge, where a setting at the start would make poolers refuse us. Only in a session
    that is ours alone: a pooler would hand the setting on.
    """
    done = "set_config('default_transaction_read_only', 'on', false)"
    return _OURS_ALONE.format(pid=backend_pid, done=f"{done} = 'on'")


_SERVER: LiteralString = """current_setting('server_version'), pg_is_in_recovery(),
  current_setting('transaction_read_only')"""
_GREETED: LiteralString = "NULL, NULL, NULL"


@lru_cache(maxsize=64)  # a fleet asks all its databases the same
def status_sql(
    address: LedgerAddress,
    *,
    rows: bool = True,
    alone: bool = False,
    greeted: bool = False,
    also: str = "NULL",
    where: bool = True,
    row_ids: tuple[int, ...] = (),
) -> str:
    """One SELECT that returns all of a :class:`Look`: what is told of the server before each row.

    What must not be evaluated for each of them stands in a SELECT of its own.

    Args:
        address: Where the ledger is.
        rows: Read the rows; the server refuses that when there is no ledger, and returns nothing
            when it is empty. Otherwise one line comes back, without a row.
        alone: It is a transaction by itself.
        greeted: Leave out what a :class:`Greeting` has told: a fresh session would have to look
            up each of these functions.
        also: A condition with an effect, evaluated when all the rest has been looked up. It does
            not see what it does; what others committed before the look began, the look sees.
        where: Tell the ledger's namespace, without which nothing can be written.
        row_ids: Rows to read even if they were rolled back; the others are the live ones.
    """
    namespace = address.existing_namespace_sql if rows else address.namespace_sql
    there = "true" if rows else address.namespace_exists_sql
    columns = _ROWS.format(times=_TIMES_AS_THEY_ARE if greeted else _TIMES)
    return f"""SELECT pg_backend_pid(), {_GREETED if greeted else _SERVER}, {there},
  {f"(SELECT {namespace})" if where else "NULL"}, (SELECT {
        address.held_sql(namespace, alone=alone)
    }), (SELECT {also}){f", {columns} FROM {address.found} l{_live(row_ids)}" if rows else ""}"""


def _live(row_ids: tuple[int, ...]) -> str:
    """The condition for live rows, which an index covers, and those with *row_ids*."""
    others = f" OR l.id IN ({', '.join(str(number) for number in row_ids)})" if row_ids else ""
    return f" WHERE l.state <> 'rolled_back'{others}"


def history_sql(address: LedgerAddress, limit: int | None) -> str:
    """A query for the newest *limit* rows, newest first, each behind the number of all rows."""
    newest = "" if limit is None else f" LIMIT {limit}"
    return (
        f"SELECT (SELECT count(*) FROM {address.found}), {_ROWS.format(times=_TIMES)}"
        f" FROM (SELECT * FROM {address.found} ORDER BY id DESC{newest}) l"
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


def no_namespace(database: str) -> LedgerError:
    """There is nowhere to put the ledger."""
    return LedgerError(
        "no namespace of the search_path exists, so there is no place for the ledger",
        database=database,
        next_step="Create one (CREATE SCHEMA ...), or set ledger_schema in its database_config.",
    )
