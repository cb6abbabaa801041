"""Define the interface of a database kind and the values that it takes and returns.

Each kind is a folder with the same layout: ``sql`` (split text into statements and steps, pure),
``migrate`` (connect, read, lock, run, cancel), ``serve`` (engines for the application). Code
outside the folder does not depend on the kind.
"""

import hashlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, LiteralString, Protocol

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import ReadOnlyDatabase
from dbwarden.files.migration import Migration, Section
from dbwarden.migration_history import DatabaseStatus, LedgerExcerpt, LedgerRow, LockHolder, State
from dbwarden.types import Checksum, DatabaseName, DialectName, Direction

if TYPE_CHECKING:  # most commands run no backfill
    from dbwarden.dialects.backfill.running import Backfills


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One SQL statement as written, without its closing semicolon, and its location in the file.

    ``line`` and ``column`` count from 1, ``column`` in characters. ``marked`` is true if
    ``-- @dbwarden:autocommit`` precedes the statement.
    """

    text: str
    line: int
    column: int
    marked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The part of a migration that runs in one go: a transaction, or one statement outside of any.

    ``number`` counts from 1 within the section. ``text`` is the exact slice of the file that a
    transactional step sends; it begins at ``line`` and ``column``.
    """

    number: int
    transactional: bool
    text: str
    line: int
    column: int
    statements: tuple[Statement, ...]


def suggest_baseline(database: DatabaseName) -> str:
    """Return the advice to run ``baseline`` for an object that already exists."""
    return (
        "If it existed before dbwarden, mark its migrations as applied: "
        f"dbwarden baseline -d {database} --to VERSION"
    )


def steps_checksum(steps: Sequence[Step]) -> Checksum:
    """Return the checksum of the SQL of *steps*, for ``LedgerRow.steps_checksum``.

    It ignores line ends, trailing blanks and comments between statements; it depends on the
    division into steps.
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

    ``done`` steps were completed by an earlier run (0 for a fresh one); ``interrupted`` is true if
    that run ended during the next step, whose effect must then be looked up. ``row`` is the live
    ledger row as it was read, or ``None``; it is updated only if it has not changed since.
    ``fake`` only writes the ledger (baseline).
    """

    migration: Migration
    direction: Direction
    steps: tuple[Step, ...]
    done: int = 0
    interrupted: bool = False
    row: LedgerRow | None = None
    fake: bool = False

    @property
    def running_state(self) -> State:
        """The state of its row between its steps."""
        return State.UPGRADING if self.direction == "upgrade" else State.ROLLING_BACK

    @property
    def final_state(self) -> State:
        """The state of its row at its end."""
        return State.APPLIED if self.direction == "upgrade" else State.ROLLED_BACK

    @property
    def resumed(self) -> bool:
        """True if an earlier run started the migration."""
        return self.done > 0 or self.interrupted


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDatabase:
    """The options of a database to create; the server chooses those that are ``None``.

    ``template`` is the database of the same server to copy.
    """

    template: str | None = None
    owner: str | None = None
    encoding: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignHistory:
    """Where another tool records what it has applied: SQL that every database kind accepts."""

    table: str
    column: LiteralString
    where: LiteralString = "true"


class LedgerAppeared(Exception):
    """Another migrator created the ledger after this one read the status. Internal."""


OnDone = Callable[[PendingMigration], Awaitable[None]]
"""Called after each migration that the server has confirmed as complete."""


class Connection(Protocol):
    """A connection of dbwarden to one database. Migrations run only through it."""

    async def read(self, *, claim: bool = False) -> DatabaseStatus:
        """Read the ledger and the lock in one round trip, without writing.

        With *claim*, also try to take the lock if there is no ledger yet, for the ``lock`` that
        follows. Closing the connection releases it.
        """
        ...

    async def read_last(self, row_ids: Collection[int] = ()) -> DatabaseStatus:
        """Read the final state. The migration lock may be released afterwards.

        If it is held, also record the fingerprint of the schema.
        The rows *row_ids* are included even if they were rolled back.
        """
        ...

    async def record_fingerprint(self) -> None:
        """Record the fingerprint of the schema in the newest live row. Requires the lock."""
        ...

    async def record_change(self, row: LedgerRow, fingerprint: str) -> None:
        """Record that the schema has become *fingerprint* since that of *row* was recorded.

        Requires the lock.
        """
        ...

    async def history(self, limit: int | None) -> LedgerExcerpt:
        """Read the newest *limit* rows of the ledger, rolled-back ones included.

        Empty where there is no ledger.
        """
        ...

    async def foreign_ids(self, history: ForeignHistory) -> tuple[str, ...] | None:
        """Read what another tool has applied; ``None`` if its table does not exist."""
        ...

    async def backfills(self) -> "Backfills":
        """Return the backfills of this database, over this connection."""
        ...

    def lock(self) -> AbstractAsyncContextManager[None]:
        """Hold the migration lock of this database inside the block.

        Polls until ``migration_lock_timeout`` has passed.

        Raises:
            MigratorBusy: Another migrator holds the lock; the error names it.
        """
        ...

    async def create_ledger(self) -> None:
        """Create the ledger if it does not exist. Requires the lock."""
        ...

    async def run_first(self, migrations: Sequence[PendingMigration], on_done: OnDone) -> None:
        """Create the ledger and run *migrations*, if the last read found no ledger.

        Raises:
            LedgerAppeared: The ledger exists by now; nothing was run.
        """
        ...

    async def run(self, migrations: Sequence[PendingMigration], on_done: OnDone) -> None:
        """Run *migrations* in order, each with its ledger row: both happen or neither.

        Requires the lock. Stops at the first failure; earlier migrations remain applied.

        Raises:
            LedgerError: A row has changed since it was read.
            StatementFailed: A statement failed; has file, line, column and the server's message.
            ConnectionLost: The connection broke; the next run finds out what was applied.
        """
        ...

    async def update_row(self, row: LedgerRow, corrected: LedgerRow) -> None:
        """Write ``corrected.corrected`` to one ledger row (repair), clear ``running``.

        Requires the lock.

        Raises:
            LedgerError: The row has changed since it was read.
        """
        ...

    async def delete_row(self, row: LedgerRow) -> None:
        """Delete one ledger row (repair). Requires the lock.

        Raises:
            LedgerError: The row has changed since it was read.
        """
        ...

    async def terminate_holder(self, holder: LockHolder) -> bool:
        """Terminate the process that holds the migration lock; return whether it ended."""
        ...


class Dialect(Protocol):
    """One database kind."""

    name: DialectName

    def steps(self, migration: Migration, section: Section) -> tuple[Step, ...]:
        """Split *section* into steps. Pure.

        Raises:
            MigrationFileError: The section has an unclosed string or comment, transaction control,
                or SQL that this kind cannot run; has file, line and column.
        """
        ...

    def connect(
        self, config: DatabaseConfig, *, read_only: bool = False
    ) -> AbstractAsyncContextManager[Connection]:
        """Connect within ``config.connect_timeout`` seconds.

        The server enforces *read_only*. Leaving the block closes the connection, under a shield;
        on cancellation the running statement is stopped on the server first.

        Raises:
            ConnectError: Connecting failed; has a message and a next step for each cause.
        """
        ...

    def read_only_error(self, config: DatabaseConfig, *, replica: bool) -> ReadOnlyDatabase:
        """Return the error for an operation that would have to write; *replica* is a standby."""
        ...

    async def create_database(self, config: DatabaseConfig, new: NewDatabase) -> bool:
        """Create the empty database of *config*; return ``False`` if it exists already.

        Raises:
            ConnectError: Its server or folder cannot be reached, or this user lacks the privilege.
            UsageError: This database kind does not support an option of *new*.
        """
        ...
