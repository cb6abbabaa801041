"""Check whether a step violates foreign keys, which SQLite does not enforce during migrations.

Migrations run with ``foreign_keys = OFF``, because rebuilding a table drops it, which would delete
or refuse the rows that refer to it. Instead, ``PRAGMA foreign_key_check`` counts the violations
in the transaction, before and after each step that changes rows or drops or alters tables. The
step fails if their number between any two tables has grown. Earlier violations are ignored, but
must be repaired before renaming their table, because under the new name they count as new.

If SQLite cannot check the keys before the step (for example, because a key refers to columns that
are not unique), the step is not checked; a rollback may restore that state. Only the main database
is checked, not attached ones.
"""

import re
import sqlite3
from collections import Counter
from collections.abc import Iterable

from dbwarden.dialects.base import Statement

Violations = Counter[tuple[str, str]]
"""The number of rows of a table that refer to no row of another one, by both tables."""

_SHOWN = 5
_RISKY = re.compile(r"(?:drop|alter|insert|update|delete|replace|with)\b", re.IGNORECASE)


def is_risky(statements: Iterable[Statement]) -> bool:
    """Return whether one of *statements* can violate a foreign key."""
    return any(_RISKY.match(statement.text) for statement in statements)


def violations(database: sqlite3.Connection) -> Violations:
    """Count the foreign key violations.

    Raises:
        sqlite3.Error: SQLite cannot check the keys.
    """
    cursor = database.execute(
        'SELECT "table", "parent", count(*) FROM pragma_foreign_key_check GROUP BY 1, 2'
    )
    return Counter({(table, parent): number for table, parent, number in cursor.fetchall()})


def violations_before(database: sqlite3.Connection) -> Violations | None:
    """Count the foreign key violations; ``None`` if SQLite cannot check the keys."""
    try:
        return violations(database)
    except sqlite3.OperationalError:
        return None


def describe(database: sqlite3.Connection, new: Violations) -> str:
    """Describe some rows of *new*: ``orders (rowid 3) refers to no row of users``."""
    shown: list[str] = []
    for table, parent in new:
        cursor = database.execute(
            "SELECT rowid FROM pragma_foreign_key_check(?) WHERE parent = ? LIMIT ?",
            (table, parent, _SHOWN),
        )
        shown += [
            f"{table} (rowid {rowid}) refers to no row of {parent}"
            if rowid is not None
            else f"a row of {table} refers to no row of {parent}"
            for (rowid,) in cursor.fetchall()
        ]
    more = sum(new.values()) - len(shown[:_SHOWN])
    return "; ".join(shown[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
