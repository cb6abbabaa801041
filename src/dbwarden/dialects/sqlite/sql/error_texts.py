"""Recognize errors for which SQLite has no code, only an English text.

SQLite reports all of them as SQLITE_ERROR, and Python's driver as ProgrammingError. The texts are
not translated. Every decision on the text of an error of SQLite is in this module; all others use
the error's code.
"""

import re
import sqlite3

_MISSING = re.compile(r"no such (?:table|module|collation sequence)\b")
_UNREADABLE = re.compile(
    r"no such (?:table|column): |table .* (?:has no column named|has \d+ columns but \d+ values) "
)
_DUPLICATE = re.compile(r"already exists$|^duplicate column name")
_NEAR = re.compile(r'near "(.+)": syntax error', re.DOTALL)


def reports_missing_object(error: BaseException | None) -> bool:
    """Return whether *error* reports a missing table, module or collation."""
    return isinstance(error, sqlite3.Error) and _MISSING.search(str(error)) is not None


def reports_missing_column(error: sqlite3.Error) -> bool:
    """Return whether *error* reports a missing table or column that a view or trigger uses."""
    return _UNREADABLE.match(str(error)) is not None


def reports_duplicate_object(error: BaseException) -> bool:
    """Return whether *error* reports that a table, index or column exists already."""
    return _DUPLICATE.search(str(error)) is not None


def reports_required_column(error: BaseException | None) -> bool:
    """Return whether *error* reports that rows have no value for a new NOT NULL column."""
    return isinstance(error, sqlite3.Error) and "Cannot add a NOT NULL column" in str(error)


def reports_key_mismatch(error: sqlite3.Error) -> bool:
    """Return whether *error* reports a key that refers to columns that are not unique."""
    return str(error).startswith("foreign key mismatch")


def reports_output_file(error: BaseException) -> bool:
    """Return whether *error* reports that the file of a VACUUM INTO exists already."""
    return "output file already exists" in str(error)


def reports_parameter(error: BaseException) -> bool:
    """Return whether *error* reports that a statement contains a parameter."""
    return isinstance(error, sqlite3.ProgrammingError) and "bindings" in str(error)


def word_of_syntax_error(error: BaseException) -> str | None:
    """Return the word that a syntax error names, ``None`` for other errors."""
    near = _NEAR.fullmatch(str(error))
    return near[1] if near else None
