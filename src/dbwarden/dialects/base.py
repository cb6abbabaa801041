"""What every kind of database can do, and the values that go in and come out.

A dialect is a folder with the same rooms: ``splitting`` (text -> statements -> steps, pure),
``execution`` (connect, read, lock, run, cancel), ``ledger`` (its SQL). Nothing outside the folder
knows what is odd about the kind.
"""

import hashlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from dbwarden.config.model import DatabaseConfig
from dbwarden.files.migration import Migration, Section
from dbwarden.history import LedgerExcerpt, LedgerRow, LockHolder, Reading
from dbwarden.types import Checksum, DatabaseName, DialectName, Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One SQL statement as written, without its closing semicolon, and its place in the file.

    ``line`` and ``column`` count from 1, ``column`` in characters. ``marked`` says that
    ``-- @dbwarden:autocommit`` stands before it.
    """

    text: str
    line: int
    column: int
    marked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is done or not done as a whole: a transaction of statements, or one outside of any.

    ``number`` counts from 1 within the section. ``text`` is the exact slice of the file that a
    transactional step sends, ``line`` and ``column`` where that slice begins.
    """

    number: int
    transactional: bool
    text: str
    line: int
    column: int
    statements: tuple[Statement, ...]


def suggest_baseline(database: DatabaseName) -> str:
    """What else may be meant where a migration makes what is there."""
    return (
        "Or was it there before dbwarden? Then mark what it has as applied: "
        f"dbwarden baseline -d {database} --to VERSION"
    )


def steps_checksum(steps: Sequence[Step]) -> Checksum:
    """The checksum of what *steps* run, for ``LedgerRow.steps_checksum``.

    Line ends, trailing blanks and the comments between statements don't count; the cut into
    steps does.
    """
    digest = hashlib.sha256()
    for step in steps:
        digest.update(b"transaction\0" if step.transactional else b"autocommit\0")
        for statement in step.statements:
            lines = (line.rstrip() for line in statement.text.strip().split("\n"))
            digest.update("\n".join(lines).encode("utf-8", "surrogatepass") + b"\0")
    return Checksum(digest.hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingMigration:
    """One migration to run in one direction.

    ``done`` steps were done by an earlier run (0 for a fresh one); ``interrupted`` says that the
    step after them was under way when that run ended, so that its effect must be looked up.
    ``row`` is the live ledger row as it was read, where there is one: it is written only while it
    is still like that. ``fake`` only writes the ledger (baseline).
    """

    migration: Migration
    direction: Direction
    steps: tuple[Step, ...]
    done: int = 0
    interrupted: bool = False
    row: LedgerRow | None = None
    fake: bool = False

    @property
    def resumed(self) -> bool:
        """Whether an earlier run began it."""
        return self.done > 0 or self.interrupted


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDatabase:
    """How a database is to be made; what is ``None`` the server decides.

    ``template`` is another database of the same server, to be copied.
    """

    template: str | None = None
    owner: str | None = None
    encoding: str | None = None


class LedgerAppeared(Exception):
    """Another migrator made the ledger since our look at it. Never leaves the operations."""


OnDone = Callable[[PendingMigration], Awaitable[None]]
"""Called after each work whose end the server has confirmed."""


class Connection(Protocol):
    """One connection of dbwarden's own to one database; the only way in which migrations run."""

    async def read(self, *, claim: bool = False) -> Reading:
        """Look at the ledger and the lock. One round trip, never writes.

        With *claim* the lock may be taken by the way where there is no ledger yet, for the
        ``lock`` that follows; closing the connection lets go of it.
        """
        ...

    async def read_last(self, row_ids: Collection[int] = ()) -> Reading:
        """Read the final state. The migration lock may be released afterwards.

        The rows *row_ids* are included even if they were rolled back.
        """
        ...

    async def history(self, limit: int | None) -> LedgerExcerpt:
        """Read the newest *limit* rows of the ledger, rolled-back ones included.

        Empty where there is no ledger.
        """
        ...

    def lock(self) -> AbstractAsyncContextManager[None]:
        """Be the only migrator of this database until the block ends.

        Polls until ``migration_lock_timeout`` is over.

        Raises:
            MigratorBusy: Another one holds it; names it.
        """
        ...

    async def create_ledger(self) -> None:
        """Make the ledger if it does not exist. Only under the lock."""
        ...

    async def run_first(self, migrations: Sequence[PendingMigration], on_done: OnDone) -> None:
        """``create_ledger`` and ``run``, where the last look found no ledger.

        Raises:
            LedgerAppeared: Now there is one; nothing was run.
        """
        ...

    async def run(self, migrations: Sequence[PendingMigration], on_done: OnDone) -> None:
        """Run *migrations* in order, each with its ledger row: both happen or neither.

        Only under the lock. Stops at the first failure; what was done before it stays.

        Raises:
            LedgerError: A row is no longer as it was read.
            StatementFailed: With file, line, column and the server's words.
            ConnectionLost: The server went away; the next run finds out what happened.
        """
        ...

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
        ...

    async def delete_row(self, row: LedgerRow) -> None:
        """Delete one ledger row (repair). Only under the lock.

        Raises:
            LedgerError: The row is no longer as it was read.
        """
        ...

    async def terminate_holder(self, holder: LockHolder) -> bool:
        """End the process that holds the migration lock; whether it was ended."""
        ...


class Dialect(Protocol):
    """One kind of database."""

    name: DialectName

    def steps(self, migration: Migration, section: Section) -> tuple[Step, ...]:
        """Cut *section* into steps. Pure.

        Raises:
            MigrationFileError: An unclosed string or comment, transaction control, or what this
                kind cannot run; with file, line and column.
        """
        ...

    def connect(
        self, config: DatabaseConfig, *, read_only: bool = False
    ) -> AbstractAsyncContextManager[Connection]:
        """Connect within ``config.connect_timeout`` seconds.

        *read_only* is enforced by the server. Leaving the block closes the connection, under a
        shield; on cancellation what runs on the server is stopped first.

        Raises:
            ConnectError: Each cause with its own sentence and what to do next.
        """
        ...

    async def create_database(self, config: DatabaseConfig, new: NewDatabase) -> bool:
        """Make the empty database that *config* names; whether it was not there before.

        Raises:
            ConnectError: Its server or folder cannot be reached, or this user may not.
            UsageError: This kind of database has no such thing as what *new* asks for.
        """
        ...
