"""Use one SQLite connection: blocking, from worker threads, one call at a time.

SQLite itself does not wait (its busy timeout is 0). The session waits for the locks of other
connections, so that the wait ends with ``lock_timeout`` or when :meth:`Session.halt` is called.
"""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.base import ForeignHistory
from dbwarden.dialects.ledger_values import Writer
from dbwarden.dialects.sqlite.migrate import statement_errors as failures
from dbwarden.dialects.sqlite.migrate.history_queries import Ledger, open_backfills
from dbwarden.dialects.sqlite.migrate.lock import FIRST_PAUSE, LONGEST_PAUSE, LockFile
from dbwarden.dialects.sqlite.migrate.opening import (
    FileState,
    Target,
    find_table,
    open_reading,
    open_writing,
)
from dbwarden.dialects.sqlite.migrate.statement_errors import Stopped
from dbwarden.dialects.waiting import backoff
from dbwarden.errors import DBWardenError, StatementFailed
from dbwarden.migration_history import (
    DatabaseStatus,
    LedgerExcerpt,
    LockHolder,
)
from dbwarden.quoting import quoted

T = TypeVar("T")

_CHECK_INTERVAL = 50_000
"""Steps of SQLite's virtual machine between two checks of the clock, about a millisecond. Each
check needs Python's global lock, so it should not be more frequent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """The rows that a statement returned, and the number of rows that it changed."""

    rows: Sequence[dict[str, Any]]
    changed: int


class Session:
    """One connection to one database. It is created closed, and may be closed repeatedly.

    ``dirty`` is true if a migration left settings on it, ``timed_out`` if ``statement_timeout``
    stopped the last statement, ``abandoned`` if a thread is stuck in it.
    """

    def __init__(
        self, config: DatabaseConfig, target: Target, writer: Writer, *, read_only: bool
    ) -> None:
        self.config = config
        self.target = target
        self.writer = writer
        self.read_only = read_only
        self.lock = LockFile(target.path, writer.application) if target.path is not None else None
        self.timed_out = False
        self.dirty = False
        self.abandoned = False
        self._stop = threading.Event()
        self._turn = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._file_state: FileState | None = None
        self._limit: float | None = None
        self._uninterruptible = False

    # -- opening and closing ----------------------------------------------------------------

    def open(self) -> None:
        """Open the file, and read it once to check that it is a database.

        Raises:
            ConnectError: The file cannot be opened, or is not a database.
        """
        name, path = self.config.database_name, self.target.path
        create, owner = self.target.mode == "rwc", self.config.replica_of
        if path is not None and (
            wrong := failures.check_file(name, path, create=create, owner=owner)
        ):
            raise wrong
        try:
            self._open()
            try:
                self.database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
            except sqlite3.OperationalError as error:
                if not failures.is_busy(error):  # a locked database is accepted
                    raise
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise failures.opening_failed(name, path, error) from error

    def _open(self) -> None:
        if self.read_only:
            database, self._file_state = open_reading(self.target)
        else:
            database = open_writing(self.target)
        with self._turn:
            self._database = database
        if self._stop.is_set():  # the caller was cancelled
            self.close()
            raise Stopped
        database.execute("PRAGMA foreign_keys = OFF")

    def close(self) -> None:
        """Close the connection, which rolls back an open transaction."""
        with self._turn:
            database, self._database = self._database, None
        if database is not None:
            database.close()

    def reopen(self) -> None:
        """Reopen the connection, without settings, attached files and temporary tables.

        A database in memory would be lost with its connection, so only its keys are reset.
        """
        if self.target.path is not None:
            self.close()
            self._open()
        else:
            self.database.execute("PRAGMA foreign_keys = OFF")
        self.dirty = False

    @property
    def database(self) -> sqlite3.Connection:
        """The open connection."""
        assert self._database is not None, "the connection is closed"
        return self._database

    @property
    def ledger(self) -> Ledger:
        """The ledger of this database."""
        return Ledger(self.database, self.config.ledger_table)

    # -- stopping ---------------------------------------------------------------------------

    def halt(self) -> None:
        """Interrupt the call that runs in a thread. Called from the event loop.

        It is called until that call has ended, because an interrupt between statements is lost.
        """
        self._stop.set()
        with self._turn:
            if self._database is not None and not self._uninterruptible:
                self._database.interrupt()

    def rearm(self) -> None:
        """Allow calls again after :meth:`halt`, while no call runs."""
        self._stop.clear()

    def abandon(self) -> None:
        """Give up on the running call, which does not end. Called from the event loop."""
        self.abandoned = True

    def close_abandoned(self) -> None:
        """Close the session in the thread of an abandoned call, if the call ever ends."""
        self.close()
        if self.lock is not None:
            self.lock.release()

    def publish_statement(self, statement: str | None) -> None:
        """Show the running statement to other processes, through the lock file."""
        if self.lock is not None:
            self.lock.write_statement(statement)

    def _check_time(self) -> bool:
        """Return true, which stops SQLite, if the statement took too long. SQLite calls this."""
        self.timed_out = self._limit is not None and time.monotonic() > self._limit
        return self.timed_out

    @contextlib.contextmanager
    def uninterruptible(self) -> Iterator[None]:
        """Prevent interrupts inside the block, which is short and reverts what was begun."""
        with self._turn:
            self._uninterruptible = True
        try:
            yield
        finally:
            with self._turn:
                self._uninterruptible = False

    def check_stop(self) -> None:
        """Raise if :meth:`halt` was called.

        Raises:
            Stopped: It was called.
        """
        if self._stop.is_set():
            raise Stopped

    # -- reading ----------------------------------------------------------------------------

    def read(self, row_ids: Collection[int] = ()) -> DatabaseStatus:
        """Read ledger and lock, in one read transaction; *row_ids* as for ``Ledger.rows``.

        Raises:
            LedgerError: The ledger is invalid.
            LockTimeout: Another connection kept the file locked.
        """
        locked = self.lock is not None and self.lock.held
        rows, backfills, fingerprint = self._query_history(
            lambda ledger: (
                rows := ledger.rows(row_ids),
                open_backfills(self.database, self.config, rows),
                self._fingerprint() if locked else None,
            )
        ) or (None, (), None)
        return DatabaseStatus(
            server_version=sqlite3.sqlite_version,
            namespace=None,
            rows=rows,
            holder=self.other_holder(),
            read_only=not self.target.writable,
            backfills=backfills,
            fingerprint=fingerprint,
        )

    def _fingerprint(self) -> str | None:
        from dbwarden.dialects.sqlite.migrate.fingerprints import fingerprint_of

        return fingerprint_of(self.database, self.config)

    def record_fingerprint(self) -> None:
        """Record the fingerprint of the schema in the newest live row, in a transaction."""
        if (fingerprint := self._fingerprint()) is not None and self.ledger.exists():
            self.ledger.record_fingerprint(fingerprint)

    def history(self, limit: int | None) -> LedgerExcerpt:
        """Read the newest *limit* rows of the ledger; raises as :meth:`read`."""

        def query(ledger: Ledger) -> LedgerExcerpt:
            return replace(ledger.newest(limit), fingerprint=self._fingerprint())

        return self._query_history(query) or LedgerExcerpt()

    def _query_history(self, question: Callable[[Ledger], T]) -> T | None:
        """Run *question* in one read transaction; return ``None`` if there is no ledger."""
        return self.read_consistent(
            lambda _: question(self.ledger) if self.ledger.exists() else None
        )

    def foreign_ids(self, history: ForeignHistory) -> tuple[str, ...] | None:
        """Return the ids in the table of *history*, if it exists; raises as :meth:`read`."""

        def query(database: sqlite3.Connection) -> tuple[str, ...] | None:
            table = find_table(database, history.table.rpartition(".")[2])
            if table is None:
                return None
            sql = f"SELECT {history.column} FROM {quoted(table)} WHERE {history.where} ORDER BY 1"
            return tuple(str(value) for (value,) in database.execute(sql) if value is not None)

        return self.read_consistent(query)

    def read_consistent(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Return the result of *query* in one read transaction.

        It is repeated if the file is locked or changed meanwhile.

        Raises:
            LockTimeout: Another connection kept the file locked.
        """

        def attempt() -> T:
            self.database.execute("BEGIN")
            try:
                return query(self.database)
            finally:
                self.roll_back()

        while True:
            try:
                result = self.retry_while_busy(attempt)
            except sqlite3.Error as error:
                raise self.error_for(error) from error
            if self._file_state is None or self.target.path is None:
                return result
            if FileState.of(self.target.path) == self._file_state:
                return result
            self.reopen()

    def other_holder(self) -> LockHolder | None:
        """Return the other process that holds the migration lock, if any."""
        if self.lock is None or self.lock.held:
            return None
        return self.lock.holder()

    # -- writing ----------------------------------------------------------------------------

    def retry_while_busy(self, attempt: Callable[[], T]) -> T:
        """Repeat *attempt* while another connection holds a lock, for ``lock_timeout`` seconds.

        *attempt* must have no effect if it fails for that reason. Other errors, and the last one,
        are raised as SQLite's.
        """
        seconds = self.config.lock_timeout
        end = time.monotonic() + seconds if seconds is not None else float("inf")
        tries = 0
        while True:
            try:
                return attempt()
            except sqlite3.Error as error:
                if not failures.is_busy(error) or time.monotonic() >= end:
                    raise
            pause = backoff(tries, first=FIRST_PAUSE, longest=LONGEST_PAUSE)
            if self._stop.wait(min(pause, max(0.0, end - time.monotonic()))):
                raise Stopped
            tries += 1

    def transaction(self, body: Callable[[], T]) -> T:
        """Run *body* and commit, or roll back.

        The write lock is taken first (``BEGIN IMMEDIATE``), because a transaction that begins by
        reading may fail at its first write if its snapshot is outdated.

        Raises:
            LockTimeout: Another connection kept its lock; the transaction was rolled back.
        """
        try:
            self.retry_while_busy(lambda: self.database.execute("BEGIN IMMEDIATE"))
            result = body()
            self.retry_while_busy(lambda: self.database.execute("COMMIT"))
            return result
        except sqlite3.Error as error:
            raise self.error_for(error) from error
        finally:
            self.roll_back()

    def execute(self, sql: str) -> None:
        """Run one statement to its end and discard its rows.

        After ``statement_timeout`` seconds SQLite stops it, and ``timed_out`` is true.
        """
        with self._limited(self.config.statement_timeout):
            for _ in self.database.execute(sql):
                pass

    def execute_within(self, sql: str, values: Sequence[Any], seconds: float | None) -> Executed:
        """Run one statement with parameters to its end, and return what it came to.

        After *seconds* SQLite stops it, and ``timed_out`` is true.
        """
        with self._limited(seconds):
            cursor = self.database.execute(sql, tuple(values))
            names = [column[0] for column in cursor.description or ()]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            return Executed(rows=rows, changed=max(0, cursor.rowcount))

    @contextlib.contextmanager
    def _limited(self, seconds: float | None) -> Iterator[None]:
        """Let SQLite stop the statement of the block after *seconds*."""
        self.check_stop()
        self.timed_out = False
        if seconds:
            self.database.set_progress_handler(self._check_time, _CHECK_INTERVAL)
            self._limit = time.monotonic() + seconds
        try:
            yield
        finally:
            self._limit = None

    def roll_back(self) -> None:
        """Roll back an open transaction. If SQLite cannot, closing the connection does."""
        if self.database.in_transaction:
            with contextlib.suppress(sqlite3.Error), self.uninterruptible():
                self.database.execute("ROLLBACK")

    def error_for(self, error: sqlite3.Error) -> DBWardenError:
        """Return the error for an error of SQLite that no statement of a migration caused."""
        return self.obstacle(error) or StatementFailed(
            str(error), database=self.config.database_name, detail=failures.code_name(error)
        )

    def obstacle(self, error: sqlite3.Error) -> DBWardenError | None:
        """Return the error if a lock, the file or its disk is the cause."""
        name, seconds = self.config.database_name, self.config.lock_timeout
        if failures.is_busy(error):
            return failures.lock_timed_out(name, seconds, error, self.other_holder())
        return failures.database_failed(name, self.target.path, error)
