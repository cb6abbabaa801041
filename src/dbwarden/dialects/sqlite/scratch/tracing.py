"""Which tables a statement writes anew: seen in the file's own pages, not guessed.

SQLite has no locks on tables: every migration locks the whole database for writing. What differs
is how much of it is written.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dbwarden.dialects.authoring import TableLock, TracedStatement
from dbwarden.dialects.base import Statement
from dbwarden.dialects.sqlite.catalog.tokens import Unreadable, tokens
from dbwarden.dialects.sqlite.migrate.session import Session

NO_LOCK = ""
"""The mode of a :class:`TableLock` that is none: the statement only rewrites the table."""

_PAGES = "SELECT name, rootpage FROM main.sqlite_master WHERE type = 'table' AND rootpage > 0"
_CHANGES_SCHEMA = ("alter", "create", "drop")


@dataclass(slots=True)
class _Tracked:
    """A table that was there before: what it was called, is called, and where it lies."""

    was: str
    name: str
    page: int | None


class Tracer:
    """Watches the statements of one replay."""

    def __init__(self, session: Session) -> None:
        """Take the connection on which they run."""
        self.found: list[TracedStatement] = []
        self._session = session
        self._tracked: list[_Tracked] = []
        self._purged: str | None = None

    def begin(self) -> None:
        """Remember which tables there are, and where."""
        self._tracked = [_Tracked(name, name, page) for name, page in self._look().items()]

    def _look(self) -> dict[str, int]:
        return dict(self._session.database.execute(_PAGES).fetchall())

    def before(self, statement: str) -> None:
        """Look at a statement that is about to run."""
        self._purged = purged_table(self._session.database, statement)

    def after(self, statement: Statement) -> None:
        """Look at what it did: a table that lies elsewhere was written anew."""
        word = statement.text[:6].lower()
        if not self._tracked or not word.startswith((*_CHANGES_SCHEMA, "vacuum")):
            return
        now = self._look()
        if word == "vacuum":  # moves every table, and renames none
            for table in self._tracked:
                table.page = now.get(table.name)
            return
        rewritten = followed(self._tracked, now)
        rewritten |= {table.was for table in self._tracked if table.name == self._purged}
        locks = tuple(
            TableLock(table=name, mode=NO_LOCK, rewrites=True) for name in sorted(rewritten)
        )
        if locks:
            traced = TracedStatement(text=statement.text, line=statement.line, locks=locks)
            self.found.append(traced)


def followed(tracked: Sequence[_Tracked], now: Mapping[str, int]) -> set[str]:
    """Bring *tracked* up to date with the tables that there are *now*; which were written anew.

    A table that lies where it lay was at most renamed. One that lies nowhere any more was dropped,
    and written anew if later a table that was not there before comes by its name.
    """
    names = {page: name for name, page in now.items()}
    taken = set()
    for table in tracked:
        if table.page in names:
            table.name = names[table.page]
            taken.add(table.name)
    rewritten = set()
    for table in tracked:
        if table.page not in names:
            arrived = table.name in now and table.name not in taken
            table.page = now[table.name] if arrived else None
            rewritten |= {table.was} if arrived else set()
    return rewritten


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
