"""Whether a step broke foreign keys, which SQLite does not watch while migrations run.

Migrations run with ``foreign_keys = OFF``: a table is rebuilt by dropping it, and with the keys on
that would delete or refuse the rows that refer to it. So the rows are counted that refer to
nothing (``PRAGMA foreign_key_check``), within the transaction, before and after each step that
changes rows or drops or alters tables. The step fails when there are more of them between any two
tables. Violations that were there before don't matter, but to rename a table that has some, repair
them first: under the new name they count as new.

Where SQLite cannot check before the step (a key refers to columns that are not unique, say),
the step is not checked; a rollback may lead back to that. Only the main database is checked, not
attached ones.
"""

import re
import sqlite3
from collections import Counter
from collections.abc import Iterable

from dbwarden.dialects.base import Statement

Violations = Counter[tuple[str, str]]
"""How many rows of a table refer to no row of another."""

_SHOWN = 5
_RISKY = re.compile(r"(?:drop|alter|insert|update|delete|replace|with)\b", re.IGNORECASE)


def is_risky(statements: Iterable[Statement]) -> bool:
    """Whether one of *statements* can leave a row that refers to nothing."""
    return any(_RISKY.match(statement.text) for statement in statements)


def violations(database: sqlite3.Connection) -> Violations:
    """Count the rows that refer to nothing.

    Raises:
        sqlite3.Error: SQLite cannot check them.
    """
    found = database.execute(
        'SELECT "table", "parent", count(*) FROM pragma_foreign_key_check GROUP BY 1, 2'
    )
    return Counter({(table, parent): number for table, parent, number in found.fetchall()})


def violations_before(database: sqlite3.Connection) -> Violations | None:
    """:func:`violations`, or ``None`` where they cannot be counted."""
    try:
        return violations(database)
    except sqlite3.OperationalError:
        return None


def is_mismatch(error: sqlite3.Error) -> bool:
    """Whether a key refers to columns that are not unique, so that SQLite can check none."""
    return str(error).startswith("foreign key mismatch")


def describe(database: sqlite3.Connection, new: Violations) -> str:
    """Name some of the rows of *new*: ``orders (rowid 3) refers to no row of users``."""
    shown: list[str] = []
    for table, parent in new:
        found = database.execute(
            "SELECT rowid FROM pragma_foreign_key_check(?) WHERE parent = ? LIMIT ?",
            (table, parent, _SHOWN),
        )
        shown += [
            f"{table} (rowid {rowid}) refers to no row of {parent}"
            if rowid is not None
            else f"a row of {table} refers to no row of {parent}"
            for (rowid,) in found.fetchall()
        ]
    more = sum(new.values()) - len(shown[:_SHOWN])
    return "; ".join(shown[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
