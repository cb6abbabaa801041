"""Find what views and triggers read and write, as reported by SQLite's compiler."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dbwarden.dialects.sqlite.sql.error_texts import SQLiteText
from dbwarden.dialects.sqlite.sql.quoting import identifier
from dbwarden.schema import ObjectKind, Ref, Schema, Trigger, View, ref_of

_DELETE, _INSERT, _READ, _UPDATE = 9, 18, 20, 23
"""SQLite's action codes for an authorizer."""

Access = tuple[str, str, str]
"""A view or trigger, the table or view that it uses, and the column ("" for none)."""


@dataclass(frozen=True, slots=True)
class Uses:
    """The dependencies of views and triggers, and the errors of those that cannot be used."""

    dependencies: tuple[tuple[Ref, Ref], ...] = ()
    broken: tuple[tuple[Ref, str], ...] = ()


def uses(database: sqlite3.Connection, schema: Schema) -> Uses:
    """Return pairs of a view or trigger and an object it uses; broken ones may have none.

    The statements are compiled, not run.
    """
    if not schema.of(View) and not schema.of(Trigger):
        return Uses()
    seen: set[Access] = set()
    broken: dict[Ref, str] = {}
    with _record_accesses(database, seen):
        for view in schema.of(View):
            message = _compile(database, f"SELECT * FROM main.{identifier(view.name.name)}")
            broken |= {view.ref: message} if message is not None else {}
        for name in {trigger.table.name for trigger in schema.of(Trigger)}:
            for statement in _events(database, name):
                if (message := _compile(database, statement)) is not None:
                    # SQLite does not report which of them it is.
                    own = [
                        trigger.ref for trigger in schema.of(Trigger) if trigger.table.name == name
                    ]
                    broken |= dict.fromkeys(own, message)
    refs = _refs(schema)
    pairs = {pair for access in seen for pair in _pairs(access, refs)}
    return Uses(
        dependencies=tuple(sorted(pairs, key=lambda pair: (pair[0].sort_key, pair[1].sort_key))),
        broken=tuple(sorted(broken.items(), key=lambda item: item[0].sort_key)),
    )


@contextmanager
def _record_accesses(database: sqlite3.Connection, seen: set[Access]) -> Iterator[None]:
    def note(
        action: int, one: str | None, two: str | None, where: str | None, source: str | None
    ) -> int:
        if source is not None and one is not None and where in ("main", None):
            if action in (_READ, _UPDATE):
                seen.add((source, one, two or ""))
            elif action in (_INSERT, _DELETE):
                seen.add((source, one, ""))
        return sqlite3.SQLITE_OK

    database.set_authorizer(note)
    try:
        yield
    finally:
        database.set_authorizer(None)


def _compile(database: sqlite3.Connection, statement: str) -> str | None:
    """Compile *statement* and return the error about a missing table or column, if any."""
    try:
        database.execute(f"EXPLAIN {statement}").close()
    except sqlite3.Error as error:
        return str(error) if SQLiteText.MISSING_REFERENCE.is_in(error) else None
    return None


def _events(database: sqlite3.Connection, name: str) -> Iterator[str]:
    quoted = identifier(name)
    try:
        rows = database.execute(f"PRAGMA main.table_xinfo({quoted})").fetchall()
    except sqlite3.Error:
        return  # a broken view has no columns and cannot be read or written through
    columns = [column[1] for column in rows if column[6] == 0]
    yield f"INSERT INTO main.{quoted} DEFAULT VALUES"
    yield f"DELETE FROM main.{quoted}"
    if columns:
        assigned = ", ".join(f"{identifier(column)} = 0" for column in columns)
        yield f"UPDATE main.{quoted} SET {assigned}"


def _refs(schema: Schema) -> dict[str, Ref]:
    """Return tables and views by name; triggers by name with a leading blank."""
    refs = {table.name.name.lower(): table.ref for table in schema.tables}
    refs |= {view.name.name.lower(): view.ref for view in schema.of(View)}
    return refs | {f" {trigger.name.lower()}": trigger.ref for trigger in schema.of(Trigger)}


def _pairs(access: Access, refs: dict[str, Ref]) -> Iterator[tuple[Ref, Ref]]:
    source, used, column = access
    needed = refs.get(used.lower())
    if needed is None:
        return
    # A view and a trigger may have the same name; both are then assumed to need it.
    for user in (refs.get(source.lower()), refs.get(f" {source.lower()}")):
        if user is None or user.kind is ObjectKind.TABLE or user == needed:
            continue
        yield user, needed
        if column and needed.kind is ObjectKind.TABLE and column.upper() != "ROWID":
            yield user, ref_of(ObjectKind.COLUMN, needed.table, column)
