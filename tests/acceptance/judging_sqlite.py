"""Build, read, run and describe SQLite databases; what the case runner stands on.

What a database is, is told twice: by dbwarden's catalog, and by SQLite's own PRAGMAs.
"""

import re
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from dbwarden.dialects.sqlite.catalog import read_schema, spelled_alike
from dbwarden.dialects.sqlite.ddl import render
from dbwarden.diff import diff
from dbwarden.diff.changes import Renaming
from dbwarden.diff.statements import PlannedStatement, RenderOptions
from dbwarden.schema import Schema

NOTHING = RenderOptions()
LEDGER = "dbwarden_ledger"


class _Forgotten(sqlite3.Connection):
    """Closed when nobody needs it any more: Python 3.13 warns of those that are not."""

    def __del__(self) -> None:
        self.close()


def built(sql: str = "") -> sqlite3.Connection:
    """A new database in memory that *sql* was run in; foreign keys are off, as in migrations."""
    database = sqlite3.connect(
        ":memory:",
        isolation_level=None,
        factory=_Forgotten,
        check_same_thread=False,  # the garbage is collected in whichever thread is there
    )
    database.execute("PRAGMA foreign_keys = OFF")
    database.executescript(sql)
    return database


def script(statements: Iterable[PlannedStatement]) -> str:
    """*statements* as they stand in a file."""
    return "".join(f"{statement.text};\n" for statement in statements)


def run(database: sqlite3.Connection, statements: Iterable[PlannedStatement]) -> None:
    """Run them as one step of a migration: in one transaction, foreign keys checked at its end."""
    database.executescript(f"BEGIN;\n{script(statements)}")
    assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    database.execute("COMMIT")


def write(
    current: Schema,
    desired: Schema,
    renames: Iterable[Renaming] = (),
    options: RenderOptions = NOTHING,
) -> tuple[PlannedStatement, ...]:
    """The statements that lead from one to the other."""
    changes = diff(current, desired, renames)
    return render(changes, current=current, desired=desired, options=options)


def unlike(found: Schema, wanted: Schema) -> list[str]:
    """What differs in more than the spelling of views, triggers and virtual tables."""
    changed: dict[str, Any] = {}
    for name in ("objects", "tables"):
        other = {item.ref: item for item in getattr(found, name)}
        changed[name] = tuple(
            other[item.ref] if item.ref in other and spelled_alike(other[item.ref], item) else item
            for item in getattr(wanted, name)
        )
    return [str(change) for change in diff(found, replace(wanted, **changed))]


def describe(database: sqlite3.Connection) -> dict[str, object]:
    """Everything that SQLite's own PRAGMAs tell of a database; column order says nothing."""
    tables = database.execute(
        "SELECT name, type, wr, strict FROM pragma_table_list "
        "WHERE schema = 'main' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND type <> 'view'"
        " AND name <> ?",
        (LEDGER,),
    ).fetchall()
    found: dict[str, object] = {}
    for name, sort, without_rowid, strict in tables:
        if sort != "table":
            continue
        found[name] = {
            "options": (without_rowid, strict),
            "columns": sorted(_columns(database, name)),
            "foreign keys": sorted(map(repr, _foreign_keys(database, name))),
            "indexes": sorted(map(repr, _indexes(database, name))),
        }
    others = database.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE type <> 'table' AND sql <> ''"
        " AND tbl_name <> ?",
        (LEDGER,),
    )
    for sort, name, table, sql in others.fetchall():
        found[f"{sort} {name}"] = (table, plain(sql))
    return found


def _columns(database: sqlite3.Connection, table: str) -> Iterator[tuple[object, ...]]:
    query = "SELECT name, upper(type), [notnull], dflt_value, pk, hidden FROM pragma_table_xinfo(?)"
    for name, type_, not_null, default, key, hidden in database.execute(query, (table,)).fetchall():
        # A key that never holds NULL may say so or not.
        yield name, type_, bool(not_null or key), plain(default or ""), key, hidden


def _foreign_keys(database: sqlite3.Connection, table: str) -> Iterator[tuple[object, ...]]:
    query = (
        'SELECT id, seq, "table", "from", coalesce("to", (SELECT name FROM '
        'pragma_table_info("table") WHERE pk = seq + 1)), on_update, on_delete, match '
        "FROM pragma_foreign_key_list(?) ORDER BY id, seq"
    )
    keys: dict[int, list[object]] = {}
    for number, _, *rest in database.execute(query, (table,)).fetchall():
        keys.setdefault(number, []).append(tuple(rest))
    yield from map(tuple, keys.values())


def _indexes(database: sqlite3.Connection, table: str) -> Iterator[tuple[object, ...]]:
    query = 'SELECT name, "unique", origin, partial FROM pragma_index_list(?)'
    for name, unique, origin, partial in database.execute(query, (table,)).fetchall():
        keys = database.execute(
            'SELECT name, "desc", coll, key FROM pragma_index_xinfo(?) WHERE key', (name,)
        ).fetchall()
        yield (name if origin == "c" else ""), unique, origin, partial, tuple(keys)


def plain(sql: str) -> str:
    """*sql* without blanks, capitals, and quotes around plain names."""
    sql = re.sub(r'"(\w+)"', r"\1", sql)
    return re.sub(r"\s+", "", sql).casefold()


def opened(path: Path) -> sqlite3.Connection:
    """The database file at *path*; foreign keys are off, as in migrations."""
    return sqlite3.connect(path, isolation_level=None)


def read(database: sqlite3.Connection) -> Schema:
    """The schema of *database*, without the ledger."""
    found = read_schema(database)
    tables = tuple(table for table in found.tables if table.name.name != LEDGER)
    return replace(found, tables=tables)
