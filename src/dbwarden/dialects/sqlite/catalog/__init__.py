"""Read the schema of a SQLite database: query ``sqlite_schema`` and parse the statements.

``read_schema(connection, exclude=(...))`` is the entry point. The schema has these peculiarities
for SQLite:

- Names have no namespace (``QualifiedName(None, "users")``).
- A type is the declared one, in capitals. A default is a literal, a ``CURRENT_...`` keyword, or an
  expression *without* the parentheses that SQL requires; so are checks, generation expressions,
  index expressions and conditions.
- ``PrimaryKey.parameters`` and ``Unique.parameters`` may hold ``("on conflict", "REPLACE")`` and
  ``("columns", "a DESC, b COLLATE NOCASE")``: the text between the parentheses, if it is more
  than names. ``Column.parameters`` may hold ``("not null on conflict", "IGNORE")``.
  A key on one ``INTEGER`` column with ``a DESC`` in this text is not an alias of the rowid: SQLite
  has such a key only if it is declared at its column.
- Columns that never hold NULL are ``not_null``, declared or not: the alias of the rowid, and the
  primary keys of ``WITHOUT ROWID`` and ``STRICT`` tables.
- ``View.definition`` is the query, and ``View.parameters`` may hold ``("columns", '"a", "b"')``.
  ``Trigger.definition`` is the whole statement. Both are the original text; :func:`spelled_alike`
  compares them.
- ``Table.virtual`` is the whole statement of a virtual table, which has no other content; shadow
  tables are left out, and so are SQLite's own (``sqlite_...``).
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from dbwarden.dialects.sqlite.catalog.cursor import TokenCursor
from dbwarden.dialects.sqlite.catalog.dependencies import uses
from dbwarden.dialects.sqlite.catalog.expressions import sql
from dbwarden.dialects.sqlite.catalog.tables import (
    KEYS,
    index,
    name_of,
    resolve_foreign_keys,
    table,
)
from dbwarden.dialects.sqlite.catalog.tokens import Ambiguous, Unreadable
from dbwarden.dialects.sqlite.sql.quoting import identifier
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import Index, Schema, Table, Trigger, View

T = TypeVar("T")

__all__ = ["EMPTY_SCHEMA", "read_schema", "schema_of", "spelled_alike"]


@dataclass(frozen=True, slots=True)
class SchemaRow:
    """One row of ``sqlite_schema``."""

    type: str
    name: str
    table: str
    sql: str


_ROWS = (
    "SELECT type, name, tbl_name, sql FROM main.sqlite_master "
    "WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid"
)
_SHADOWS = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'"
_SHADOW_ENDS = {
    # the shadow tables of a virtual table, for SQLite before 3.37, which does not report them
    "fts3": ("content", "segments", "segdir", "docsize", "stat"),
    "fts4": ("content", "segments", "segdir", "docsize", "stat"),
    "fts5": ("data", "idx", "content", "docsize", "config"),
    "rtree": ("node", "parent", "rowid"),
    "rtree_i32": ("node", "parent", "rowid"),
    "geopoly": ("node", "parent", "rowid"),
}
_TABLE_LIST_VERSION = (3, 37, 0)

EMPTY_SCHEMA = Schema(
    dialect="sqlite",
    default_namespace=None,
    server_version=sqlite3.sqlite_version_info[0] * 1_000_000
    + sqlite3.sqlite_version_info[1] * 1_000
    + sqlite3.sqlite_version_info[2],
)
"""An empty database; ``server_version`` as SQLite counts: 3040001 is 3.40.1."""


def read_schema(database: sqlite3.Connection, *, exclude: Iterable[str] = ()) -> Schema:
    """Read the schema of the main database behind *database*. Blocking; writes nothing.

    Args:
        database: An open connection; in a transaction, if the result must be consistent.
        exclude: Tables to leave out with their indexes: the ledger.

    Raises:
        UnsupportedChange: A statement of the catalog cannot be parsed; names its object.
        sqlite3.Error: The database cannot be read.
    """
    rows = [SchemaRow(*row) for row in database.execute(_ROWS).fetchall()]
    shadows = _shadows(database, rows)
    schema = schema_of(rows, leave_out={*shadows, *exclude})
    usage = uses(database, schema)
    return replace(schema, dependencies=usage.dependencies, broken=usage.broken)


def _shadows(database: sqlite3.Connection, rows: Sequence[SchemaRow]) -> set[str]:
    """Return the shadow tables of virtual tables."""
    virtual = [row for row in rows if _is_virtual(row)]
    if not virtual:
        return set()
    if sqlite3.sqlite_version_info >= _TABLE_LIST_VERSION:
        return {name for (name,) in database.execute(_SHADOWS).fetchall()}
    return {
        f"{row.name}_{end}" for row in virtual for end in _SHADOW_ENDS.get(_read(row, _module), ())
    }


def _module(row: SchemaRow) -> str:
    cursor = TokenCursor(row.sql)
    cursor.expect("CREATE", "VIRTUAL", "TABLE")
    cursor.take("IF", "NOT", "EXISTS")
    cursor.qualified_name()
    cursor.expect("USING")
    return cursor.name().lower()


def _is_virtual(row: SchemaRow) -> bool:
    return row.type == "table" and row.sql[:14].upper().split()[:2] == ["CREATE", "VIRTUAL"]


def schema_of(rows: Sequence[SchemaRow], *, leave_out: Iterable[str] = ()) -> Schema:
    """Return the schema described by these rows of ``sqlite_schema``. Pure.

    Raises:
        UnsupportedChange: A statement cannot be parsed; names its object.
    """
    omitted_names = {name.lower() for name in leave_out}
    own_rows = [
        row
        for row in rows
        if row.table.lower() not in omitted_names and row.name.lower() not in omitted_names
    ]
    written = {
        row.name.lower(): (row, _read(row, _table)) for row in own_rows if row.type == "table"
    }
    known = {name: item for name, (_, item) in written.items()}
    tables = [_read(row, partial(_resolved, item, known)) for row, item in written.values()]
    indexes = _indexes(own_rows, known)
    owners = {name: item.name.name for name, item in known.items()}
    views = [_read(row, _view) for row in own_rows if row.type == "view"]
    owners |= {view.name.name.lower(): view.name.name for view in views}
    triggers = [
        Trigger(
            name=row.name,
            table=name_of(owners.get(row.table.lower(), row.table)),
            definition=_read(row, _definition),
        )
        for row in own_rows
        if row.type == "trigger"
    ]
    return replace(
        EMPTY_SCHEMA,
        tables=tuple(
            sorted(
                (replace(item, indexes=tuple(indexes.get(item.name.name, ()))) for item in tables),
                key=lambda item: item.name,
            )
        ),
        objects=tuple(sorted((*views, *triggers), key=lambda obj: obj.ref.sort_key)),
    )


def _read(row: SchemaRow, reader: Callable[[SchemaRow], T]) -> T:
    try:
        return reader(row)
    except Ambiguous as error:
        raise UnsupportedChange(
            f"the {row.type} {row.name} has {error}, which cannot be distinguished",
            statement=row.sql,
            next_step="Give one of them a name.",
        ) from error
    except Unreadable as error:
        raise UnsupportedChange(
            f"dbwarden cannot parse the statement of {row.type} {row.name}: {error}",
            statement=row.sql,
            next_step="If nothing differs by name only, and SQLite takes the statement, this is a "
            "gap in dbwarden: please report it.",
        ) from error


def _table(row: SchemaRow) -> Table:
    if _is_virtual(row):
        return Table(name=name_of(row.name), virtual=_text(row.sql))
    return table(row.name, row.sql)


def _indexes(rows: Sequence[SchemaRow], tables: Mapping[str, Table]) -> dict[str, list[Index]]:
    found: dict[str, list[Index]] = {}
    for row in rows:
        if row.type == "index":
            of = tables[row.table.lower()]
            made = _read(row, partial(_index, of))
            found.setdefault(of.name.name, []).append(made)
    return {name: sorted(made, key=lambda item: item.name) for name, made in found.items()}


def _resolved(item: Table, known: Mapping[str, Table], row: SchemaRow) -> Table:
    del row
    return resolve_foreign_keys(item, known)


def _index(of: Table, row: SchemaRow) -> Index:
    return index(row.sql, of)


def _view(row: SchemaRow) -> View:
    cursor = TokenCursor(row.sql)
    cursor.expect("CREATE")
    cursor.expect("VIEW")
    cursor.take("IF", "NOT", "EXISTS")
    cursor.qualified_name()
    names: tuple[str, ...] = ()
    if cursor.is_at("("):
        names = tuple(token.name for token in cursor.take_parentheses() if not token.is_(","))
    cursor.expect("AS")
    query = cursor.next()
    return View(
        name=name_of(row.name),
        definition=_text(row.sql[query.start :]),
        parameters=((KEYS, ", ".join(map(identifier, names))),) if names else (),
    )


def _definition(row: SchemaRow) -> str:
    sql(row.sql)  # raises if it cannot be compared
    return _text(row.sql)


def _text(statement: str) -> str:
    return statement.strip().rstrip(";").rstrip()


def spelled_alike(one: object, other: object) -> bool:
    """Return whether two views, triggers or virtual tables differ only in their spelling."""
    match one, other:
        case ((View() | Trigger()), (View() | Trigger())):
            same = sql(one.definition) == sql(other.definition)
            return same and replace(one, definition="") == replace(other, definition="")
        case Table(virtual=str() as first), Table(virtual=str() as second):
            return sql(first) == sql(second)
        case _:
            return one == other
