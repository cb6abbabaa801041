"""Run migrations with steps outside a transaction, with a journal that survives a crash.

The ledger row has the number of completed steps and the running statement. A transactional step
commits together with its journal entry. A statement outside a transaction cannot, so ``running``
is set before it runs; after a crash the catalog shows whether it took effect.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio
import anyio.lowlevel

from dbwarden.config.model import DatabaseConfig
from dbwarden.dialects.base import PendingMigration, Statement, Step
from dbwarden.dialects.postgresql.migrate import history_rows, recovery
from dbwarden.dialects.postgresql.migrate.batching import Limits, locate_offset, statement_offsets
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
from dbwarden.dialects.writer import Writer
from dbwarden.errors import DBWardenError, LockTimeout, PartialMigration, StatementFailed, TimedOut

RunTransaction = Callable[[PendingMigration, Step, str, str], Awaitable[None]]
"""Runs a step and the SQL that records it in one transaction, after the given settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """Runs migrations step by step on one session; ``table`` is the ledger, qualified."""

    session: Session
    config: DatabaseConfig
    table: str
    limits: Limits
    writer: Writer
    run_transaction: RunTransaction

    async def run(self, pending: PendingMigration) -> None:
        """Run the remaining steps of *pending*, each with its journal entry.

        Raises:
            StatementFailed: A step failed; earlier steps remain applied.
            PartialMigration: The catalog does not show whether the interrupted step took effect.
        """
        if pending.interrupted:
            await self._check_unchanged(pending)
        begun, interrupted = pending.resumed, pending.interrupted
        for step in pending.steps[pending.done :]:
            run = _Run(journal=self, pending=pending, step=step, begun=begun)
            await run.run(interrupted=interrupted)
            begun, interrupted = True, False
        if pending.done >= len(pending.steps):
            await self.session.send(
                history_rows.record_sql(
                    self.table,
                    pending,
                    self.writer,
                    begun=pending.done if begun else None,
                    spent_ms=0,
                )
            )

    async def _check_unchanged(self, pending: PendingMigration) -> None:
        """Check that the interrupted statement is still the next one in the file."""
        row = f"SELECT running FROM {self.table} WHERE {history_rows.live_row(pending)}"
        running = await self.session.value(row)
        step = next(iter(pending.steps[pending.done :]), None)
        if step is not None and not step.transactional and step.statements[0].text == running:
            return
        raise PartialMigration(
            "this was under way when an earlier run ended, and the file was edited there since",
            database=self.config.database_name,
            location=pending.migration.at(step.line if step is not None else None),
            statement=running,
            next_step="Put the statement back as it was and run the command again, or say how far "
            f"it is with: dbwarden repair -d {self.config.database_name} "
            f"--at {pending.migration.key}=STEP",
        )


@dataclass(slots=True, kw_only=True)
class _Run:
    """One step of one migration; ``clean`` if a refused statement left no trace."""

    journal: Journal
    pending: PendingMigration
    step: Step
    begun: bool
    clean: bool = False

    @property
    def _prelude(self) -> str:
        return prelude_of(self.pending.steps[: self.step.number - 1])

    @property
    def _statement(self) -> Statement:
        return self.step.statements[0]

    async def run(self, *, interrupted: bool) -> None:
        probe = Transactional() if self.step.transactional else probe_of(self._statement)
        if isinstance(probe, Transactional | SessionSetting) and not interrupted:
            try:
                await self.journal.run_transaction(
                    self.pending, self.step, self._record_sql(None), self._prelude
                )
                return
            except StatementFailed as error:
                if self.step.transactional or error.sqlstate != IN_TRANSACTION:
                    raise
        await self._run_outside_transaction(probe, interrupted)

    async def _run_outside_transaction(self, probe: Probe, interrupted: bool) -> None:
        """Run the statement outside a transaction; retry if a lock blocked it and it left no trace.

        CONCURRENTLY runs without ``lock_timeout``.
        """
        retries = lock_retries(self.pending.migration.key, self.journal.config.lock_retries)
        while True:
            try:
                await self._attempt(probe, interrupted)
            except LockTimeout as error:
                if recovery.is_concurrent(probe) or not self.clean:
                    raise
                if not await retries.pause(error.message):
                    raise
                interrupted = False
            else:
                return

    async def _attempt(self, probe: Probe, interrupted: bool) -> None:
        """Run the statement outside a transaction, once.

        A cancellation from outside waits until the statement has ended, because stopping it could
        leave an invalid index behind. Only the operation's own deadline stops it.
        """
        await anyio.lowlevel.checkpoint_if_cancelled()
        deadline = anyio.current_effective_deadline()
        with anyio.CancelScope(shield=True, deadline=deadline) as scope:
            await self._journaled(probe, interrupted)
        if scope.cancelled_caught:
            await anyio.lowlevel.checkpoint()
            raise TimedOut(
                "it did not end within its time limit, and was stopped",
                database=self.journal.config.database_name,
                statement=self._statement.text,
            )

    async def _journaled(self, probe: Probe, interrupted: bool) -> None:
        before = await self._save_row()
        await self._announce(probe)
        started, known = time.monotonic(), frozenset[str]()
        try:
            check = recovery.find_effect if interrupted else recovery.before
            done = await check(self.journal.session, probe)
            if done is None:
                await self.journal.session.send(RESET)
                raise self._partial_error()
            if not done:
                if isinstance(probe, IndexBuilt):
                    known = await recovery.invalid_indexes(self.journal.session, probe.table)
                await self.journal.session.send(self._statement.text, listen=True)
        except ServerRefused as refused:
            await self._clean_up(probe, known, before)
            raise self._error(refused) from refused
        record = self._record_sql((time.monotonic() - started) * 1000)
        steps = self.pending.steps
        left = leftovers(steps) if self.step.number == len(steps) else ""
        await self.journal.session.send(f"{RESET}{record};{left}")

    async def _save_row(self) -> str | None:
        """Return the row as it was before this run changed it, if there is one."""
        if self.begun or self.pending.row is None:
            return None
        return await self.journal.session.value(
            history_rows.saved_sql(self.journal.table, self.pending)
        )

    async def _announce(self, probe: Probe) -> None:
        text, pending, writer = self._statement.text, self.pending, self.journal.writer
        if self.begun:
            record = history_rows.running_sql(
                self.journal.table, pending, self.step.number - 1, text
            )
        else:
            record = history_rows.begin_sql(self.journal.table, pending, writer, running=text)
        limits = self.journal.limits.sql(
            pending.migration.key, scope="SESSION", lock=not recovery.is_concurrent(probe)
        )
        await self.journal.session.send(f"BEGIN;{record};COMMIT;{limits}{self._prelude}")

    def _record_sql(self, spent_ms: float | None) -> str:
        """Return the SQL that records this step; *spent_ms* is ``None`` in its transaction."""
        pending, writer, number = self.pending, self.journal.writer, self.step.number
        begun = self.begun or spent_ms is not None
        if number == len(pending.steps):
            return history_rows.record_sql(
                self.journal.table,
                pending,
                writer,
                begun=number - 1 if begun else None,
                spent_ms=spent_ms,
            )
        if begun:
            return history_rows.step_sql(self.journal.table, pending, number, spent_ms=spent_ms)
        return history_rows.begin_sql(self.journal.table, pending, writer, done=number)

    async def _clean_up(self, probe: Probe, known: frozenset[str], before: str | None) -> None:
        """Remove the traces of a refused statement, if possible."""
        try:
            clean = await recovery.clean_up(self.journal.session, probe, known)
        except ServerRefused:
            clean = False  # the next run finds and removes what is left
        if commits_inside(self._statement):  # a failure may leave a part of it done
            clean = False
        self.clean = clean
        record = self._undo_sql(before) if clean else ""
        await self.journal.session.send(f"{RESET}{record}")

    def _undo_sql(self, before: str | None) -> str:
        if self.begun:
            return history_rows.running_sql(
                self.journal.table, self.pending, self.step.number - 1, None
            )
        if before is not None:
            return history_rows.restore_sql(self.journal.table, self.pending, before)
        return history_rows.forget_sql(self.journal.table, history_rows.under_way(self.pending, 0))

    def _error(self, refused: ServerRefused) -> DBWardenError:
        offset = statement_offsets(self.step)[0] + (refused.position or 1) - 1
        statement, location = locate_offset(self.pending.migration, self.step, offset)
        return statement_failed(
            refused,
            database=self.journal.config.database_name,
            location=location,
            statement=statement,
            steps_done=self.step.number - 1,
        )

    def _partial_error(self) -> PartialMigration:
        database, key = self.journal.config.database_name, self.pending.migration.key
        number, statement = self.step.number, self._statement
        return PartialMigration(
            "an earlier run ended while this statement ran, and the catalog does not show whether "
            "it took effect",
            database=database,
            location=self.pending.migration.at(statement.line, statement.column),
            statement=statement.text,
            next_step=f"Check the database, then record the result: dbwarden repair -d {database} "
            f"--at {key}={number} (it did) or --at {key}={number - 1} (it did not)",
        )
