"""Run migrations in a scratch database: without a history, and without opening other files."""

import re
from collections.abc import Callable
from dataclasses import replace

from dbwarden.dialects.base import PendingMigration, Statement, Step
from dbwarden.dialects.sqlite.catalog.tokens import Unreadable, tokens
from dbwarden.dialects.sqlite.migrate.journal import transaction
from dbwarden.dialects.sqlite.migrate.runner import Executor
from dbwarden.dialects.sqlite.migrate.session import Session
from dbwarden.dialects.sqlite.scratch.observing import Observer
from dbwarden.dialects.sqlite.scratch.tracing import Tracer

_FIRST_WORD = re.compile(r"[A-Za-z]+")


class NoJournal:
    """A journal that records nothing, because a scratch database has no ledger."""

    def __init__(self, session: Session, pending: PendingMigration) -> None:
        """Initialize without I/O."""
        self._session = session
        self._pending = pending

    def run_in_transaction(self, step: Step, run: Callable[[], None]) -> None:
        """Call *run* in a transaction."""
        del step
        transaction(self._session, self._pending, run)

    def run_outside_transaction(self, step: Step, run: Callable[[], None]) -> None:
        """Call *run*."""
        del step
        run()


class HarmlessExecutor:
    """An executor that opens no other files, and reports each statement to a tracer."""

    def __init__(self, executor: Executor, tracer: Tracer | Observer | None) -> None:
        """Wrap the executor of ``migrate``."""
        self._executor = executor
        self._tracer = tracer

    def execute(self, statement: Statement, *, retry_while_busy: bool = False) -> None:
        """Execute the harmless form of *statement*."""
        text = make_harmless(statement.text)
        if text is None:
            return
        if self._tracer is not None:
            self._tracer.before(statement.text)
        self._executor.execute(replace(statement, text=text), retry_while_busy=retry_while_busy)
        if self._tracer is not None:
            self._tracer.after(statement)


def make_harmless(statement: str) -> str | None:
    """Return *statement*, or its replacement if it opens a file; ``None`` for nothing.

    An attached database is replaced by an empty one in memory.
    """
    match = _FIRST_WORD.match(statement)
    word = match[0].lower() if match else ""
    if word not in ("vacuum", "attach"):
        return statement
    try:
        words = tokens(statement)
    except Unreadable:
        return statement
    if word == "vacuum":
        return None if any(token.is_("INTO") for token in words) else statement
    as_ = [place for place, token in enumerate(words) if token.is_("AS")]
    if not as_:
        return statement
    return f"ATTACH ':memory:' AS {statement[words[as_[-1]].end :].strip()}"
