"""Which tables a statement writes anew: seen in the file's own pages, not guessed.

SQLite has no locks on tables: every migration locks the whole database for writing. What differs
is how much of it is written.
"""

import sqlite3

from dbwarden.dialects.base import Statement
from dbwarden.dialects.scratch import TableLock, TracedStatement
from dbwarden.dialects.sqlite.catalog.tokens import Unreadable, tokens
from dbwarden.dialects.sqlite.session import Session

NO_LOCK = ""
"""The mode of a :class:`TableLock` that is none: the statement only rewrites the table."""

_PAGES = "SELECT name, rootpage FROM main.sqlite_master WHERE type = 'table' AND rootpage > 0"
_CHANGES_SCHEMA = ("alter", "create", "drop")


class Tracer:
    """Watches the statements of one replay."""

    def __init__(self, session: Session) -> None:
        """Take the connection on which they run."""
        self.found: list[TracedStatement] = []
        self._session = session
        self._pages: dict[str, int] = {}
        self._last: dict[str, int] = {}
        self._purged: str | None = None

    def begin(self) -> None:
        """Remember which tables there are, and where."""
        self._pages = self._look()
        self._last = dict(self._pages)

    def _look(self) -> dict[str, int]:
        return dict(self._session.database.execute(_PAGES).fetchall())

    def before(self, statement: str) -> None:
        """Look at a statement that is about to run."""
        self._purged = purged_table(self._session.database, statement)

    def after(self, statement: Statement) -> None:
        """Look at what it did: a table that lies elsewhere was written anew.

        Unless another one that was there before has only taken its name.
        """
        if not self._pages or not statement.text[:6].lower().startswith(_CHANGES_SCHEMA):
            return
        now = self._look()
        old = {page for name, page in self._last.items() if self._pages.get(name) == page}
        moved = {
            name
            for name, page in self._pages.items()
            if now.get(name, page) != page and now[name] not in old
        }
        self._pages.update((name, page) for name, page in now.items() if name in self._pages)
        self._last = now
        if self._purged in self._pages:
            moved.add(self._purged)
        locks = tuple(TableLock(table=name, mode=NO_LOCK, rewrites=True) for name in sorted(moved))
        if locks:
            traced = TracedStatement(text=statement.text, line=statement.line, locks=locks)
            self.found.append(traced)


def purged_table(database: sqlite3.Connection, statement: str) -> str | None:
    """The table whose rows ``ALTER TABLE ... DROP COLUMN`` writes anew, without the column.

    A column that is computed when it is read is in no row.
    """
    if statement[:5].lower() != "alter":
        return None
    try:
        words = [token for token in tokens(statement) if not token.is_("COLUMN")]
    except Unreadable:
        return None
    if len(words) < 5 or not words[-2].is_("DROP"):
        return None
    found = database.execute(
        "SELECT m.name FROM main.sqlite_master m, pragma_table_xinfo(m.name) c "
        "WHERE m.type = 'table' AND lower(m.name) = lower(?) AND lower(c.name) = lower(?) "
        "AND c.hidden <> 2",
        (words[-3].name, words[-1].name),
    ).fetchone()
    return found[0] if found else None
