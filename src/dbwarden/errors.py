"""Define every error that dbwarden raises.

All of them are subclasses of :class:`DBWardenError`. The first line of an error's docstring is its
default message. The fields have the details, and the CLI and FastAPI decide how to show them. No
field contains a password.
"""

from collections.abc import Sequence
from typing import Literal, TypedDict, Unpack

from dbwarden.types import DatabaseName, Location


class ErrorFields(TypedDict, total=False):
    """The fields of every error; see :class:`DBWardenError`."""

    database: DatabaseName | str | None
    location: Location | None
    statement: str | None
    detail: str | None
    hint: str | None
    next_step: str | None


class DBWardenError(Exception):
    """Something went wrong in dbwarden."""

    def __init__(
        self,
        message: str | None = None,
        *,
        database: DatabaseName | str | None = None,
        location: Location | None = None,
        statement: str | None = None,
        detail: str | None = None,
        hint: str | None = None,
        next_step: str | None = None,
    ) -> None:
        """Store what happened, where, and what to do next.

        Args:
            message: What happened, in one sentence; by default the class's docstring.
            database: The affected database.
            location: The file, line and column.
            statement: The SQL statement that failed, as written; its passwords are masked.
            detail: The server's detail.
            hint: The server's hint.
            next_step: What to do next, in one sentence.
        """
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        self.database = DatabaseName(database) if database is not None else None
        self.location = location
        if statement is not None:
            from dbwarden.secrets import mask_sql  # imports json

            statement = mask_sql(statement)
        self.statement = statement
        self.detail = detail
        self.hint = hint
        self.next_step = next_step
        super().__init__(self.message)

    def __str__(self) -> str:
        place = [str(part) for part in (self.database, self.location) if part is not None]
        return ": ".join([*place, self.message])


# -- usage and configuration ------------------------------------------------------------------


class UsageError(DBWardenError):
    """The command or call does not fit together."""

    def __init__(
        self, message: str | None = None, *, option: str | None = None, **more: Unpack[ErrorFields]
    ) -> None:
        """Store the *option* whose value does not fit the database, if any."""
        super().__init__(message, **more)
        self.option = option


class ConfigurationError(UsageError):
    """The configuration has problems."""

    def __init__(
        self,
        message: str | None = None,
        *,
        problems: Sequence[str] = (),
        **more: Unpack[ErrorFields],
    ) -> None:
        """Store every problem, each a line with database and field."""
        self.problems = tuple(problems)
        super().__init__(message, **more)

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *(f"  - {problem}" for problem in self.problems)])


class ConfigurationNotFound(ConfigurationError):
    """There is no dbwarden.py here or in a folder above."""


class UnknownDatabase(UsageError):
    """No database of that name is configured."""


class UnknownTenant(UnknownDatabase):
    """No tenant of that name is on the list."""


class MissingDriver(UsageError):
    """The driver for this kind of database is not installed."""


class MigrationFileError(UsageError):
    """A migration file cannot be read as one."""

    def __init__(
        self,
        message: str | None = None,
        *,
        problems: Sequence["MigrationFileError"] = (),
        **more: Unpack[ErrorFields],
    ) -> None:
        """Store every problem of the folder."""
        self._problems = tuple(problems)
        super().__init__(message, **more)

    @property
    def problems(self) -> tuple["MigrationFileError", ...]:
        """Every problem with its location; this error itself if it is the only one."""
        return self._problems or (self,)

    def __str__(self) -> str:
        lines = [super().__str__()]
        for problem in self._problems:
            lines.append(f"  - {problem.location}: {problem.message}")
            lines.extend([f"    {problem.next_step}"] if problem.next_step else [])
        return "\n".join(lines)


# -- one database -------------------------------------------------------------------------------


class ConnectError(DBWardenError):
    """The database cannot be reached."""


class TooManyConnections(ConnectError):
    """The server takes no more connections."""


class AccessDenied(ConnectError):
    """The server refused this user or password."""


class DatabaseMissing(ConnectError):
    """The server has no such database."""


class DatabaseExists(DBWardenError):
    """There is such a database already."""


class ConnectionLost(DBWardenError):
    """The connection broke in mid-work; what was not confirmed is looked up by the next run."""


class PoolerDetected(ConnectError):
    """A transaction pooler stands between: a migrator needs one server connection of its own."""


class StatementFailed(DBWardenError):
    """The server refused a statement."""

    sqlstate: str | None = None


RefusalCause = Literal["duplicate row", "missing value", "missing object", "no update path"]


class ScratchRefused(StatementFailed):
    """A scratch database refused a statement."""

    def __init__(
        self,
        reason: str,
        *,
        cause: RefusalCause | None = None,
        sqlstate: str | None = None,
        **more: Unpack[ErrorFields],
    ) -> None:
        """Store the server's message as *reason*, and the *cause* if dbwarden handles it."""
        super().__init__(**more)
        self.reason = reason
        self.cause = cause
        self.sqlstate = sqlstate
        self.name_subject("")

    def name_subject(self, subject: str) -> None:
        """Name the part of the models that the statement comes from in the message."""
        self.message = " ".join(f"the scratch database refused {subject}".split())
        self.message += f": {self.reason}"


class LockTimeout(StatementFailed):
    """A table lock was not granted in time."""


class MigratorBusy(DBWardenError):
    """Another migrator holds this database."""


class TimedOut(DBWardenError):
    """The operation did not end within its time limit."""


class PoolExhausted(TimedOut):
    """All connections of the application's pool are in use."""


class ReadOnlyDatabase(DBWardenError):
    """This database takes no writes."""


class LedgerError(DBWardenError):
    """The ledger cannot be read or written."""


# -- history ------------------------------------------------------------------------------------


class HistoryError(DBWardenError):
    """The files and the ledger do not agree."""


class ChangedMigration(HistoryError):
    """An applied migration was edited afterwards."""


class MissingMigration(HistoryError):
    """The file of an applied migration is gone."""


class PartialMigration(HistoryError):
    """A migration stopped half-way and cannot be resumed safely."""


class OutOfOrder(HistoryError):
    """A migration is older than what is applied already."""


class DriftFound(HistoryError):
    """The database is not as its files say."""


class RollbackImpossible(HistoryError):
    """This migration cannot be rolled back."""


class PhaseOrder(HistoryError):
    """A migration has to wait for one of another phase of the deployment."""


class BackfillUnfinished(HistoryError):
    """A migration waits for a backfill that has not ended."""


class UnsupportedChange(DBWardenError):
    """A difference between two schemas cannot be expressed as SQL.

    ``unconverted`` is the column whose values need an expression that converts them, if any.
    """

    unconverted: str | None = None


class NotProven(DBWardenError):
    """A migration does not lead where it should."""


class ImportFailed(DBWardenError):
    """The history of another tool cannot be imported."""


# -- the fleet ----------------------------------------------------------------------------------

LINES_SHOWN = 50
"""Maximum number of databases in the text of StartupFailed; its ``known`` has all."""


class Interrupted(DBWardenError):
    """The operation was interrupted before it ended."""


class NotStarted(DBWardenError):
    """The operation was not started on this database."""


class StartupFailed(DBWardenError):
    """The application does not start: its databases are not ready."""

    def __init__(
        self, message: str | None = None, *, known: Sequence[str] = (), **more: Unpack[ErrorFields]
    ) -> None:
        """Store one line about each database."""
        self.known = tuple(known)
        super().__init__(message, **more)

    def __str__(self) -> str:
        lines = [f"  - {line}" for line in self.known[:LINES_SHOWN]]
        if more := len(self.known) - len(lines):
            lines.append(f"  and {more} more")
        return "\n".join([super().__str__(), *lines])
