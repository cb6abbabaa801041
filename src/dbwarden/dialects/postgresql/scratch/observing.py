"""Run a migration statement by statement, and observe what each does to existing tables.

Statements run in the transactions in which ``migrate`` runs them, so that a lock is held as long as
it would be. After each statement, the server reports the locks, scans and files of its tables.
"""

import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import asyncpg

from dbwarden.dialects.base import Statement, Step
from dbwarden.dialects.postgresql.migrate.session_state import RESET, prelude_of
from dbwarden.dialects.postgresql.scratch.relations import (
    ZERO,
    TransactionLocks,
    read_counts,
    read_state,
)
from dbwarden.dialects.postgresql.scratch.tracing import ABROAD, STRENGTH, TIMES, TraceRefused
from dbwarden.dialects.postgresql.sql.lexer import leading_words
from dbwarden.dialects.postgresql.sql.transactions import refuses_transaction
from dbwarden.linting.changes import Added, ObservedChange, changes_between
from dbwarden.linting.facts import Lock, Observed, StatementFacts, TableUse
from dbwarden.linting.tables import ConstraintFacts, TableFacts, TableId
from dbwarden.schema import QualifiedName

_BLOCKS_WRITES = STRENGTH.index("ShareLock")
_BLOCKS_READS = STRENGTH.index("AccessExclusiveLock")
LOCKS = {
    mode: Lock(
        name=re.sub(r"(?<=[a-z])(?=[A-Z])", " ", mode.removesuffix("Lock")).upper(),
        strength=strength,
        blocks_writes=strength >= _BLOCKS_WRITES,
        blocks_reads=strength >= _BLOCKS_READS,
    )
    for strength, mode in enumerate(STRENGTH)
}
_CHANGES_ROWS = ("insert", "update", "delete", "merge", "with")
_ENDS_TRANSACTIONS = ("25001", "2D000")
"""The SQLSTATEs of statements that cannot run in a transaction."""
_NAME_TOO_LONG = "42622"
_NOTHING = TransactionLocks({}, {}, {})


@dataclass(slots=True)
class Observer:
    """The observation of one file.

    ``spelled`` returns the text to send for a statement; an empty one is not sent. ``repair``
    tries to create the role that an error misses. At most ``_batch_size`` INSERT statements are
    sent and observed together: one after the first failure.
    """

    raw: asyncpg.Connection
    default_namespace: str
    spelled: Callable[[str], str]
    repair: Callable[[asyncpg.PostgresError], Awaitable[bool]]
    known: dict[TableId, TableFacts] = field(default_factory=dict)
    before: dict[TableId, TableFacts] = field(default_factory=dict)
    facts: list[StatementFacts] = field(default_factory=list)
    _batch_size: int = 500
    _last: TransactionLocks = _NOTHING
    _notices: list[str] = field(default_factory=list)

    async def run(self, steps: Sequence[Step]) -> Observed:
        """Run *steps* and return what was observed.

        Raises:
            Refused: The server refused a statement.
        """
        await self._read_everything()
        self.before = dict(self.known)
        with _notices_of(self.raw, self._notices):
            for place, step in enumerate(steps):
                if place:
                    await self.raw.execute(RESET + prelude_of(steps[:place]))
                await self._step(step)
        return Observed(statements=tuple(self.facts), before=self.before, after=self.known)

    async def _read_everything(self) -> None:
        state = await read_state(self.raw, {}, self.default_namespace, everything=True)
        self.known = dict(state.tables)

    # -- steps ------------------------------------------------------------------------------

    async def _step(self, step: Step) -> None:
        statements = [(item, self.spelled(item.text)) for item in step.statements]
        statements = [(item, text) for item, text in statements if text]
        # Other steps outside of a transaction are tried in one, so that they can be measured.
        if not step.transactional and any(map(refuses_transaction, step.statements)):
            for item, text in statements:
                await self._alone(step, item, text)
            return
        unsafe = False
        while statements:
            size = await self._attempt(step, statements, unsafe=unsafe)
            statements, unsafe = statements[size:], True

    async def _attempt(
        self, step: Step, statements: Sequence[tuple[Statement, str]], *, unsafe: bool
    ) -> int:
        """Run *statements* in one transaction, and return how many were committed.

        That is fewer than all if one uses an enum value that an earlier one added, which is safe
        only after a commit. The first one is such a statement if *unsafe*.
        """
        size = len(statements)
        while True:
            failure = await self._transaction(step, statements[:size], unsafe=unsafe)
            if failure is None:
                return size
            cause = failure.cause
            if isinstance(cause, asyncpg.UnsafeNewEnumValueUsageError) and failure.at:
                size = failure.at
            elif not step.transactional and cause.sqlstate in _ENDS_TRANSACTIONS:
                for item, text in statements[:size]:
                    await self._alone(step, item, text)
                return size
            elif not await self.repair(cause):
                raise TraceRefused(cause, statements[failure.at][0]) from cause

    async def _transaction(
        self, step: Step, statements: Sequence[tuple[Statement, str]], *, unsafe: bool
    ) -> "_Failure | None":
        """Run *statements* in one transaction; return the failure that rolled it back, if any.

        If INSERTs were sent together, all are run again one by one to find the one that failed.
        The rest of the file is then run one by one, too, so that this happens once in a file.
        """
        failure = await self._try_transaction(step, statements, unsafe=unsafe)
        if failure is not None and self._batch_size > 1:
            self._batch_size = 1
            failure = await self._try_transaction(step, statements, unsafe=unsafe)
        return failure

    async def _try_transaction(
        self, step: Step, statements: Sequence[tuple[Statement, str]], *, unsafe: bool
    ) -> "_Failure | None":
        known, facts_before = dict(self.known), len(self.facts)
        at = 0
        await self.raw.execute("BEGIN")
        try:
            self._last = await read_counts(self.raw)
            for batch in _batches(statements, self._batch_size):
                facts = await self._observe(step, batch)
                self.facts.append(replace(facts, unsafe_value=unsafe and at == 0))
                at += len(batch)
            await self.raw.execute("COMMIT")
        except asyncpg.PostgresError as error:
            await self.raw.execute("ROLLBACK")
            self.known = known
            del self.facts[facts_before:]
            return _Failure(error, min(at, len(statements) - 1))
        return None

    async def _alone(self, step: Step, statement: Statement, text: str) -> None:
        """Run a statement outside of any transaction, where its locks cannot be read."""
        known = self.known
        try:
            await self.raw.execute(text)
        except asyncpg.PostgresError as error:
            raise TraceRefused(error, statement) from error
        await self._read_everything()
        uses: list[TableUse] = []
        changes: list[ObservedChange] = []
        for oid in {**known, **self.known}:
            old, new = known.get(oid), self.known.get(oid)
            changes += changes_between(old, new)
            if old is not None and new is not None and oid in self.before and _is_moved(old, new):
                uses.append(
                    TableUse(
                        key=oid,
                        name=self.before[oid].name,
                        lock=LOCKS["AccessExclusiveLock"],
                        held=LOCKS["AccessExclusiveLock"],
                        rewritten=True,
                    )
                )
        self.facts.append(self._facts(step, statement, uses, changes))

    # -- statements -------------------------------------------------------------------------

    async def _observe(self, step: Step, batch: Sequence[tuple[Statement, str]]) -> StatementFacts:
        statement, text = batch[0]
        words = leading_words(text, 0, 2)
        if len(batch) > 1:
            text = ";\n".join(one for _, one in batch)
        abroad = bool(TIMES.search(text))
        if abroad:
            await self.raw.execute(ABROAD)
        await self.raw.execute(text)
        if abroad:
            await self.raw.execute("SET LOCAL timezone TO DEFAULT")
        targets, searched = await self._plan(batch[0][1], words)
        known = {oid: table.name for oid, table in self.known.items()}
        everything = words == ["alter", "schema"]
        now = await read_state(self.raw, known, self.default_namespace, everything=everything)
        changes = [
            change
            for oid in dict.fromkeys((*now.locks, *now.tables))
            for change in changes_between(self.known.get(oid), now.tables.get(oid))
        ]
        uses = []
        for oid in now.locks:
            if oid in self.before:
                use = self._use(oid, now, changes, truncated=words[:1] == ["truncate"])
                name = now.tables[oid].name if oid in now.tables else use.name
                if name in targets:
                    use = replace(use, changes_rows=True, changes_all=name in searched)
                uses.append(use)
        self._update(now)
        return self._facts(step, statement, [u for u in uses if _matters(u, changes)], changes)

    async def _plan(self, text: str, words: Sequence[str]) -> tuple[set[str], set[str]]:
        """Return the tables that a statement changes, and those it searches without an index."""
        if not words or words[0] not in _CHANGES_ROWS:
            return set(), set()
        plans = json.loads(await self.raw.fetchval(f"EXPLAIN (VERBOSE, FORMAT JSON) {text}"))
        targets: set[str] = set()
        scanned: set[str] = set()
        for node in _nodes(plans):
            if "Relation Name" not in node:
                continue
            table = QualifiedName(node.get("Schema"), node["Relation Name"])
            name = table.label(self.default_namespace)
            if node["Node Type"] == "ModifyTable":
                targets.add(name)
            elif "Index Cond" not in node and "Recheck Cond" not in node and "TID Cond" not in node:
                scanned.add(name)
        return targets, scanned

    def _use(
        self, oid: int, now: TransactionLocks, changes: Sequence[ObservedChange], *, truncated: bool
    ) -> TableUse:
        modes = now.locks[oid]
        new_modes = modes - self._last.locks.get(oid, frozenset())
        old, new = self.known.get(oid), now.tables.get(oid)
        scanned = self._counts_more(now, [oid]) and not truncated
        if new is not None and any(_is_key_of(change, oid) for change in changes):
            # The check of a foreign key may read an index of its table instead.
            scanned = scanned or self._counts_more(now, [index.key for index in new.indexes])
        rows = now.counts.get(oid, ZERO).rows > self._last.counts.get(oid, ZERO).rows
        return TableUse(
            key=oid,
            name=self.before[oid].name,
            lock=strongest(new_modes),
            held=strongest(modes),
            rewritten=old is not None and new is not None and _is_moved(old, new) and not truncated,
            scanned=scanned,
            changes_rows=rows or "RowExclusiveLock" in new_modes,
            changes_all=scanned and "RowExclusiveLock" in new_modes,
        )

    def _counts_more(self, now: TransactionLocks, relations: Sequence[TableId]) -> bool:
        """Return whether one of *relations*, tables or indexes, was scanned since."""
        return any(
            now.counts.get(oid, ZERO).scans > self._last.counts.get(oid, ZERO).scans
            for oid in map(int, relations)
        )

    def _update(self, now: TransactionLocks) -> None:
        for oid in now.locks:
            if oid in self.known and oid not in now.tables:
                del self.known[oid]
        self.known.update(now.tables)
        self._last = replace(now, counts={**self._last.counts, **now.counts})

    def _facts(
        self,
        step: Step,
        statement: Statement,
        uses: Sequence[TableUse],
        changes: Sequence[ObservedChange],
    ) -> StatementFacts:
        truncated, self._notices[:] = tuple(self._notices), []
        return StatementFacts(
            text=statement.text,
            line=statement.line,
            column=statement.column,
            step=step.number,
            uses=tuple(uses),
            changes=tuple(changes),
            truncated=truncated,
        )


@dataclass(frozen=True, slots=True)
class _Failure:
    """An error of the statement at place ``at``, for which its transaction was rolled back."""

    cause: asyncpg.PostgresError
    at: int


# -- decisions, without I/O ----------------------------------------------------------------------


def strongest(modes: frozenset[str]) -> Lock | None:
    """Return the strongest of *modes*, ``None`` for none."""
    locks = [LOCKS[mode] for mode in modes if mode in LOCKS]
    return max(locks, key=lambda lock: lock.strength, default=None)


def _batches(
    statements: Sequence[tuple[Statement, str]], most: int
) -> Iterator[Sequence[tuple[Statement, str]]]:
    """Yield the statements one by one, but INSERTs that follow each other together."""
    batch: list[tuple[Statement, str]] = []
    for statement, text in statements:
        inserts = leading_words(text, 0, 1) == ["insert"] and not statement.marked
        if batch and (not inserts or len(batch) == most):
            yield batch
            batch = []
        batch.append((statement, text))
        if not inserts:
            yield batch
            batch = []
    if batch:
        yield batch


def _nodes(plans: Any) -> Iterator[Mapping[str, Any]]:
    """Yield all nodes of a plan, and the tables of a statement that changes several."""
    waiting = [plan["Plan"] for plan in plans]
    while waiting:
        node = waiting.pop()
        yield node
        for target in node.get("Target Tables", ()):
            yield {**target, "Node Type": "ModifyTable"}
        waiting += node.get("Plans", ())


def _is_moved(old: TableFacts, new: TableFacts) -> bool:
    return old.file != new.file and not old.partitioned


def _is_key_of(change: ObservedChange, oid: int) -> bool:
    """Return whether a foreign key was added, whose check may read an index of its table."""
    match change:
        case Added(table, ConstraintFacts(kind="foreign key")):
            return table.key == oid
        case _:
            return False


def _matters(use: TableUse, changes: Sequence[ObservedChange]) -> bool:
    """Return whether a statement did more than to read some rows of a table."""
    if use.rewritten or use.scanned or use.changes_rows or (use.lock and use.lock.strength):
        return True
    return any(change.table.key == use.key for change in changes)


@contextmanager
def _notices_of(raw: asyncpg.Connection, names: list[str]) -> Iterator[None]:
    """Collect the server's notices about names that it shortens."""

    def hear(_: object, message: Any) -> None:
        if message.sqlstate == _NAME_TOO_LONG:
            names.append(str(message.message))

    raw.add_log_listener(hear)
    try:
        yield
    finally:
        raw.remove_log_listener(hear)
