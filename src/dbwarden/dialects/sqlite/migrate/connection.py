"""Connect to SQLite, look, lock, run and cancel: the asynchronous face of a :class:`Session`."""

import time
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TypeVar

import anyio

from dbwarden import telemetry
from dbwarden.config.model import DatabaseConfig
from dbwarden.dialects.base import (
    Connection,
    LedgerAppeared,
    NewDatabase,
    OnDone,
    PendingMigration,
    Step,
)
from dbwarden.dialects.sqlite.migrate import create_database as creating
from dbwarden.dialects.sqlite.migrate import statement_errors as failures
from dbwarden.dialects.sqlite.migrate.history_queries import Entry
from dbwarden.dialects.sqlite.migrate.lock import LockFile
from dbwarden.dialects.sqlite.migrate.opening import target_of
from dbwarden.dialects.sqlite.migrate.runner import Run
from dbwarden.dialects.sqlite.migrate.session import Session, pauses
from dbwarden.dialects.sqlite.migrate.threads import (
    GRACE,
    run_cleanup,
    run_interruptible,
    run_uninterrupted,
)
from dbwarden.dialects.sqlite.sql import splitting
from dbwarden.dialects.writer import Writer
from dbwarden.errors import ConfigurationError, LockTimeout
from dbwarden.files.migration import Migration, Section
from dbwarden.history import LedgerExcerpt, LedgerRow, LockHolder, Reading
from dbwarden.types import Checksum, DialectName

T = TypeVar("T")


class SQLiteConnection:
    """One connection of dbwarden's own to one SQLite database. One call at a time."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._config = session.config

    async def read(self, *, claim: bool = False) -> Reading:
        """Look at the ledger and the lock. Never writes, and makes no file.

        *claim* gains nothing here: a question costs no round trip.

        Raises:
            LedgerError: The ledger makes no sense.
            LockTimeout: Another connection kept the file locked for ``lock_timeout`` seconds.
        """
        return await self.read_last()

    async def read_last(self, row_ids: Collection[int] = ()) -> Reading:
        """Read the final state."""
        return await self._retrying(partial(self._session.read, row_ids))

    async def history(self, limit: int | None) -> LedgerExcerpt:
        """Read the newest *limit* rows of the ledger; see ``Connection.history``.

        Raises:
            LedgerError: The ledger makes no sense.
            LockTimeout: Another connection kept the file locked for ``lock_timeout`` seconds.
        """
        return await self._retrying(partial(self._session.history, limit))

    @asynccontextmanager
    async def lock(self) -> AsyncGenerator[None]:
        """Be the only migrator of this database until the block ends.

        A database in memory needs no lock: who migrates it has it alone, or shares it within
        one process.

        Raises:
            MigratorBusy: Another one holds it after ``migration_lock_timeout`` seconds; names it.
        """
        lock = self._session.lock
        if lock is None:
            yield
            return
        try:
            await self._take(lock)
            yield
        finally:
            if not self._session.abandoned:
                await run_cleanup(lock.release)

    async def _take(self, lock: LockFile) -> None:
        name, seconds = self._config.database_name, self._config.migration_lock_timeout
        end, told = time.monotonic() + seconds, False
        for pause in pauses():
            try:
                taken = await run_uninterrupted(lock.take)
            except OSError as error:
                raise failures.lock_failed(name, lock.path, error) from error
            if taken:
                return
            over = time.monotonic() >= end
            # A reader holds it for an instant, and has released it when it is asked for.
            holder = await run_uninterrupted(lock.holder) if over or not told else None
            if holder is not None and over:
                raise failures.migrator_busy(name, seconds, holder)
            if holder is not None:
                telemetry.emit("waiting_for_lock", holder=str(holder))
                told = True
            await anyio.sleep(min(pause, max(0.001, end - time.monotonic())))

    async def create_ledger(self) -> None:
        """Make the ledger if it does not exist. Only under the lock."""
        await self._change(lambda: self._session.ledger.create())

    async def run_first(self, migrations: Sequence[PendingMigration], on_done: OnDone) -> None:
        """Make the ledger and run *migrations*.

        Raises:
            LedgerAppeared: There is a ledger by now; nothing was run.
        """
        if (await self.read()).rows is not None:
            raise LedgerAppeared
        await self.create_ledger()
        await self.run(migrations, on_done)

    async def run(self, migrations: Sequence[PendingMigration], on_done: OnDone) -> None:
        """Run *migrations* in order, each step with its ledger row. Only under the lock.

        Raises:
            StatementFailed: With file, line, column and SQLite's words.
            LockTimeout: Another connection was in the way for longer than ``lock_timeout``,
                ``lock_retries`` times over.
        """
        for pending in migrations:
            run = Run(self._session, pending)
            for step in run.remaining:
                await self._retrying(
                    partial(run.step, step), version=pending.migration.key, step=step.number
                )
            if not run.remaining:
                await self._retrying(run.record_done, version=pending.migration.key)
            await on_done(pending)
        await self._call(lambda: self._session.publish_statement(None))

    async def _retrying(self, attempt: Callable[[], T], **fields: str | int) -> T:
        """Make *attempt* again where it met a lock, which left nothing of it.

        Raises:
            LockTimeout: Another connection kept its lock, ``lock_retries`` times over.
        """
        retries = self._config.lock_retries
        for number, pause in enumerate(pauses(), start=1):
            try:
                return await self._call(attempt)
            except LockTimeout as error:
                if number > retries:
                    raise
                telemetry.emit(
                    "lock_retry",
                    level="warning",
                    **fields,
                    attempt=number,
                    of=retries,
                    error=error.message,
                )
            await anyio.sleep(pause * 10)
        raise AssertionError("pauses() never ends")  # pragma: no cover

    async def update_row(
        self,
        row: LedgerRow,
        *,
        state: str,
        step: int,
        upgrade_checksum: Checksum,
        rollback_checksum: Checksum | None,
        steps_checksum: Checksum | None,
    ) -> None:
        """Correct one ledger row (repair); clears ``running``. Only under the lock.

        Raises:
            LedgerError: The row is no longer as it was read.
        """
        fields = {
            "state": str(state),
            "step": step,
            "upgrade_checksum": upgrade_checksum,
            "rollback_checksum": rollback_checksum,
            "steps_checksum": steps_checksum,
        }
        await self._change(lambda: self._session.ledger.correct(Entry.of(row), fields))

    async def delete_row(self, row: LedgerRow) -> None:
        """Delete one ledger row (repair). Only under the lock.

        Raises:
            LedgerError: The row is no longer as it was read.
        """
        await self._change(lambda: self._session.ledger.delete(Entry.of(row)))

    async def _change(self, body: Callable[[], None]) -> None:
        await self._retrying(lambda: self._session.transaction(body))

    async def terminate_holder(self, holder: LockHolder) -> bool:
        """Ask the process that holds the migration lock to end, and wait for that.

        Only if it runs on this machine, still holds the lock, and is another process. It gets
        SIGTERM, takes back what is not committed, and lets go.
        """
        lock = self._session.lock
        if lock is None:
            return False
        return await self._call(partial(lock.terminate, holder, within=GRACE))

    async def _call(self, call: Callable[[], T]) -> T:
        self._session.rearm()
        return await run_interruptible(call, self._session)


class SQLiteDialect:
    """SQLite, through the standard library's driver."""

    name: DialectName = "sqlite"

    def steps(self, migration: Migration, section: Section) -> tuple[Step, ...]:
        """Cut *section* into steps. Pure."""
        return splitting.steps(migration, section)

    def connect(
        self, config: DatabaseConfig, *, read_only: bool = False
    ) -> AbstractAsyncContextManager[Connection]:
        """Open the database's file, and make it if it does not exist and may be written.

        *read_only* is enforced by SQLite, and leaves no file behind: a file that is still to be
        made reads as an empty database. Each connection to ``:memory:`` is one of its own.

        Raises:
            DatabaseMissing: The folder does not exist, or the file where the URL forbids to make
                it.
            ConnectError: It cannot be opened; says why and what to do next.
        """
        return _connected(config, read_only)

    async def create_database(self, config: DatabaseConfig, new: NewDatabase) -> bool:
        """Make the folder and file of *config*; see ``Dialect.create_database``."""
        return await creating.create_database(config, new)


@asynccontextmanager
async def _connected(config: DatabaseConfig, read_only: bool) -> AsyncGenerator[Connection]:
    if config.ledger_schema is not None:
        raise ConfigurationError(
            f"ledger_schema={config.ledger_schema!r}: SQLite has no namespaces",
            database=config.database_name,
            next_step="Remove ledger_schema from its database_config; ledger_table names it.",
        )
    url = await config.resolve_url(migrating=not read_only)
    writer = Writer.this_process()
    session = Session(config, target_of(url), writer, read_only=read_only)
    try:
        with anyio.move_on_after(config.connect_timeout) as scope:
            await run_interruptible(session.open, session)
        if scope.cancelled_caught:
            raise failures.too_slow(
                config.database_name, session.target.path, config.connect_timeout
            )
        yield SQLiteConnection(session)
    finally:
        if not session.abandoned:
            await run_cleanup(session.close)


DIALECT = SQLiteDialect()
