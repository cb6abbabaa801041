"""Find statements that block other connections, or wait while they do. Pure.

A table that the same file creates has no use, so none of these rules fires for it.
"""

from collections.abc import Iterator

from dbwarden.linting.changes import (
    ColumnAdded,
    ColumnDropped,
    ColumnRetyped,
    ConstraintAdded,
    IndexAdded,
    IndexDropped,
    IndexRebuilt,
    NotNullSet,
)
from dbwarden.linting.facts import FileFacts, Lock, StatementFacts, TableUse
from dbwarden.linting.findings import Severity
from dbwarden.linting.rule import Draft
from dbwarden.linting.sizes import LiveStats


def find_rewrites(file: FileFacts) -> Iterator[Draft]:
    """Find statements that rewrite a table."""
    for statement, use in _uses(file):
        if use.rewritten:
            yield Draft(
                message=_rewrite(file, use),
                next_step="Find a form that keeps the rows where they are: a new column that is "
                "filled in batches instead of a new type, a constant default.",
                statement=statement,
                table=use.name,
            )


def _rewrite(file: FileFacts, use: TableUse) -> str:
    if use.held is None:  # a database without table locks
        return f"rewrites {file.describe(use.name)}, and no other connection can write meanwhile"
    return f"{use.held.name} on {file.describe(use.name)} and rewrites it{file.waits}"


def find_scans(file: FileFacts) -> Iterator[Draft]:
    """Find statements that read a whole table while writes wait, for which no other rule is."""
    for statement, use in _uses(file):
        if _is_blocking_scan(use) and not use.changes_rows and not _explains(statement, use):
            yield Draft(
                message=f"{_lock(use)} on {file.describe(use.name)} and reads all of it"
                f"{file.waits}",
                next_step="Read the table in a transaction that holds no lock against writes: put "
                "-- @dbwarden:autocommit before the statement, and take strong locks elsewhere.",
                statement=statement,
                table=use.name,
            )


_BY_INDEX = (
    "Build the index with CREATE UNIQUE INDEX CONCURRENTLY first, then ADD CONSTRAINT ... USING "
    "INDEX. (A key WITHOUT OVERLAPS has no such form.)"
)
_OVERLAPS = (
    "PostgreSQL has no form of it that lets writes continue. Add it while the table is small or "
    "the application is stopped, and allow it with that reason."
)


def find_blocking_indexes(file: FileFacts) -> Iterator[Draft]:
    """Find indexes that are built or dropped while writes wait."""
    for statement in file.statements:
        for change in statement.changes:
            match change:
                case IndexAdded(table, index) | IndexRebuilt(table, index):
                    builds = f"builds {index.name}"
                    advice = "Build it without blocking writes: CREATE INDEX CONCURRENTLY."
                    if isinstance(change, IndexRebuilt):
                        builds, advice = f"rebuilds {index.name}", "REINDEX INDEX CONCURRENTLY."
                case ConstraintAdded(table, constraint, builds_index=True):
                    builds = f"builds the index of {constraint.name}"
                    advice = _OVERLAPS if constraint.kind == "exclusion" else _BY_INDEX
                case _:
                    continue
            use = statement.use_of(table)
            if use is not None and not use.rewritten and _blocks_writes(use.held):
                if table.partitioned:
                    advice = (
                        "Create it ON ONLY the partitioned table, build the index of each "
                        "partition CONCURRENTLY, and attach them."
                    )
                yield Draft(
                    message=f"{_lock(use)} on {file.describe(use.name)} and {builds}{file.waits}",
                    next_step=advice,
                    statement=statement,
                    table=use.name,
                )
        yield from _dropped_indexes(file, statement)


def _dropped_indexes(file: FileFacts, statement: StatementFacts) -> Iterator[Draft]:
    narrowed = {
        change.table.key for change in statement.changes if isinstance(change, ColumnDropped)
    }
    for change in statement.changes:
        if not isinstance(change, IndexDropped) or change.table.key in narrowed:
            continue
        use = statement.use_of(change.table)
        if use is not None and not use.rewritten and _blocks_writes(use.held):
            yield Draft(
                message=f"{_lock(use)} on {file.describe(use.name)} to drop {change.index.name}"
                f"{file.waits}",
                next_step="Drop it without blocking reads and writes: DROP INDEX CONCURRENTLY.",
                statement=statement,
                table=use.name,
                severity="warning",
                scale="traffic",
            )


def find_validated_constraints(file: FileFacts) -> Iterator[Draft]:
    """Find foreign keys and checks whose existing rows are checked while writes wait."""
    for statement in file.statements:
        for change in statement.changes:
            if not isinstance(change, ConstraintAdded) or change.builds_index:
                continue
            constraint, use = change.constraint, statement.use_of(change.table)
            if constraint.kind not in ("foreign key", "check") or not constraint.validated:
                continue
            if use is not None and _is_blocking_scan(use):
                yield Draft(
                    message=f"{_lock(use)} on {file.describe(use.name)} and checks every row for "
                    f"{constraint.kind} {constraint.name}{file.waits}",
                    next_step="Add it NOT VALID, and VALIDATE CONSTRAINT in a transaction of its "
                    "own (-- @dbwarden:autocommit), which blocks no writes.",
                    statement=statement,
                    table=use.name,
                )


def find_not_null_scans(file: FileFacts) -> Iterator[Draft]:
    """Find columns that become NOT NULL by reading the table while reads and writes wait."""
    for statement in file.statements:
        for change in statement.changes:
            match change:
                case NotNullSet(table, column):
                    pass
                case ColumnAdded(table, column) if column.not_null and not column.has_default:
                    pass
                case _:
                    continue
            use = statement.use_of(table)
            if use is not None and _is_blocking_scan(use):
                yield Draft(
                    message=f"{_lock(use)} on {file.describe(use.name)} and reads all of it to set "
                    f"{column.name} NOT NULL{file.waits}",
                    next_step=f"Add CHECK ({column.name} IS NOT NULL) NOT VALID, validate it in a "
                    "transaction of its own, then SET NOT NULL, which reads nothing any more.",
                    statement=statement,
                    table=use.name,
                )


def find_backfills(file: FileFacts) -> Iterator[Draft]:
    """Find statements that change the rows of a whole table in one transaction."""
    if file.migration.backfill is not None:
        return  # each batch is a transaction of its own
    for statement, use in _uses(file):
        if use.changes_all:
            more = f" while it holds {use.held.name}" if use.held and use.held.blocks_reads else ""
            yield Draft(
                message=f"changes the rows of {file.describe(use.name)} in one transaction{more}, "
                "and every changed row stays locked until it ends",
                next_step="Change them in batches, each in a transaction of its own: with "
                "-- dbwarden: backfill.",
                statement=statement,
                table=use.name,
                severity="error" if more else None,
            )


def find_waits_under_lock(file: FileFacts) -> Iterator[Draft]:
    """Find transactions that hold a strong lock while they wait for another or change rows."""
    for statements in file.steps:
        holding: dict[str, Lock] = {}
        seen: set[str] = set()
        for statement in statements:
            for kind, draft in _waits(file, statement, holding):
                if kind not in seen:
                    seen.add(kind)
                    yield draft
            for use in statement.uses:
                if use.held is not None and use.held.blocks_writes:
                    holding.setdefault(use.name, use.held)


def _waits(
    file: FileFacts, statement: StatementFacts, holding: dict[str, Lock]
) -> Iterator[tuple[str, Draft]]:
    first = next(iter(holding), None)
    for use in statement.uses if first is not None else ():
        assert first is not None
        held = f"{holding[first].name} on {file.describe(first)}"
        if _blocks_writes(use.lock) and use.name not in holding:
            yield (
                "lock",
                Draft(
                    message=f"waits for {_lock(use)} on {file.describe(use.name)} while the "
                    f"transaction holds {held}{file.waits}",
                    next_step="Lock each busy table in a migration of its own.",
                    statement=statement,
                    table=use.name,
                    severity=_severity_of_two(file.stats, first, use.name),
                ),
            )
        strong = next((name for name, lock in holding.items() if lock.blocks_reads), None)
        if use.changes_rows and strong is not None:
            yield (
                "rows",
                Draft(
                    message=f"changes rows of {file.describe(use.name)} while the transaction "
                    f"holds {holding[strong].name} on {file.describe(strong)}{file.waits}",
                    next_step="Change rows in a migration of its own, before or after.",
                    statement=statement,
                    table=strong,
                    scale="traffic",
                ),
            )


def _severity_of_two(stats: LiveStats | None, one: str, other: str) -> Severity:
    """Return ``info`` unless both tables are known to be busy or large."""
    sizes = [stats.tables.get(name) if stats is not None else None for name in (one, other)]
    busy = all(size is not None and not size.is_small for size in sizes)
    return "warning" if busy else "info"


def find_mixed_transactions(file: FileFacts) -> Iterator[Draft]:
    """Find transactions that change both the rows and the structure of existing tables."""
    for statements in file.steps:
        altered = [
            statement
            for statement in statements
            if any(_blocks_writes(use.held) for use in statement.uses) and statement.changes
        ]
        rows = [s for s in statements if any(use.changes_rows for use in s.uses)]
        if altered and rows and altered != rows:
            changed = next(use.name for use in rows[0].uses if use.changes_rows)
            yield Draft(
                message=f"changes rows of {changed} in the transaction that also changes the "
                f"structure of tables (line {altered[0].line})",
                next_step="Put the rows into a migration of their own.",
                statement=rows[0],
                table=changed,
            )


def find_volatile_defaults(file: FileFacts) -> Iterator[Draft]:
    """Find new columns whose default is computed for every row."""
    for statement in file.statements:
        retyped = any(isinstance(change, ColumnRetyped) for change in statement.changes)
        for change in statement.changes:
            if not isinstance(change, ColumnAdded) or not change.column.has_default or retyped:
                continue
            use = statement.use_of(change.table)
            if use is not None and use.rewritten and use.held is not None:
                column = f"{use.name}.{change.column.name}"
                yield Draft(
                    message=f"the value of {column} is computed for every row of "
                    f"{file.describe(use.name)}, under {_lock(use)}{file.waits}",
                    next_step="Add the column without it, ALTER COLUMN ... SET DEFAULT for new "
                    "rows, and fill the existing rows in batches.",
                    statement=statement,
                    table=use.name,
                )


def _uses(file: FileFacts) -> Iterator[tuple[StatementFacts, TableUse]]:
    for statement in file.statements:
        for use in statement.uses:
            yield statement, use


def _lock(use: TableUse) -> str:
    """Return the name of the strongest lock that the transaction has on a table."""
    return use.held.name if use.held is not None else "no lock"


def _blocks_writes(lock: Lock | None) -> bool:
    return lock is not None and lock.blocks_writes


def _is_blocking_scan(use: TableUse) -> bool:
    return use.scanned and not use.rewritten and _blocks_writes(use.held)


def _explains(statement: StatementFacts, use: TableUse) -> bool:
    """Return whether another rule is about the scan of this table."""
    for change in statement.changes:
        same = change.table.key == use.key
        match change:
            case IndexAdded() | IndexRebuilt() | NotNullSet() if same:
                return True
            case ColumnAdded(_, column) if same and column.not_null and not column.has_default:
                return True
            case ConstraintAdded(_, constraint) if same or _is_parent(constraint.references, use):
                return True
            case _:
                continue
    return False


def _is_parent(references: str | None, use: TableUse) -> bool:
    return references == use.name
