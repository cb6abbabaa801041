"""Measure the tables that a statement rewrites, by the pages of the file.

SQLite has no table locks, because every migration locks the whole database for writing. Migrations
differ in the amount of data that they write.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dbwarden.dialects.authoring import TableLock, TracedStatement
from dbwarden.dialects.base import Statement
from dbwarden.dialects.sqlite.catalog.tokens import Unreadable, tokens
from dbwarden.dialects.sqlite.migrate.session import Session

NO_LOCK = ""
"""The mode of a :class:`TableLock` for a rewrite without a lock."""

_PAGES = "SELECT name, rootpage FROM main.sqlite_master WHERE type = 'table' AND rootpage > 0"
_CHANGES_SCHEMA = ("alter", "create", "drop")


@dataclass(slots=True)
class _TrackedTable:
    """A table that existed before: its old name, its present name, and its root page."""

    old_name: str
    name: str
    page: int | None


class Tracer:
    """A tracer of the statements of one replay."""

    def __init__(self, session: Session) -> None:
        """Store the connection on which they run."""
        self.traced: list[TracedStatement] = []
        self._session = session
        self._tracked: list[_TrackedTable] = []
        self._purged: str | None = None

    def begin(self) -> None:
        """Record the existing tables and their root pages."""
        self._tracked = [_TrackedTable(name, name, page) for name, page in self._look().items()]

    def _look(self) -> dict[str, int]:
        return dict(self._session.database.execute(_PAGES).fetchall())

    def before(self, statement: str) -> None:
        """Record a statement that is about to run."""
        self._purged = purged_table(self._session.database, statement)

    def after(self, statement: Statement) -> None:
        """Record the effect of a statement: a table with another root page was rewritten."""
        word = statement.text[:6].lower()
        if not self._tracked or not word.startswith((*_CHANGES_SCHEMA, "vacuum")):
            return
        pages = self._look()
        if word == "vacuum":  # moves every table, and renames none
            for table in self._tracked:
                table.page = pages.get(table.name)
            return
        rewritten = follow_tables(self._tracked, pages)
        rewritten |= {table.old_name for table in self._tracked if table.name == self._purged}
        locks = tuple(
            TableLock(table=name, mode=NO_LOCK, rewrites=True) for name in sorted(rewritten)
        )
        if locks:
            self.traced.append(
                TracedStatement(text=statement.text, line=statement.line, locks=locks)
            )


def follow_tables(tracked: Sequence[_TrackedTable], pages: Mapping[str, int]) -> set[str]:
    """Update *tracked* with the root *pages* of the tables, and return the rewritten ones.

    A table with the same root page was at most renamed. One without a page was dropped, and was
    rewritten if a new table has its name.
    """
    names = {page: name for name, page in pages.items()}
    new_names = set()
    for table in tracked:
        if table.page in names:
            table.name = names[table.page]
            new_names.add(table.name)
    rewritten = set()
    for table in tracked:
        if table.page not in names:
            arrived = table.name in pages and table.name not in new_names
            table.page = pages[table.name] if arrived else None
            rewritten |= {table.old_name} if arrived else set()
    return rewritten


def purged_table(database: sqlite3.Connection, statement: str) -> str | None:
    """Return the table that ``ALTER TABLE ... DROP COLUMN`` rewrites.

    Dropping a virtual generated column rewrites nothing.
    """
    if statement[:5].lower() != "alter":
        return None
    try:
        words = [token for token in tokens(statement) if not token.is_("COLUMN")]
    except Unreadable:
        return None
    if len(words) < 5 or not words[-2].is_("DROP"):
        return None
    row = database.execute(
        "SELECT m.name FROM main.sqlite_master m, pragma_table_xinfo(m.name) c "
        "WHERE m.type = 'table' AND lower(m.name) = lower(?) AND lower(c.name) = lower(?) "
        "AND c.hidden <> 2",
        (words[-3].name, words[-1].name),
    ).fetchone()
    return row[0] if row else None
