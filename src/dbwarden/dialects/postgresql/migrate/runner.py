"""Run migrations on one session: many in a message, or step by step. Requires the lock."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.base import OnDone, PendingMigration, Step
from dbwarden.dialects.postgresql.migrate.batching import (
    DONE,
    READING_ERRORS,
    TRACE,
    Failed,
    Message,
    NothingRan,
    SendSeparately,
    Trace,
    TransactionLimits,
    Unit,
    batches,
    find_failure,
    locate_offset,
    render,
)
from dbwarden.dialects.postgresql.migrate.connecting import application_name
from dbwarden.dialects.postgresql.migrate.history_rows import PostgresRows, add_phase_sql
from dbwarden.dialects.postgresql.migrate.journal import Journal
from dbwarden.dialects.postgresql.migrate.retrying import lock_retries
from dbwarden.dialects.postgresql.migrate.session import ServerRefused, Session
from dbwarden.dialects.postgresql.migrate.statement_errors import (
    LOCK_NOT_AVAILABLE,
    is_about_ledger,
    ledger_failed,
    statement_failed,
)
from dbwarden.dialects.waiting import LockRetries
from dbwarden.errors import DBWardenError, StatementFailed


class OpeningRefused(Exception):
    """The server refused the SQL that precedes all migrations. Internal to the dialect."""

    def __init__(self, refused: ServerRefused) -> None:
        """Store the server's error."""
        self.refused = refused
        super().__init__(refused.message)


@dataclass(slots=True, kw_only=True)
class Runner:
    """Runs migrations in order, each with its ledger row.

    Attributes:
        session: The session that holds the lock.
        config: The names, limits and retries.
        rows: The rows of the ledger.
    """

    session: Session
    config: DatabaseConfig
    rows: PostgresRows
    limits: TransactionLimits = field(init=False)
    _marked: int = field(default=0, init=False)
    _number: int = field(default=0, init=False)
    _opening: str = field(default="", init=False)

    def __post_init__(self) -> None:
        config = self.config
        self.limits = TransactionLimits(
            statement_timeout=config.statement_timeout,
            lock_timeout=config.lock_timeout,
            application=application_name(config.database_name, self.rows.writer),
        )

    async def run(
        self, migrations: Sequence[PendingMigration], on_done: OnDone, opening: str = ""
    ) -> None:
        """Run *migrations*; see ``Connection.run``.

        *opening* is SQL to run first, with its own commit, in the same message if possible.

        Raises:
            OpeningRefused: The server refused *opening*; nothing was run.
        """
        for pending in migrations:
            self._check_text(pending)
        if not opening and any(pending.migration.phase == "post" for pending in migrations):
            await self.session.send(add_phase_sql(self.rows.table))
        # In its own transaction; otherwise the next BEGIN includes it, and a failure reverts it.
        opened = f"BEGIN;SELECT set_config('{DONE}','0',false);COMMIT;"
        self._opening = opening and f"{opening};{opened}"
        if self._opening and not (migrations and is_one_transaction(migrations[0])):
            await self._open()
        units: list[Unit] = []
        for pending in migrations:
            if is_one_transaction(pending):
                units.append(self._unit(pending))
                continue
            await self._run_units(units, on_done)
            units = []
            await Journal(
                session=self.session,
                config=self.config,
                rows=self.rows,
                limits=self.limits,
                pending=pending,
                run_transaction=self._run_step,
            ).run()
            await on_done(pending)
        await self._run_units(units, on_done)

    async def _open(self) -> None:
        """Send the opening in a message of its own."""
        try:
            await self.session.send(self._opening)
        except ServerRefused as refused:
            await self.session.send("ROLLBACK")
            raise OpeningRefused(refused) from refused
        self._opening = ""

    def _unit(self, pending: PendingMigration) -> Unit:
        step = None if pending.fake or not pending.steps else pending.steps[0]
        record = self.rows.record_sql(pending)
        return Unit(number=self._next(), pending=pending, step=step, record=record)

    def _next(self) -> int:
        self._number += 1
        return self._number

    async def _run_step(
        self, pending: PendingMigration, step: Step, record: str, prelude: str
    ) -> None:
        unit = Unit(number=self._next(), pending=pending, step=step, record=record, prelude=prelude)
        await self._run_units([unit], None)

    async def _run_units(self, units: Sequence[Unit], on_done: OnDone | None) -> None:
        """Run *units* in order, many in a message, and report those before a failure as done."""
        retries: dict[int, LockRetries] = {}
        separately = False
        while units:
            batch = tuple(units[:1]) if separately else next(batches(units))
            message = render(batch, self.limits, opening=self._opening)
            failure = await self._send(message)
            self._check_opening(failure)
            done = [u for u in batch if failure is None or u.number <= failure[1].done]
            for unit in done:
                if on_done is not None:
                    await on_done(unit.pending)
            units = units[len(done) :]
            if failure is None:
                continue
            refused, trace = failure
            match find_failure(message, trace):
                case SendSeparately():
                    separately = True
                case NothingRan(before=before, failed=failed):
                    await self._run_units(before, on_done)
                    raise self._error(refused, failed) from refused
                case Failed() as failed:
                    await self._retry_or_raise(refused, failed, retries)

    def _check_opening(self, failure: tuple[ServerRefused, Trace] | None) -> None:
        """Check that the opening was run. A parse error does not count as its failure."""
        if failure is None or failure[1].opened:
            self._opening = ""
        elif self._opening and failure[0].sqlstate not in READING_ERRORS:
            raise OpeningRefused(failure[0]) from failure[0]

    async def _retry_or_raise(
        self, refused: ServerRefused, failed: Failed, retries: dict[int, LockRetries]
    ) -> None:
        """Wait before the next try of a transaction that a table lock blocked, or raise."""
        key = failed.unit.pending.migration.key
        known = retries.setdefault(failed.unit.number, lock_retries(key, self.config.lock_retries))
        if refused.sqlstate != LOCK_NOT_AVAILABLE or not await known.pause(refused.message):
            raise self._error(refused, failed) from refused

    async def _send(self, message: Message) -> tuple[ServerRefused, Trace] | None:
        """Send *message*; return the error and its trace, if any, with a usable session."""
        try:
            await self.session.send(message.text, listen=True)
        except ServerRefused as refused:
            await self.session.send("ROLLBACK")
            done, marks = (await self.session.value(TRACE) or " 0").split(" ")
            before, self._marked = self._marked, 0
            trace = Trace(
                sqlstate=refused.sqlstate,
                position=refused.position,
                # Too few if a migration released all advisory locks; then less is known.
                marks=min(max(0, int(marks) - before), len(message.markers)),
                done=int(done or 0),
                opened=bool(done),
            )
            return refused, trace
        self._marked += len(message.markers)
        return None

    def _error(self, refused: ServerRefused, failed: Failed) -> DBWardenError:
        if failed.statement is None and is_about_ledger(refused, self.config.ledger_table):
            return ledger_failed(refused, "cannot be written", self.config.database_name)
        return statement_failed(
            refused,
            database=self.config.database_name,
            location=failed.location,
            statement=failed.statement,
            steps_done=failed.unit.step.number - 1 if failed.unit.step is not None else 0,
        )

    def _check_text(self, pending: PendingMigration) -> None:
        """Refuse NUL characters, which would end the message early."""
        for step in pending.steps:
            if "\0" in step.text:
                statement, location = locate_offset(pending.migration, step, step.text.index("\0"))
                raise StatementFailed(
                    "there is a NUL character, which PostgreSQL does not take",
                    database=self.config.database_name,
                    location=location,
                    statement=statement.text if statement is not None else None,
                    next_step="Remove it from the file.",
                )


def is_one_transaction(pending: PendingMigration) -> bool:
    """Return whether all of *pending* and its ledger row are one transaction."""
    if pending.fake or not pending.steps:
        return True
    fresh = pending.done == 0 and not pending.interrupted
    return fresh and len(pending.steps) == 1 and pending.steps[0].transactional
