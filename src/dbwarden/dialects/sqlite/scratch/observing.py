"""Observe what each statement of a replay does to existing tables, for :mod:`dbwarden.linting`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dbwarden.dialects.base import Statement, Step
from dbwarden.dialects.sqlite.catalog import EMPTY_SCHEMA, SchemaRow, schema_of
from dbwarden.dialects.sqlite.migrate.session import Session
from dbwarden.dialects.sqlite.scratch.tracing import purged_table
from dbwarden.errors import UnsupportedChange
from dbwarden.linting.changes import Dropped, ObservedChange, changes_between
from dbwarden.linting.facts import Observed, StatementFacts, TableUse
from dbwarden.linting.tables import (
    ColumnFacts,
    ConstraintFacts,
    ConstraintKind,
    IndexFacts,
    TableFacts,
    TableId,
)
from dbwarden.schema import (
    Check,
    Constraint,
    ForeignKey,
    PrimaryKey,
    Schema,
    Table,
    Unique,
)

_ROWS = "SELECT type, name, tbl_name, sql, rootpage FROM main.sqlite_master ORDER BY rowid"
_ENFORCED = "PRAGMA foreign_keys"
_CHANGES_SCHEMA = ("alter", "create", "drop", "vacuum", "pragma")


@dataclass(frozen=True, slots=True)
class _Look:
    """The catalog at one moment: its rows, and the root page of each table."""

    rows: tuple[SchemaRow, ...]
    pages: Mapping[str, int]


class Observer:
    """An observer of the statements of one replay; see ``Tracer``."""

    def __init__(self, session: Session, steps: Sequence[Step]) -> None:
        """Store the connection on which they run."""
        self._session = session
        self._steps = {id(each): step.number for step in steps for each in step.statements}
        self._looks: list[tuple[Statement, _Look, str | None, bool]] = []
        self._first = self._last = _Look((), {})
        self._purged: str | None = None

    def begin(self) -> None:
        """Record the catalog before the first statement."""
        self._first = self._last = self._look()

    def _look(self) -> _Look:
        rows = self._session.database.execute(_ROWS).fetchall()
        pages = {row[1]: row[4] for row in rows if row[0] == "table" and row[4]}
        return _Look(tuple(SchemaRow(*row[:4]) for row in rows if row[3]), pages)

    def before(self, statement: str) -> None:
        """Record a statement that is about to run."""
        self._purged = purged_table(self._session.database, statement)

    def after(self, statement: Statement) -> None:
        """Record the catalog after a statement."""
        changes = statement.text[:6].lower().startswith(_CHANGES_SCHEMA)
        look = self._look() if changes else self._last
        enforced = look is not self._last and bool(
            self._session.database.execute(_ENFORCED).fetchone()[0]
        )
        self._looks.append((statement, look, self._purged, enforced))
        self._last = look

    def observed(self) -> Observed:
        """Return the facts of the statements that ran."""
        before = _tables(self._first)
        known, first = dict(before), {table.name: table for table in before.values()}
        last = {row.name for row in self._last.rows if row.type == "table"}
        facts = []
        at = self._first
        for statement, look, purged, enforced in self._looks:
            statement_facts = StatementFacts(
                text=statement.text,
                line=statement.line,
                column=statement.column,
                step=self._steps.get(id(statement), 0),
            )
            if look is not at:
                tables = _follow(known, at, look, _tables(look))
                now, changes, uses = _compare(known, tables, first, last, purged)
                fault = _cascade(known, changes, now) if enforced else None
                statement_facts = replace(
                    statement_facts, changes=tuple(changes), uses=tuple(uses), fault=fault
                )
                known, at = now, look
            facts.append(statement_facts)
        return Observed(statements=tuple(facts), before=before, after=known)


def _compare(
    known: Mapping[TableId, TableFacts],
    tables: Mapping[TableId, TableFacts],
    first: Mapping[str, TableFacts],
    last: set[str],
    purged: str | None,
) -> tuple[dict[TableId, TableFacts], list[ObservedChange], list[TableUse]]:
    """Return the tables after a statement, its changes, and the tables that it rewrote.

    The first are *tables*, but a table that arrives under the name of one that existed before the
    file replaces it and gets its key. A table without its name at the end of the file is a step on
    the way.
    """
    now = dict(tables)
    changes: list[ObservedChange] = []
    uses: list[TableUse] = []
    names = {table.name for table in known.values()}
    for key in {**known, **tables}:
        old, new = known.get(key), tables.get(key)
        replaced = first.get(new.name) if new is not None and new.name not in names else None
        if new is not None and replaced is not None and replaced.key != key:
            del now[key]
            now[replaced.key] = new = replace(new, key=replaced.key)
            changes += changes_between(replaced, new)
            uses.append(TableUse(key=replaced.key, name=replaced.name, rewritten=True))
        elif new is None and old is not None:
            changes += [] if old.name in last or old.name not in first else [Dropped(old, old)]
        elif old is not None or (new is not None and new.name in last):
            changes += changes_between(old, new)
    uses += [
        TableUse(key=table.key, name=table.name, rewritten=True)
        for table in first.values()
        if table.name == purged
    ]
    return now, changes, uses


def _follow(
    known: Mapping[TableId, TableFacts],
    before: _Look,
    after: _Look,
    tables: Mapping[TableId, TableFacts],
) -> dict[TableId, TableFacts]:
    """Return *tables* with the keys of *known*: a table keeps its root page, or its name."""
    keys = {table.name: table.key for table in known.values()}
    names = {page: name for name, page in before.pages.items()}
    moved = len(before.pages) == len(after.pages) and set(before.pages) == set(after.pages)
    tables_by_key: dict[TableId, TableFacts] = {}
    for table in tables.values():
        page = after.pages.get(table.name)
        old = table.name if moved or page is None else names.get(page, "")
        key = keys.get(old, f"{table.name} {len(tables_by_key)} {len(after.rows)} {page}")
        earlier = known.get(key)
        tables_by_key[key] = replace(_named_alike(earlier, table) if earlier else table, key=key)
    return tables_by_key


def _named_alike(before: TableFacts, after: TableFacts) -> TableFacts:
    """Return *after*, whose columns have their names as keys, with the key of a renamed one."""
    old, new = [column.name for column in before.columns], [c.name for c in after.columns]
    if len(old) != len(new) or old == new:
        return replace(after, columns=_with_keys(before, after, {}))
    different = [(one, other) for one, other in zip(old, new, strict=True) if one != other]
    renamed = {other: one for one, other in different} if len(different) == 1 else {}
    return replace(after, columns=_with_keys(before, after, renamed))


def _with_keys(
    before: TableFacts, after: TableFacts, renamed: Mapping[str, str]
) -> tuple[ColumnFacts, ...]:
    keys = {column.name: column.key for column in before.columns}
    return tuple(
        replace(column, key=keys.get(renamed.get(column.name, column.name), column.name))
        for column in after.columns
    )


def _cascade(
    known: Mapping[TableId, TableFacts],
    changes: Sequence[ObservedChange],
    now: Mapping[TableId, TableFacts],
) -> str | None:
    """Return a sentence about a dropped table whose enforced keys change rows of other tables."""
    gone = {table.name for key, table in known.items() if key not in now}
    for change in changes:
        match change:
            case Dropped(TableFacts(name=name), TableFacts()):
                gone.add(name)
    for table in known.values():
        for constraint in table.constraints:
            if constraint.references in gone and table.name not in gone:
                return (
                    f"drops {constraint.references} while the file enforces foreign keys, which "
                    f"deletes, empties or refuses the rows of {table.name} that refer to it"
                )
    return None


# -- the catalog as facts ------------------------------------------------------------------------


def _tables(look: _Look) -> dict[TableId, TableFacts]:
    rows = [row for row in look.rows if not row.name.startswith("sqlite_")]
    try:
        schema = schema_of(rows)
    except UnsupportedChange:  # a statement that dbwarden cannot parse; other commands report it
        schema = EMPTY_SCHEMA
    return {
        table.name.name: _facts(table, schema) for table in schema.tables if table.virtual is None
    }


def _facts(table: Table, schema: Schema) -> TableFacts:
    constraints = tuple(_constraint(constraint) for constraint in table.constraints)
    keys = [c.columns for c in constraints if c.kind in ("primary key", "unique")]
    indexes = [
        IndexFacts(
            key=index.name,
            name=index.name,
            columns=tuple(column.column or "" for column in index.columns),
            partial=index.where is not None,
        )
        for index in table.indexes
    ]
    implicit = [IndexFacts(key=_key_of(each), name="", columns=each) for each in keys]
    return TableFacts(
        key=table.name.name,
        name=table.name.name,
        columns=tuple(
            ColumnFacts(
                key=column.name,
                name=column.name,
                type=column.type,
                not_null=column.not_null,
                has_default=column.default is not None or column.generated is not None,
                computed=column.generated is not None,
            )
            for column in table.columns
        ),
        constraints=tuple(
            replace(c, index=_key_of(c.columns)) if c.kind in ("primary key", "unique") else c
            for c in constraints
        ),
        indexes=(*indexes, *implicit),
        faults=tuple(_faults(table, schema)),
    )


def _key_of(columns: Sequence[str]) -> str:
    """Return the key of the index of a primary key or unique constraint."""
    return f"of {', '.join(columns)}"


def _constraint(constraint: Constraint) -> ConstraintFacts:
    kind: ConstraintKind
    references = None
    match constraint:
        case PrimaryKey():
            kind = "primary key"
        case Unique():
            kind = "unique"
        case ForeignKey():
            kind, references = "foreign key", constraint.references.name
        case Check():
            kind = "check"
        case _:
            kind = "exclusion"
    return ConstraintFacts(
        key=constraint.key,
        name=constraint.name or "",
        kind=kind,
        columns=getattr(constraint, "columns", ()),
        references=references,
    )


def _faults(table: Table, schema: Schema) -> Iterator[str]:
    """Yield a sentence about each foreign key that SQLite accepts and cannot enforce."""
    for key in table.foreign_keys:
        what = f"the foreign key of {table.name.name} ({', '.join(key.columns)})"
        parent = next((t for t in schema.tables if _same(t.name.name, key.references.name)), None)
        if parent is None:
            yield (
                f"{what} refers to {key.references.name}, which does not exist, so that every "
                "write to it fails where keys are enforced"
            )
        elif not _is_unique(parent, key.referred_columns):
            yield (
                f"{what} refers to {parent.name.name} ({', '.join(key.referred_columns)}), which "
                "has no unique index, so that every write fails where keys are enforced"
            )


def _is_unique(table: Table, columns: Sequence[str]) -> bool:
    wanted = {name.lower() for name in columns}
    keys = [set(map(str.lower, unique.columns)) for unique in table.uniques]
    if table.primary_key is not None:
        keys.append(set(map(str.lower, table.primary_key.columns)))
    keys += [
        {(column.column or "").lower() for column in index.columns}
        for index in table.indexes
        if index.unique and index.where is None
    ]
    return wanted in keys


def _same(one: str, other: str) -> bool:
    return one.lower() == other.lower()
