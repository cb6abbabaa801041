"""Run migrations with steps outside a transaction, with a journal that survives a crash.

The ledger row has the number of completed steps and the running statement. A transactional step
commits together with its journal entry. A statement outside a transaction cannot, so ``running``
is set before it runs; after a crash the catalog shows whether it took effect.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio
import anyio.lowlevel

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.base import PendingMigration, Step
from dbwarden.dialects.ledger_rows import StepRecords
from dbwarden.dialects.postgresql.migrate import recovery
from dbwarden.dialects.postgresql.migrate.batching import (
    TransactionLimits,
    locate_offset,
    statement_offsets,
)
from dbwarden.dialects.postgresql.migrate.history_rows import PostgresRows
from dbwarden.dialects.postgresql.migrate.retrying import lock_retries
from dbwarden.dialects.postgresql.migrate.session import ServerRefused, Session
from dbwarden.dialects.postgresql.migrate.session_state import RESET, leftovers, prelude_of
from dbwarden.dialects.postgresql.migrate.statement_effects import (
    IndexBuilt,
    Probe,
    SessionSetting,
    Transactional,
    commits_inside,
    probe_of,
)
from dbwarden.dialects.postgresql.migrate.statement_errors import IN_TRANSACTION, statement_failed
from dbwarden.errors import DBWardenError, LockTimeout, PartialMigration, StatementFailed, TimedOut

RunTransaction = Callable[[PendingMigration, Step, str, str], Awaitable[None]]
"""Runs a step and the SQL that records it in one transaction, after the given settings."""


@dataclass(slots=True, kw_only=True)
class Journal:
    """The run of one migration step by step.

    Attributes:
        session: The session that holds the lock.
        config: The names, limits and retries.
        rows: The rows of the ledger.
        limits: The settings of each transaction.
        pending: The migration.
        run_transaction: Runs a step in a transaction.
        clean: Whether a refused statement left no trace.
    """

    session: Session
    config: DatabaseConfig
    rows: PostgresRows
    limits: TransactionLimits
    pending: PendingMigration
    run_transaction: RunTransaction
    clean: bool = False
    _records: StepRecords = field(init=False)

    def __post_init__(self) -> None:
        resumed = self.pending.resumed
        self._records = StepRecords(rows=self.rows, pending=self.pending, begun=resumed)

    async def run(self) -> None:
        """Run the remaining steps, each with its journal entry.

        Raises:
            StatementFailed: A step failed; earlier steps remain applied.
            PartialMigration: The catalog does not show whether the interrupted step took effect.
        """
        pending = self.pending
        if pending.interrupted:
            await self._check_unchanged()
        interrupted = pending.interrupted
        for step in pending.steps[pending.done :]:
            await self._run_step(step, interrupted=interrupted)
            self._records.begun, interrupted = True, False
        if pending.done >= len(pending.steps):
            await self.session.send(self._records.all_done_sql())

    async def _check_unchanged(self) -> None:
        """Check that the interrupted statement is still the next one in the file."""
        pending, database = self.pending, self.config.database_name
        row = f"SELECT running FROM {self.rows.table} WHERE {self.rows.live_row(pending)}"
        running = await self.session.value(row)
        step = next(iter(pending.steps[pending.done :]), None)
        if step is not None and not step.transactional and step.statements[0].text == running:
            return
        raise PartialMigration(
            "this was under way when an earlier run ended, and the file was edited there since",
            database=database,
            location=pending.migration.at(step.line if step is not None else None),
            statement=running,
            next_step="Put the statement back as it was and run the command again, or say how far "
            f"it is with: dbwarden repair -d {database} --at {pending.migration.key}=STEP",
        )

    async def _run_step(self, step: Step, *, interrupted: bool) -> None:
        probe = Transactional() if step.transactional else probe_of(step.statements[0])
        if isinstance(probe, Transactional | SessionSetting) and not interrupted:
            record = self._records.done_sql(step, announced=False, spent_ms=None)
            try:
                await self.run_transaction(self.pending, step, record, self._prelude(step))
                return
            except StatementFailed as error:
                if step.transactional or error.sqlstate != IN_TRANSACTION:
                    raise
        await self._run_outside_transaction(step, probe, interrupted)

    def _prelude(self, step: Step) -> str:
        return prelude_of(self.pending.steps[: step.number - 1])

    async def _run_outside_transaction(self, step: Step, probe: Probe, interrupted: bool) -> None:
        """Run the statement outside a transaction; retry if a lock blocked it and it left no trace.

        CONCURRENTLY runs without ``lock_timeout``.
        """
        retries = lock_retries(self.pending.migration.key, self.config.lock_retries)
        while True:
            try:
                await self._attempt(step, probe, interrupted)
            except LockTimeout as error:
                if recovery.is_concurrent(probe) or not self.clean:
                    raise
                if not await retries.pause(error.message):
                    raise
                interrupted = False
            else:
                return

    async def _attempt(self, step: Step, probe: Probe, interrupted: bool) -> None:
        """Run the statement outside a transaction, once.

        A cancellation from outside waits until the statement has ended, because stopping it could
        leave an invalid index behind. Only the operation's own deadline stops it.
        """
        await anyio.lowlevel.checkpoint_if_cancelled()
        deadline = anyio.current_effective_deadline()
        with anyio.CancelScope(shield=True, deadline=deadline) as scope:
            await self._journaled(step, probe, interrupted)
        if scope.cancelled_caught:
            await anyio.lowlevel.checkpoint()
            raise TimedOut(
                "it did not end within its time limit, and was stopped",
                database=self.config.database_name,
                statement=step.statements[0].text,
            )

    async def _journaled(self, step: Step, probe: Probe, interrupted: bool) -> None:
        session, statement, pending = self.session, step.statements[0], self.pending
        earlier = None
        if not self._records.begun and pending.row is not None:
            earlier = await session.value(self.rows.saved_sql(pending))
        await self._announce(step, probe)
        started, known = time.monotonic(), frozenset[str]()
        try:
            check = recovery.find_effect if interrupted else recovery.before
            done = await check(session, probe)
            if done is None:
                await session.send(RESET)
                raise self._partial_error(step)
            if not done:
                if isinstance(probe, IndexBuilt):
                    known = await recovery.invalid_indexes(session, probe.table)
                await session.send(statement.text, listen=True)
        except ServerRefused as refused:
            await self._clean_up(step, probe, known, earlier)
            raise self._error(step, refused) from refused
        spent_ms = (time.monotonic() - started) * 1000
        record = self._records.done_sql(step, announced=True, spent_ms=spent_ms)
        cleanup_sql = leftovers(pending.steps) if step.number == len(pending.steps) else ""
        await session.send(f"{RESET}{record};{cleanup_sql}")

    async def _announce(self, step: Step, probe: Probe) -> None:
        """Record the statement that is about to run, and set its limits."""
        record, concurrent = self._records.announce_sql(step), recovery.is_concurrent(probe)
        key = self.pending.migration.key
        limits = self.limits.sql(key, scope="SESSION", lock=not concurrent)
        await self.session.send(f"BEGIN;{record};COMMIT;{limits}{self._prelude(step)}")

    async def _clean_up(
        self, step: Step, probe: Probe, known: frozenset[str], earlier: str | None
    ) -> None:
        """Remove the traces of a refused statement, if possible."""
        try:
            clean = await recovery.clean_up(self.session, probe, known)
        except ServerRefused:
            clean = False  # the next run finds and removes what is left
        # A failure may leave a part of a statement with its own commits done.
        self.clean = clean and not commits_inside(step.statements[0])
        record = ""
        if self.clean:
            restore = self.rows.restore_sql(self.pending, earlier) if earlier is not None else None
            record = self._records.undo_sql(step, restore)
        await self.session.send(f"{RESET}{record}")

    def _error(self, step: Step, refused: ServerRefused) -> DBWardenError:
        offset = statement_offsets(step)[0] + (refused.position or 1) - 1
        statement, location = locate_offset(self.pending.migration, step, offset)
        return statement_failed(
            refused,
            database=self.config.database_name,
            location=location,
            statement=statement,
            steps_done=step.number - 1,
        )

    def _partial_error(self, step: Step) -> PartialMigration:
        database, key = self.config.database_name, self.pending.migration.key
        number, statement = step.number, step.statements[0]
        return PartialMigration(
            "an earlier run ended while this statement ran, and the catalog does not show whether "
            "it took effect",
            database=database,
            location=self.pending.migration.at(statement.line, statement.column),
            statement=statement.text,
            next_step=f"Check the database, then record the result: dbwarden repair -d {database} "
            f"--at {key}={number} (it did) or --at {key}={number - 1} (it did not)",
        )
