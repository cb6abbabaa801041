"""Render tables: create, change in place or rebuild. Pure."""

from collections.abc import Iterator

from dbwarden.dialects.sqlite.ddl.clauses import (
    added_constraint,
    column_clause,
    has_conflict_clause,
    index_text,
    table_text,
)
from dbwarden.dialects.sqlite.ddl.copying import join_wrapped, lost_columns, plan_copy, rowid_alias
from dbwarden.dialects.sqlite.ddl.plan import TableChanges, TablePlans, column_of, new_columns
from dbwarden.dialects.sqlite.sql.quoting import identifier, text_literal
from dbwarden.diff.changes import Change, Create, Drop, Rename
from dbwarden.diff.statements import PlannedStatement, Sql, planned
from dbwarden.schema import Check, Column, ForeignKey, Index, ObjectKind, QualifiedName, Table

Statements = Iterator[PlannedStatement]
FOLLOWS = ("CASCADE", "SET NULL", "SET DEFAULT")
STRICT = "Fails if a value does not have its column's type, as STRICT requires."
CONFLICTS = "Fails on a conflicting row, where ON CONFLICT could skip it."
GUARD = Sql(
    "SELECT 1 FROM pragma_foreign_keys WHERE abs(-9223372036854775807 - foreign_keys) = 0",
    why="Fails where foreign keys are enforced, because DROP TABLE would change the rows that "
    "refer to it. dbwarden disables them; elsewhere, run PRAGMA foreign_keys = OFF before.",
)


def rename(change: Rename) -> Statements:
    """Rename a table or column; SQLite updates keys, checks and indexes."""
    old, new = change.before, change.after
    if old.kind is ObjectKind.COLUMN:
        columns = f"{identifier(old.part or '')} TO {identifier(new.part or '')}"
        table = identifier(old.name)
        yield planned(change, f"ALTER TABLE {table} RENAME COLUMN {columns}")
        return
    name = old.name
    if name.casefold() == new.name.casefold():  # SQLite considers the new name taken
        yield _rename(change, name, f"new_{name}")
        name = f"new_{name}"
    yield _rename(change, name, new.name)


def _rename(change: Change, old: str, new: str) -> PlannedStatement:
    return planned(change, f"ALTER TABLE {identifier(old)} RENAME TO {identifier(new)}")


def create_table(change: Change, table: Table) -> Statements:
    """Create a table with all its parts."""
    yield planned(change, table.virtual or table_text(table))
    for index in table.indexes:
        yield create_index(table.name, index)


def drop_table(plan: TablePlans, change: Drop) -> Statements:
    """Drop a table with its rows, indexes and triggers."""
    name = change.table.name
    called = plan.original_names.get(change.ref, name)
    yield planned(change, Sql(f"DROP TABLE {identifier(name)}", destroys=(called,)))


def create_index(table: QualifiedName, index: Index) -> PlannedStatement:
    """Create an index."""
    return planned(Create(obj=index, on=table), index_text(table, index))


def drop_index(change: Change, name: str) -> PlannedStatement:
    """Drop an index."""
    return planned(change, f"DROP INDEX {identifier(name)}")


def alter(plan: TablePlans, work: TableChanges) -> Statements:
    """Alter a table in place: add columns, then drop columns."""
    for column in new_columns(work.after, work.changes):
        yield _add_column(work, column)
    for gone in work.changes:
        match gone:
            case Drop(obj=Column(name=name)):
                text = f"ALTER TABLE {identifier(work.name.name)} DROP COLUMN {identifier(name)}"
                lost = lost_columns(work.before, (gone,), plan.original_names)
                yield planned(gone, Sql(text, destroys=lost))


def _add_column(work: TableChanges, column: Column) -> PlannedStatement:
    clauses = [column_clause(work.after, column)]
    clauses += [added_constraint(item) for item in _column_constraints(work, column)]
    text = f"ALTER TABLE {identifier(work.name.name)} ADD COLUMN "
    empty = column.default in (None, "NULL") and column.generated is None and column.not_null
    unfilled = (f"{work.name.name}.{column.name}",) if empty else ()
    why = "Fails where the table has rows: give a default, or --fill." if empty else None
    added = Sql(text + "\n    ".join(clauses), why=why, unfilled=unfilled)
    return planned(Create(obj=column, on=work.name), added)


def _column_constraints(work: TableChanges, column: Column) -> Iterator[Check | ForeignKey]:
    """Yield the constraints that are part of a new column."""
    added = new_columns(work.after, work.changes)
    for change in work.changes:
        match change:
            case Create(obj=ForeignKey() | Check() as constraint):
                if column_of(constraint, added) == column.name:
                    yield constraint


def rebuild(plan: TablePlans, work: TableChanges) -> Statements:
    """Replace a table by a new one with its rows, rowids and indexes.

    This follows SQLite's documentation: create, copy, drop, rename.
    """
    change, own = work.changes[0], work.name.name
    scratch = plan.scratch_name(work.after)
    forgets = work.before.autoincrement and not work.after.autoincrement
    why = f"SQLite cannot change this in place: {own} is rebuilt and its rows are copied"
    why += ", but not the AUTOINCREMENT counter." if forgets else "."
    yield planned(change, Sql(table_text(work.after, scratch), why=why))
    if work.before.autoincrement and work.after.autoincrement:
        text = (
            f"INSERT INTO sqlite_sequence (name, seq)\nSELECT {text_literal(scratch)}, seq "
            f"FROM sqlite_sequence WHERE name = {text_literal(own)}"
        )
        yield planned(change, Sql(text, why="Numbers that were used before are not reused."))
    yield from _moved_rows(plan, work, scratch)
    yield _rename(change, scratch, own)
    for index in work.after.indexes:
        yield create_index(work.name, index)


def _moved_rows(plan: TablePlans, work: TableChanges, scratch: str) -> Statements:
    change, own = work.changes[0], identifier(work.name.name)
    copied = plan_copy(work.before, work.after, plan.options)
    gone = lost_columns(work.before, work.changes, plan.original_names)
    if copied.targets:
        conflicts = has_conflict_clause(work.after)
        insert = "INSERT OR ABORT INTO" if conflicts else "INSERT INTO"
        names = _unfilled(plan, work)
        fails = f"Fails where a row has no value for {', '.join(names)}. Provide one with --fill."
        reasons = (
            fails if names else None,
            STRICT if _becomes_strict(work) else None,
            CONFLICTS if conflicts else None,
        )
        text = f"{insert} {identifier(scratch)} ({join_wrapped(copied.targets)})\n"
        text += f"SELECT {join_wrapped(copied.sources)}\nFROM {own}"
        unfilled = tuple(f"{work.name.name}.{name}" for name in names)
        why = " ".join(filter(None, reasons)) or None
        yield planned(change, Sql(text, why=why, unfilled=unfilled))
    else:  # no column remains, so the rows have nothing to copy
        gone = (work.name.name, *gone)
    yield planned(change, Sql(f"DROP TABLE {own}", destroys=gone, converts=copied.narrowed))


def _becomes_strict(work: TableChanges) -> bool:
    """Return whether the column types may refuse values that were accepted before."""
    was = {column.name: column.type for column in work.before.columns}
    changes = any(was.get(column.name, column.type) != column.type for column in work.after.columns)
    return work.after.strict and (changes or not work.before.strict)


def _unfilled(plan: TablePlans, work: TableChanges) -> tuple[str, ...]:
    """Return the columns that require a value but may have none in existing rows."""
    found = []
    for column in work.after.columns:
        was = work.before.column(column.name)
        filled = f"{work.name.name}.{column.name}" in plan.options.fills
        computed = column.generated is not None or column.name == rowid_alias(work.after)
        empty = column.default is None if was is None else not was.not_null
        if column.not_null and empty and not filled and not computed:
            found.append(column.name)
    return tuple(found)


def guard(plan: TablePlans) -> Statements:
    """Stop if dropping a table would also affect rows that refer to it."""
    rebuilt = {work.name for work in plan.rebuilt}
    keys = (
        key
        for schema in (plan.base, plan.desired)
        for table in schema.tables
        for key in table.foreign_keys
    )
    if any(key.references in rebuilt and key.on_delete in FOLLOWS for key in keys):
        yield planned(plan.rebuilt[0].changes[0], GUARD)
