"""Build the SQL that reads the ledger and the migration lock on PostgreSQL. Pure."""

from dataclasses import dataclass
from functools import lru_cache
from typing import LiteralString

from dbwarden.dialects.postgresql.sql.quoting import literal
from dbwarden.quoting import quoted

LOCK_CLASS = 0x64627764
"""The first key of our advisory locks: the letters ``dbwd``."""

MESSAGE_BEGIN = "BEGIN;"
"""The beginning of a message with migrations."""

# Plain columns: building one JSON text of the rows would cost a fresh session more than reading
# them. The text of a time depends on the session's DateStyle, except in JSON.
_ROWS: LiteralString = """
  l.id, l.key, l.description, l.kind, l.upgrade_checksum, l.rollback_checksum, l.state, l.step,
  l.running, l.steps_checksum, to_json(l.started_at), to_json(l.finished_at),
  l.duration_ms, l.application, l.host, l.pid, l.dbwarden_version,
  (SELECT format FROM (SELECT l.*) AS own_row), (SELECT phase FROM (SELECT l.*) AS own_row)"""

# The table's own columns where it has them, else these ones, which are in an outer query.
_WITHOUT_FORMAT: LiteralString = ", (SELECT 1 AS format, NULL::text AS phase) AS without_format"

NO_COLUMNS = "no columns"
"""The value of ``changed_outside`` if a table of an earlier version has no such column."""

# Read where they are needed only: each of these columns costs a query of the row.
_FINGERPRINTS: LiteralString = """,
  (SELECT fingerprint FROM (SELECT l.*) AS own_row),
  (SELECT to_json(fingerprint_at) FROM (SELECT l.*) AS own_row),
  (SELECT changed_outside FROM (SELECT l.*) AS own_row)"""
_WITHOUT_FINGERPRINTS: LiteralString = """, (SELECT NULL::text AS fingerprint,
  NULL::timestamptz AS fingerprint_at, 'no columns'::text AS changed_outside) AS no_fingerprints"""

# Does another session hold the lock? The holder is queried only if so, because in a fresh session
# each catalog and view of a query costs more than the query itself.
_HELD: LiteralString = """
  EXISTS (SELECT FROM pg_lock_status() k
  WHERE k.classid = {lock_class} AND k.objid = {lock_key}::oid AND k.objsubid = 2
    AND k.locktype = 'advisory' AND k.granted AND k.pid <> pg_backend_pid())"""

# The same at half the cost, for a statement that is its own transaction: a shared lock conflicts
# with a migrator's lock but not with other readers', and is released when the statement ends.
_HELD_TRIED: LiteralString = "NOT pg_try_advisory_xact_lock_shared({lock_class}, {lock_key})"

# Values that pg_stat_activity hides from us are NULL.
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

# There is no lag if all received WAL was replayed, however old the last change is. That holds only
# while a WAL receiver runs.
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
    """The configured table of the ledger; without ``namespace`` the search path decides."""

    namespace: str | None
    table: str

    @property
    def lookup_name(self) -> str:
        """The name by which the server looks up the table."""
        parts = [self.namespace, self.table] if self.namespace else [self.table]
        return ".".join(quoted(part) for part in parts)

    @property
    def namespace_sql(self) -> str:
        """An expression for the namespace in which the ledger is or would be created."""
        if self.namespace is not None:
            return f"{literal(self.namespace)}::text"
        table = f"to_regclass({literal(self.lookup_name)})"
        # 1259 is pg_class; a lookup by its oid takes a third of the time of a join.
        return f"coalesce((pg_identify_object(1259, {table}, 0)).schema, current_schema())::text"

    @property
    def existing_namespace_sql(self) -> str:
        """An expression for the namespace of a ledger that exists."""
        if self.namespace is not None:
            return self.namespace_sql
        return f"(pg_identify_object(1259, to_regclass({literal(self.lookup_name)}), 0)).schema"

    @property
    def lock_key_sql(self) -> str:
        """An expression for the second key of the lock: the same for all who share the ledger.

        It includes the database's name, because ``pg_locks`` lists the locks of all databases.
        """
        return self._lock_key(self.namespace_sql)

    def _lock_key(self, namespace: str) -> str:
        # Not with "||", for which a fresh session would have to resolve one of many operators.
        return f"hashtext(concat(current_database(), '.', {namespace}, '.', {literal(self.table)}))"

    def claim_sql(self, backend_pid: int) -> str:
        """Return a condition for ``status_sql`` that takes the lock in an unshared session."""
        taken = f"pg_try_advisory_lock({LOCK_CLASS}, {self.lock_key_sql})"
        return _OURS_ALONE.format(pid=backend_pid, done=f"NOT pg_is_in_recovery() AND {taken}")

    def release_sql(self) -> str:
        """Return a condition for ``status_sql`` that releases the lock."""
        return f"{unlock_sql(f'{LOCK_CLASS}, {self.lock_key_sql}')} = 'true'"

    @property
    def namespace_exists_sql(self) -> str:
        """A condition: a configured namespace exists."""
        if self.namespace is None:
            return "true"
        return f"to_regnamespace({literal(quoted(self.namespace))}) IS NOT NULL"

    def assert_absent_sql(self) -> str:
        """Return a statement that fails with a division by zero if the ledger exists."""
        return f"SELECT 1 / (to_regclass({literal(self.lookup_name)}) IS NULL)::int;"

    def held_sql(self, namespace: str, *, own_transaction: bool) -> str:
        """Return a condition: another session holds the lock of the ledger in *namespace* (SQL).

        *own_transaction* allows a cheaper one, whose statement must be its own transaction.
        """
        condition = _HELD_TRIED if own_transaction else _HELD
        return condition.format(lock_class=LOCK_CLASS, lock_key=self._lock_key(namespace))

    def inside(self, namespace: str) -> str:
        """Return the qualified table, which does not depend on ``search_path``."""
        return f"{quoted(namespace)}.{quoted(self.table)}"


def unlock_sql(keys: str) -> str:
    """Return an expression that releases the lock *keys*: the text ``true`` if it was held.

    It also releases the session's other advisory locks, such as the markers of its migrations.
    """
    return f"concat(pg_advisory_unlock({keys})::text, pg_advisory_unlock_all()::text)"


def read_only_sql(backend_pid: int) -> str:
    """Return a condition for ``status_sql`` that makes the session read-only afterwards.

    This costs no round trip, and poolers refuse a setting at startup. It has no effect in a
    shared session, because a pooler would pass the setting on.
    """
    done = "set_config('default_transaction_read_only', 'on', false)"
    return _OURS_ALONE.format(pid=backend_pid, done=f"{done} = 'on'")


_SERVER: LiteralString = """current_setting('server_version'), pg_is_in_recovery(),
  current_setting('transaction_read_only')"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusQuery:
    """The options of a status query.

    Attributes:
        own_transaction: Each query is a transaction by itself.
        side_effect_sql: A condition with a side effect, evaluated last. The rows show what others
            committed before the statement began, but not that side effect.
        side_effect_without_ledger_sql: The same if there is no ledger yet; by default
            *side_effect_sql*.
        include_namespace: Return the ledger's namespace, which is needed for writing.
        row_ids: Rows to read in addition to the live ones, in their order.
        fingerprint: An expression for the fingerprint, to read after the fingerprints of each row.
        record: A statement of ``record_fingerprint_sql`` to run before the side effect.
    """

    own_transaction: bool = False
    side_effect_sql: str = "NULL"
    side_effect_without_ledger_sql: str | None = None
    include_namespace: bool = True
    row_ids: tuple[int, ...] = ()
    fingerprint: str | None = None
    record: str | None = None

    @property
    def fingerprinted(self) -> bool:
        """True if the query computes a fingerprint."""
        return self.fingerprint is not None or self.record is not None


@lru_cache(maxsize=64)  # a fleet sends the same query to all its databases
def status_sql(address: LedgerAddress, query: StatusQuery, *, rows: bool = True) -> str:
    """Return the SELECT for a :class:`StatusReply`; each row follows the columns of the server.

    Expressions that must not be evaluated for each row are in a SELECT of their own. With *rows*,
    the server refuses it if there is no ledger, and returns nothing if that is empty. Otherwise
    one line is returned, without a row.
    """
    side_effect, opening = query.side_effect_sql, ""
    if query.record is not None:
        side_effect = f"(SELECT count(*) FROM recorded) >= 0 AND {side_effect}"
        opening = f"WITH recorded AS ({query.record}) "
    values, tables = _ROWS, f"{address.lookup_name} l{_WITHOUT_FORMAT}"
    if query.fingerprint is not None:
        values += f"{_FINGERPRINTS}, (SELECT {query.fingerprint})"
        tables += _WITHOUT_FINGERPRINTS
    namespace = address.existing_namespace_sql if rows else address.namespace_sql
    namespace_exists = "true" if rows else address.namespace_exists_sql
    namespace_value = f"(SELECT {namespace})" if query.include_namespace else "NULL"
    held = address.held_sql(namespace, own_transaction=query.own_transaction)
    row_columns = f", {values} FROM {tables}{_live(query.row_ids)}" if rows else ""
    return f"""{opening}SELECT pg_backend_pid(), {_SERVER}, {namespace_exists},
  {namespace_value}, (SELECT {held}), (SELECT {side_effect}){row_columns}"""


def _live(row_ids: tuple[int, ...]) -> str:
    """Return the condition for live rows, which an index covers, and those with *row_ids*."""
    others = f" OR l.id IN ({', '.join(str(number) for number in row_ids)})" if row_ids else ""
    return f" WHERE l.state <> 'rolled_back'{others}"


def history_sql(address: LedgerAddress, limit: int | None, fingerprint: str) -> str:
    """Return a query for the newest *limit* rows, newest first, each after the total count.

    *fingerprint* is an expression for the fingerprint, which follows each row.
    """
    newest = "" if limit is None else f" LIMIT {limit}"
    return (
        f"SELECT (SELECT count(*) FROM {address.lookup_name}), {_ROWS}{_FINGERPRINTS},"
        f" (SELECT {fingerprint})"
        f" FROM (SELECT * FROM {address.lookup_name} ORDER BY id DESC{newest}) l"
        f"{_WITHOUT_FORMAT}{_WITHOUT_FINGERPRINTS}"
    )


def details_sql(address: LedgerAddress, *, holder: bool, lag: bool) -> str:
    """Return a query for the details that a :class:`StatusReply` lacks, as one JSON text.

    They are the *holder* of the lock and the *lag* of a replica, which some replicas refuse.
    """
    holder_query = _HOLDER.format(lock_class=LOCK_CLASS, lock_key=address.lock_key_sql)
    return (
        f"SELECT json_build_object('holder', {f'({holder_query})' if holder else 'NULL'},"
        f" 'replica', {_REPLICA if lag else 'NULL'})::text"
    )
