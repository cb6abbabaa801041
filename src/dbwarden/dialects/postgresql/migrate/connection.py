"""Read the status of a PostgreSQL database, lock it, run migrations and cancel.

Write-path modules are imported lazily so that read-only commands start fast.
"""

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.base import (
    ForeignHistory,
    LedgerAppeared,
    OnDone,
    PendingMigration,
)
from dbwarden.dialects.postgresql.migrate.history_queries import (
    LedgerAddress,
    StatusQuery,
    read_only_sql,
)
from dbwarden.dialects.postgresql.migrate.lock import (
    AdvisoryLock,
    pooler_detected,
    report_lost_lock,
    shares_sessions,
)
from dbwarden.dialects.postgresql.migrate.parse_status import StatusReply
from dbwarden.dialects.postgresql.migrate.session import ServerRefused, Session
from dbwarden.dialects.postgresql.migrate.statement_errors import (
    CREATED_CONCURRENTLY,
    DIVISION_BY_ZERO,
    ledger_failed,
)
from dbwarden.dialects.postgresql.migrate.status_query import (
    read_foreign_ids,
    read_history,
    read_status,
)
from dbwarden.errors import LedgerError
from dbwarden.migration_history import DatabaseStatus, LedgerExcerpt, LedgerRow, LockHolder
from dbwarden.types import DatabaseName

if TYPE_CHECKING:
    from dbwarden.dialects.backfill.running import Backfills
    from dbwarden.dialects.postgresql.migrate.fingerprints import Fingerprints
    from dbwarden.dialects.postgresql.migrate.history_rows import PostgresRows
    from dbwarden.dialects.postgresql.migrate.runner import Runner


class PostgresConnection:
    """One connection to one database; see ``Connection``."""

    def __init__(self, session: Session, config: DatabaseConfig, *, read_only: bool) -> None:
        """Wrap an open session."""
        self._session = session
        self._config = config
        self._read_only = read_only
        self._address = LedgerAddress(namespace=config.ledger_schema, table=config.ledger_table)
        self._status: StatusReply | None = None
        self._own_session: bool | None = None
        self._runner: Runner | None = None
        self._lock = AdvisoryLock(session, self._address, config)
        self._known_fingerprints: Fingerprints | None = None

    async def read(self, *, claim: bool = False) -> DatabaseStatus:
        """Read the ledger and the lock.

        Takes one round trip, and one more each if there is no ledger yet, if the lock is held, and
        on a replica. The first read also makes a read-only session read-only on the server.

        Raises:
            LedgerError: The ledger cannot be read, or the table is not a ledger.
        """
        if self._lock.held:
            status = await self._read_fingerprint()
        elif self._read_only:
            read_only = read_only_sql(self._session.backend_pid)
            status = await self._read_status(StatusQuery(side_effect_sql=read_only))
        elif claim:
            status = await self._read_and_claim()
        else:
            status = await self._read_status(StatusQuery())
        return status.reading

    async def _read_fingerprint(self) -> StatusReply:
        """Read the status and the fingerprint of the schema, under the lock."""
        status = await self._read_status(StatusQuery(fingerprint=self._fingerprints.expression))
        self._fingerprints.stored = status.has_fingerprints
        return status

    async def _read_and_claim(self) -> StatusReply:
        """Read the status, and take the lock if there is no ledger yet and the lock is free."""
        claim_sql = self._address.claim_sql(self._session.backend_pid)
        self._lock.held = None
        try:
            status = await self._read_status(StatusQuery(side_effect_without_ledger_sql=claim_sql))
        except LedgerError:
            self._lock.held = False
            raise
        self._lock.held = status.side_effect_done
        return status

    async def read_last(self, row_ids: Collection[int] = ()) -> DatabaseStatus:
        """Read the final state, and release the lock in the same round trip.

        If the lock is held, also record the fingerprint of the schema. Does not make the session
        read-only, because no other statement follows.

        Raises:
            LedgerError: As for ``read``.
        """
        if not self._lock.held:
            query = StatusQuery(include_namespace=False, row_ids=tuple(sorted(row_ids)))
            return (await self._read_status(query)).reading
        release, record = self._address.release_sql(), await self._fingerprints.record_sql()
        self._lock.held = None
        query = StatusQuery(side_effect_sql=release, row_ids=tuple(sorted(row_ids)), record=record)
        status = await self._read_status(query)
        self._lock.held = False
        if not status.side_effect_done:
            report_lost_lock()
        return status.reading

    async def history(self, limit: int | None) -> LedgerExcerpt:
        """Read the newest *limit* rows of the ledger; see ``Connection.history``.

        Raises:
            LedgerError: As for ``read``.
        """
        ask, address = self._session.lines, self._address
        expression = self._fingerprints.expression or "NULL::text"
        try:
            return await read_history(ask, address, self._name, limit, expression)
        except LedgerError as error:
            if not isinstance(error.__cause__, ServerRefused):
                raise
            return await read_history(ask, address, self._name, limit, "NULL::text")

    @property
    def _fingerprints(self) -> "Fingerprints":
        """The fingerprints of this database."""
        if self._known_fingerprints is None:
            from dbwarden.dialects.postgresql.migrate.fingerprints import Fingerprints

            self._known_fingerprints = Fingerprints(self._session, self._address, self._config)
        return self._known_fingerprints

    async def record_fingerprint(self) -> None:
        """Record the fingerprint of the schema; see ``Connection.record_fingerprint``."""
        await self._fingerprints.record()

    async def record_change(self, row: LedgerRow, fingerprint: str) -> None:
        """Record a change outside of migrations; see ``Connection.record_change``."""
        try:
            await self._fingerprints.record_change(row, fingerprint)
        except ServerRefused as refused:
            raise ledger_failed(refused, "cannot be written", self._name) from refused

    async def foreign_ids(self, history: ForeignHistory) -> tuple[str, ...] | None:
        """Read what another tool has applied; see ``Connection.foreign_ids``."""
        return await read_foreign_ids(self._session.lines, history)

    async def _read_status(self, query: StatusQuery) -> StatusReply:
        query = replace(query, own_transaction=True)
        ask, address = self._session.lines, self._address
        try:
            status = await read_status(ask, address, self._name, query)
        except LedgerError as error:
            refused = error.__cause__
            if not query.fingerprinted or not isinstance(refused, ServerRefused):
                raise
            self._fingerprints.refuse(refused)
            query = replace(query, fingerprint=None, record=None)
            status = await read_status(ask, address, self._name, query)
        if self._read_only and self._status is not None:
            # Only the first read shows the database's own setting; it made the session read-only.
            reading = replace(status.reading, read_only=self._status.reading.read_only)
            status = replace(status, reading=reading)
        if query.include_namespace:
            self._status = status
        return status

    async def _last_status(self) -> StatusReply:
        """Return the last status, reading it first if there is none."""
        if self._status is None:
            await self.read()
        assert self._status is not None
        return self._status

    async def backfills(self) -> "Backfills":
        """Return the backfills of this database; see ``Connection.backfills``."""
        from dbwarden.dialects.backfill.running import Backfills
        from dbwarden.dialects.postgresql.backfill.store import PostgresBatches

        await self._check_own_session()
        table = self._table(await self._last_status())
        return Backfills(PostgresBatches(self._session, self._config, table))

    @asynccontextmanager
    async def lock(self) -> AsyncGenerator[None]:
        """Hold the migration lock of this database inside the block.

        Raises:
            MigratorBusy: Another migrator held it for ``migration_lock_timeout``; names it.
            PoolerDetected: A pooler shares the session with other clients.
        """
        await self._check_own_session()
        async with self._lock.block():
            yield

    async def _check_own_session(self) -> None:
        if self._own_session is None:
            # Another server process may answer than the one that greeted us.
            other = (await self._last_status()).backend_pid != self._session.backend_pid
            self._own_session = not (other and await shares_sessions(self._session))
        if not self._own_session:
            raise pooler_detected(self._name)

    async def create_ledger(self) -> None:
        """Create the ledger, and its namespace if one is configured, if they do not exist.

        Raises:
            LedgerError: No namespace of the search path exists, or this user lacks the privilege.
        """
        await self._check_own_session()
        known = await self._last_status()
        if known.reading.rows is not None:
            return
        try:
            await self._create(known)
        except ServerRefused as refused:
            if refused.sqlstate not in CREATED_CONCURRENTLY:
                raise ledger_failed(refused, "cannot be created", self._name) from refused
            # Another migrator with another ledger created the same namespace concurrently.
            if (await self.read()).rows is None:
                await self._create(await self._last_status())

    async def _create(self, known: StatusReply) -> None:
        try:
            await self._session.send(self._create_sql(known))
        except ServerRefused:
            await self._session.send("ROLLBACK")
            raise
        self._mark_ledger_created(known)

    def _create_sql(self, known: StatusReply) -> str:
        from dbwarden.dialects.postgresql.migrate import history_rows

        namespace = None if known.namespace_exists else self._address.namespace
        return history_rows.create_sql(self._table(known), namespace)

    def _mark_ledger_created(self, known: StatusReply) -> None:
        self._status = replace(known, reading=replace(known.reading, rows=()))
        self._fingerprints.stored = True

    def _table(self, known: StatusReply) -> str:
        if known.reading.namespace is None:
            raise LedgerError(
                "no namespace of the search_path exists, so there is no place for the ledger",
                database=self._name,
                next_step="Create one (CREATE SCHEMA ...), or set ledger_schema in its "
                "database_config.",
            )
        return self._address.inside(known.reading.namespace)

    async def run_first(self, migrations: Sequence[PendingMigration], on_done: OnDone) -> None:
        """Create the ledger and run *migrations*, in one message if possible.

        Raises:
            LedgerAppeared: The ledger exists by now; nothing was run.
        """
        from dbwarden.dialects.postgresql.migrate.runner import OpeningRefused

        await self._check_own_session()
        known = await self._last_status()
        opening = self._address.assert_absent_sql() + self._create_sql(known)
        try:
            await self._run(migrations, on_done, opening)
        except OpeningRefused as opened:
            refused = opened.refused
            if refused.sqlstate in (*CREATED_CONCURRENTLY, DIVISION_BY_ZERO):
                raise LedgerAppeared from refused
            raise ledger_failed(refused, "cannot be created", self._name) from refused
        self._mark_ledger_created(known)

    async def run(self, migrations: Sequence[PendingMigration], on_done: OnDone) -> None:
        """Run *migrations* in order, each with its ledger row; see ``Connection.run``.

        One message carries many transactional migrations, each its own transaction. A cancellation
        does not stop a statement outside a transaction; only the operation's deadline does.
        """
        await self._check_own_session()
        await self._run(migrations, on_done)

    async def _run(
        self, migrations: Sequence[PendingMigration], on_done: OnDone, opening: str = ""
    ) -> None:
        if self._runner is None:
            from dbwarden.dialects.postgresql.migrate.runner import Runner

            rows = await self._rows()
            self._runner = Runner(session=self._session, config=self._config, rows=rows)
        try:
            await self._runner.run(migrations, on_done, opening)
        except ServerRefused as refused:
            raise ledger_failed(refused, "cannot be written", self._name) from refused

    async def update_row(self, row: LedgerRow, corrected: LedgerRow) -> None:
        """Correct one ledger row; see ``Connection.update_row``."""
        await self._write((await self._rows()).correct_sql(row, corrected.corrected))

    async def delete_row(self, row: LedgerRow) -> None:
        """Delete one ledger row; see ``Connection.delete_row``."""
        rows = await self._rows()
        await self._write(rows.forget_sql(rows.as_read(row)))

    async def _rows(self) -> "PostgresRows":
        from dbwarden.dialects.postgresql.migrate.history_rows import PostgresRows

        return PostgresRows(table=self._table(await self._last_status()))

    async def _write(self, sql: str) -> None:
        await self._check_own_session()
        try:
            await self._session.send(sql)
        except ServerRefused as refused:
            raise ledger_failed(refused, "cannot be written", self._name) from refused

    async def terminate_holder(self, holder: LockHolder) -> bool:
        """Terminate the session that holds the migration lock, and wait until it is gone.

        Raises:
            AccessDenied: This user may not terminate it.
        """
        return await self._lock.terminate(holder)

    def hang_up(self) -> bool:
        """Disconnect at once if no lock is held and nothing runs; return whether it did."""
        idle = self._read_only and self._lock.held is False and self._session.is_idle
        if idle:
            self._session.hang_up()
        return idle

    async def close(self) -> None:
        """Stop the running statement on the server and disconnect. Call it under a shield."""
        await self._lock.release()
        await self._session.close()

    @property
    def _name(self) -> DatabaseName:
        return self._config.database_name
