"""Turn errors of SQLite into errors for the user. Pure, except for checks of the file."""

import errno
import os
import re
import sqlite3
import stat
from collections.abc import Mapping
from pathlib import Path

from dbwarden.dialects.base import PendingMigration, Statement, suggest_baseline
from dbwarden.dialects.sqlite.sql.error_texts import SQLiteText
from dbwarden.errors import (
    AccessDenied,
    ConnectError,
    ConnectionLost,
    DatabaseMissing,
    DBWardenError,
    LockTimeout,
    MigratorBusy,
    ReadOnlyDatabase,
    StatementFailed,
)
from dbwarden.migration_history import LockHolder
from dbwarden.types import DatabaseName, Location


class Stopped(Exception):
    """The call in this thread must stop, because its task was cancelled."""


def primary_code(error: BaseException) -> int:
    """Return the low byte of SQLite's error code, its kind; 0 for other errors."""
    code = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else 0


def is_busy(error: BaseException) -> bool:
    """Return whether another connection holds a lock, so that a later retry may succeed."""
    return primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def code_name(error: BaseException) -> str | None:
    """Return SQLite's name for the error: ``SQLITE_CONSTRAINT_UNIQUE (2067)``."""
    name = getattr(error, "sqlite_errorname", None)
    return f"{name} ({error.sqlite_errorcode})" if name else None  # type: ignore[attr-defined]


# -- opening ------------------------------------------------------------------------------------


def opening_failed(
    name: DatabaseName, path: Path | None, error: sqlite3.Error | OSError
) -> DBWardenError:
    """Return the error for a file that passed ``check_file`` but cannot be opened."""
    detail = code_name(error)
    if primary_code(error) == sqlite3.SQLITE_NOTADB:
        return ConnectError(
            f"{path} is not an SQLite database, or it is encrypted",
            database=name,
            detail=detail,
            next_step="Correct database_url, or move that file away.",
        )
    where = path or "the database in memory"
    return database_failed(name, path, error) or ConnectError(
        f"{where} cannot be opened: {error}", database=name, detail=detail
    )


def check_file(
    name: DatabaseName, path: Path, *, create: bool, owner: DatabaseName | None = None
) -> DBWardenError | None:
    """Return the error for a missing or inaccessible file or folder, if any.

    *owner* is the database to migrate: the primary of a replica.
    """
    try:
        regular = stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return _missing(name, path, create=create, owner=owner or name)
    except OSError as error:
        return AccessDenied(
            f"{path} cannot be accessed: {error.strerror}",
            database=name,
            next_step="Give this user access to that folder, or correct database_url.",
        )
    if not regular:
        return ConnectError(
            f"{path} is {'a folder' if path.is_dir() else 'no regular file'}, "
            "not an SQLite database",
            database=name,
            next_step="Correct database_url: it names the database's file.",
        )
    if not os.access(path, os.R_OK):
        return AccessDenied(
            f"this user may not read {path}",
            database=name,
            next_step="Give this user read access to the file, or run as the one who has it.",
        )
    return None


def _missing(
    name: DatabaseName, path: Path, *, create: bool, owner: DatabaseName
) -> DBWardenError | None:
    if not path.parent.is_dir():
        return DatabaseMissing(
            f"the folder {path.parent} of the database does not exist",
            database=name,
            next_step=f"Create folder and database with: dbwarden create-database -d {owner} (or "
            f"mkdir -p {path.parent}); or correct database_url.",
        )
    if path.is_symlink():
        return DatabaseMissing(
            f"{path} is a link to {os.path.realpath(path)}, which does not exist",
            database=name,
            next_step="dbwarden creates no database through a link. Correct database_url, or "
            "remove the link.",
        )
    if not create:
        return DatabaseMissing(
            f"the database {path} does not exist yet",
            database=name,
            next_step=f"Create it with: dbwarden migrate -d {owner}",
        )
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return AccessDenied(
            f"this user may not create {path}",
            database=name,
            next_step=f"Give this user write access to {path.parent}, or correct database_url.",
        )
    return None


def lock_failed(name: DatabaseName, path: Path, error: OSError) -> DBWardenError:
    """Return the error for a lock file that cannot be created."""
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return AccessDenied(
            f"this user may not create the lock file {path}: {error.strerror}",
            database=name,
            next_step=f"Give this user write access to {path.parent}: SQLite makes its journal "
            "there too.",
        )
    if error.errno in (errno.ELOOP, errno.EMLINK, errno.EINVAL):
        return ConnectError(
            f"the lock file {path} cannot be used: {error.strerror}",
            database=name,
            next_step="dbwarden did not make it. Find out who did, then remove it.",
        )
    return ConnectError(
        f"the lock file {path} cannot be created: {error.strerror}",
        database=name,
        next_step="Check the disk, then run the command again.",
    )


# -- running ------------------------------------------------------------------------------------


_DAMAGED = (
    ConnectError,
    "{where} is damaged: {error}",
    "Restore it from a backup; look with: sqlite3 FILE 'PRAGMA integrity_check', save what is left "
    "with: sqlite3 FILE .recover",
)
_NOT_OPENED = (
    AccessDenied,
    "{where} or its journal cannot be opened: {error}",
    "Give this user write access to the file and to its folder, where SQLite makes its journal.",
)
_LEFT_OPEN = (
    ConnectError,
    "a process that was killed left {where} in the middle of a transaction, which a read-only "
    "connection cannot roll back",
    "Roll it back with: dbwarden migrate -d {name}",
)
_FAILURES: Mapping[int, tuple[type[DBWardenError], str, str]] = {
    sqlite3.SQLITE_FULL: (
        StatementFailed,
        "the disk that holds {where} is full, or the database has reached its size limit",
        "Free some space and run the command again: unfinished work was rolled back.",
    ),
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_READONLY: (
        ReadOnlyDatabase,
        "{where} is read-only: {error}",
        "Give this user write access to the file and its folder, or correct database_url (mode=ro, "
        "immutable=1).",
    ),
    sqlite3.SQLITE_READONLY_DBMOVED: (
        ConnectionLost,
        "{where} was moved or replaced while it was open",
        "Put the right file there and run the command again.",
    ),
    sqlite3.SQLITE_READONLY_ROLLBACK: _LEFT_OPEN,
    sqlite3.SQLITE_READONLY_RECOVERY: _LEFT_OPEN,
    sqlite3.SQLITE_IOERR: (
        ConnectionLost,
        "{where} could not be read or written: {error}",
        "Check its disk or network mount, then run the command again: it finds out what was done.",
    ),
    sqlite3.SQLITE_CANTOPEN: _NOT_OPENED,
    sqlite3.SQLITE_PERM: _NOT_OPENED,
}
"""The errors of the database or its disk by SQLite's codes, and what to do."""


def database_failed(
    name: DatabaseName, path: Path | None, error: BaseException
) -> DBWardenError | None:
    """Return the error if the database or its disk is at fault, not the statement."""
    code = primary_code(error)
    known = _FAILURES.get(getattr(error, "sqlite_errorcode", code)) or _FAILURES.get(code)
    if known is None:
        return None
    kind, message, next_step = known
    return kind(
        message.format(where=path or "the database", error=error),
        database=name,
        detail=code_name(error),
        next_step=next_step.format(name=name),
    )


def lock_timed_out(
    name: DatabaseName, seconds: float | None, error: BaseException, holder: LockHolder | None
) -> DBWardenError:
    """Return the error for another connection that kept its lock longer than ``lock_timeout``.

    *holder* is the other migrator that holds the database, if any.
    """
    waited = f" for {seconds:g} s (lock_timeout)" if seconds else ""
    if holder is not None:
        return MigratorBusy(
            f"a migrator has kept the database locked{waited}: {holder}",
            database=name,
            detail=code_name(error),
            next_step="Wait for it to end.",
        )
    return LockTimeout(
        f"another connection has kept the database locked{waited}: {error}",
        database=name,
        detail=code_name(error),
        next_step="Find the program that keeps a transaction open on this file and let it end, or "
        "wait longer with lock_timeout= in its database_config.",
    )


def statement_failed(
    pending: PendingMigration,
    statement: Statement,
    error: Exception,
    *,
    timeout: float | None = None,
) -> StatementFailed:
    """Return the error for a statement that SQLite refused, with its location in the file.

    *timeout* is ``statement_timeout`` if that stopped the statement.
    """
    message, next_step = str(error), "Correct the file"
    if timeout is not None:
        message = f"the statement was stopped after {timeout:g} s (statement_timeout)"
        next_step = "Raise statement_timeout= in its database_config"
    name = pending.migration.database
    return StatementFailed(
        message,
        database=name,
        location=locate_error(pending, statement, error),
        statement=statement.text,
        detail=code_name(error),
        hint=_hint(error),
        next_step=f"{next_step} and {_again(pending)}"
        + (f" {suggest_baseline(name)}" if SQLiteText.DUPLICATE_OBJECT.is_in(error) else ""),
    )


def broken_keys(pending: PendingMigration, statement: Statement, rows: str) -> StatementFailed:
    """Return the error for a step that violates foreign keys."""
    return _keys_failed(
        pending,
        statement,
        f"foreign keys do not hold: {rows}",
        "Migrations run with foreign_keys = OFF; rows that refer to nothing are counted before and "
        "after.",
        "Change or delete these rows too",
    )


def mismatched_key(
    pending: PendingMigration, statement: Statement, error: sqlite3.Error
) -> StatementFailed:
    """Return the error for a step after which a key refers to columns that are not unique."""
    return _keys_failed(
        pending,
        statement,
        f"a foreign key refers to columns that are not unique: {error}",
        "SQLite would refuse rows of both tables wherever foreign keys are enforced.",
        "Make what the key refers to a primary key or UNIQUE",
    )


def _keys_failed(
    pending: PendingMigration, statement: Statement, what: str, hint: str, step: str
) -> StatementFailed:
    return StatementFailed(
        f"after this step {what}",
        database=pending.migration.database,
        location=pending.migration.at(statement.line, statement.column),
        hint=hint,
        next_step=f"{step}, and {_again(pending)}",
    )


_OTHER_FILE = re.compile(r"attach\b|vacuum\b.*\binto\b", re.IGNORECASE | re.DOTALL)


def names_file(statement: Statement, error: sqlite3.Error) -> bool:
    """Return whether *error* may be about a file in *statement*, not about the database."""
    return not is_busy(error) and _OTHER_FILE.match(statement.text) is not None


def _again(pending: PendingMigration) -> str:
    """Return the advice to run *pending* again, and what its failed step has left."""
    kept = "Nothing of this migration was kept."
    if len(pending.steps) > 1:
        kept = (
            "Nothing of the step that failed was kept; the steps before it stay, and are not run "
            "again."
        )
    command = "migrate" if pending.direction == "upgrade" else "rollback"
    return f"run again: dbwarden {command} -d {pending.migration.database}. {kept}"


def add_location(
    error: DBWardenError, pending: PendingMigration, statement: Statement | None = None
) -> DBWardenError:
    """Add the location in *pending*, and the statement if given, to *error*."""
    line, column = (statement.line, statement.column) if statement else (None, None)
    error.location = error.location or pending.migration.at(line, column)
    error.statement = error.statement or (statement.text if statement else None)
    return error


def _hint(error: BaseException) -> str | None:
    if SQLiteText.OUTPUT_FILE_EXISTS.is_in(error):
        return "If an earlier run was interrupted while it wrote that file, delete it."
    if isinstance(error, sqlite3.ProgrammingError) and SQLiteText.PARAMETER.is_in(error):
        return "A ?, :name, @name or $name outside of quotes is a parameter; a migration has none."
    return None


def locate_error(pending: PendingMigration, statement: Statement, error: Exception) -> Location:
    """Return the location of the word that *error* names, or of *statement*."""
    word = SQLiteText.SYNTAX_ERROR.name_in(error)
    words = list(re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", statement.text)) if word else []
    if len(words) != 1:
        return pending.migration.at(statement.line, statement.column)
    before = statement.text[: words[0].start()]
    lines = before.count("\n")
    column = len(before) - before.rfind("\n") if lines else statement.column + len(before)
    return pending.migration.at(statement.line + lines, column)
