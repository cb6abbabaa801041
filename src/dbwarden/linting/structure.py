"""Find changes that break running applications, and structures that age badly. Pure."""

import re
from collections.abc import Callable, Iterator

from dbwarden.linting.changes import Added, Dropped, ObservedChange, Renamed, Retyped, by_key
from dbwarden.linting.facts import FileFacts
from dbwarden.linting.rule import RawFinding
from dbwarden.linting.tables import ColumnFacts, ConstraintFacts, IndexFacts, TableFacts, Trait


def find_type_changes(file: FileFacts) -> Iterator[RawFinding]:
    """Find columns whose new type needs another form of each row, or a check of it."""
    for statement, change in file.changes:
        if not isinstance(change, Retyped) or file.old(change.table) is None:
            continue
        use = statement.use_of(change.table)
        if use is not None and (use.rewritten or use.scanned):
            yield RawFinding(
                message=f"changes the type of {use.name}.{change.column.name} from {change.old} "
                f"to {change.column.type}; a running application expects the old one",
                statement=statement,
                table=use.name,
            )


def find_renames(file: FileFacts) -> Iterator[RawFinding]:
    """Find new names of tables and columns that existed before."""
    for statement, change in file.changes:
        if not isinstance(change, Renamed):
            continue
        table, part, old = change.table, change.part, change.old
        what = f"{table.name}.{old}" if isinstance(part, ColumnFacts) else old
        if (before := file.old(table)) is not None and before.is_table:
            yield RawFinding(
                message=f"renames {what} to {part.name}; a running application uses the old name",
                statement=statement,
                table=before.name,
            )


def find_dropped_columns(file: FileFacts) -> Iterator[RawFinding]:
    """Find dropped columns that existed before, and do not exist again after the file."""
    for statement, table, column in file.parts(Dropped, ColumnFacts):
        before, after = file.old(table), file.observed.after.get(table.key)
        recreated = after is not None and any(c.name == column.name for c in after.columns)
        if before is not None and not recreated and column.key in by_key(before.columns):
            yield RawFinding(
                message=f"drops {table.name}.{column.name}; a running application "
                "that reads or writes it fails",
                statement=statement,
                table=before.name,
            )


def find_dropped_tables(file: FileFacts) -> Iterator[RawFinding]:
    """Find dropped tables that existed before, and do not exist again after the file."""
    names = {table.name for table in file.observed.after.values()}
    for statement, table, _ in file.parts(Dropped, TableFacts):
        before = file.old(table)
        if table.name not in names and before is not None and before.is_table:
            yield RawFinding(
                message=f"drops {file.describe(before.name)}; a running application that uses it "
                "fails",
                statement=statement,
                table=before.name,
            )


def find_unsafe_values(file: FileFacts) -> Iterator[RawFinding]:
    """Find uses of an enum value in the transaction that adds it."""
    for statement in file.statements:
        if statement.unsafe_value:
            yield RawFinding(
                message="uses an enum value that its own transaction adds, which the server "
                "refuses",
                statement=statement,
            )


def find_unindexed_keys(file: FileFacts) -> Iterator[RawFinding]:
    """Find new foreign keys without an index on their columns."""
    for statement, new, key in file.parts(Added, ConstraintFacts):
        table = file.observed.after.get(new.key)
        if key.kind != "foreign key" or table is None or table.is_indexed(key.columns):
            continue
        if any(one.key == key.key for one in table.constraints):
            yield RawFinding(
                message=f"no index begins with the columns of foreign key "
                f"{_named(key)}: each deleted row of {key.references} reads all of "
                f"{table.name}",
                next_step=f"Add an index on {table.name} ({', '.join(key.columns)}).",
                statement=statement,
                table=table.name,
            )


def _named(constraint: ConstraintFacts) -> str:
    """Return the name of a constraint, which it may not have, with its columns."""
    return f"{constraint.name} ({', '.join(constraint.columns)})".lstrip()


def find_narrow_keys(file: FileFacts) -> Iterator[RawFinding]:
    """Find new primary keys on one column of a type that ends at two thousand million."""
    for statement, table, key in file.parts(Added, ConstraintFacts):
        if key.kind != "primary key" or len(key.columns) != 1:
            continue
        column = next((one for one in table.columns if one.name == key.columns[0]), None)
        if column is not None and "narrow integer" in column.traits:
            yield RawFinding(
                message=f"the primary key of {table.name} is of type {column.type}, "
                "which runs out of numbers, and changing it later rewrites the table",
                statement=statement,
                table=table.name,
            )


def find_types(trait: Trait, why: str) -> Callable[[FileFacts], Iterator[RawFinding]]:
    """Return the function that finds new columns with *trait*."""

    def find(file: FileFacts) -> Iterator[RawFinding]:
        for statement, change in file.changes:
            match change:
                case Added(table, ColumnFacts() as column) | Retyped(table, column):
                    if trait in column.traits:
                        yield RawFinding(
                            message=f"{table.name}.{column.name} is of type {column.type}, {why}",
                            statement=statement,
                            table=table.name,
                        )

    return find


def find_long_names(file: FileFacts) -> Iterator[RawFinding]:
    """Find names that the server shortened."""
    for statement in file.statements:
        for notice in statement.truncated:
            yield RawFinding(
                message=f"the server shortens a name: {notice}",
                statement=statement,
            )


def find_unusual_names(file: FileFacts) -> Iterator[RawFinding]:
    """Find new names that do not match the configured patterns."""
    for statement, change in file.changes if file.naming else ():
        for kind, name in _names(change):
            pattern = file.naming.get(kind)
            if pattern is not None and re.fullmatch(pattern, name) is None:
                yield RawFinding(
                    message=f"the {kind.replace('_', ' ')} {name} does not match {pattern!r}",
                    statement=statement,
                )


def _names(change: ObservedChange) -> Iterator[tuple[str, str]]:
    match change:
        case Added(_, TableFacts() as table) | Renamed(_, TableFacts() as table) if table.is_table:
            yield "table", table.name.rpartition(".")[2]
        case Added(_, ColumnFacts() as column) | Renamed(_, ColumnFacts() as column):
            yield "column", column.name
        case Added(_, IndexFacts() as index):
            yield "index", index.name
        case Added(_, ConstraintFacts() as constraint) if constraint.name:
            yield constraint.kind.replace(" ", "_"), constraint.name


def find_unenforceable_keys(file: FileFacts) -> Iterator[RawFinding]:
    """Find foreign keys that the database accepts and cannot enforce, and idle PRAGMAs."""
    for statement in file.statements:
        if statement.fault is not None:
            yield RawFinding(
                message=statement.fault,
                next_step="Remove it: dbwarden checks the keys of a migration itself.",
                statement=statement,
            )
    for key, table in file.observed.after.items():
        before = file.observed.before.get(key)
        known = before.faults if before is not None else ()
        for fault in table.faults:
            if fault not in known:
                at = [s for s, change in file.changes if change.table.key == key]
                yield RawFinding(
                    message=fault,
                    next_step="Create the table, or a unique index on the columns, that the key "
                    "refers to, or drop the key.",
                    statement=at[-1] if at else None,
                    table=table.name,
                )
