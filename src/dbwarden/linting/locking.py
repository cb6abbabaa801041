"""Find statements that block other connections, or wait while they do. Pure.

A table that the same file creates has no use, so none of these rules fires for it.
"""

from collections.abc import Iterator
from dataclasses import replace

from dbwarden.linting.changes import Added, Dropped, IndexRewritten, NotNullSet, Retyped
from dbwarden.linting.facts import FileFacts, Lock, StatementFacts, TableUse
from dbwarden.linting.rule import RawFinding
from dbwarden.linting.tables import ColumnFacts, ConstraintFacts, IndexFacts


def find_rewrites(file: FileFacts) -> Iterator[RawFinding]:
    """Find statements that rewrite a table."""
    for statement, use in file.uses:
        if use.rewritten:
            draft = _blocked(file, statement, use, "and rewrites it")
            if use.held is None:  # a database without table locks
                what = f"rewrites {file.describe(use.name)}"
                draft = replace(
                    draft, message=f"{what}, and no other connection can write meanwhile"
                )
            yield draft


def find_scans(file: FileFacts) -> Iterator[RawFinding]:
    """Find statements that read a whole table while writes wait, for which no other rule is."""
    for statement, use in file.uses:
        if _is_blocking_scan(use) and not use.changes_rows and not _explains(statement, use):
            yield _blocked(file, statement, use, "and reads all of it")


_BY_INDEX = (
    "Build the index with CREATE UNIQUE INDEX CONCURRENTLY first, then ADD CONSTRAINT ... USING "
    "INDEX. (A key WITHOUT OVERLAPS has no such form.)"
)
_OVERLAPS = (
    "PostgreSQL has no form of it that lets writes continue. Add it while the table is small or "
    "the application is stopped, and allow it with that reason."
)


def find_blocking_indexes(file: FileFacts) -> Iterator[RawFinding]:
    """Find indexes that are built or dropped while writes wait."""
    for statement in file.statements:
        for change in statement.changes:
            match change:
                case Added(table, IndexFacts(name=name)):
                    builds = f"builds {name}"
                    advice = "Build it without blocking writes: CREATE INDEX CONCURRENTLY."
                case IndexRewritten(table, index):
                    builds, advice = f"rebuilds {index.name}", "REINDEX INDEX CONCURRENTLY."
                case Added(table, ConstraintFacts() as constraint, builds_index=True):
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
                yield _blocked(file, statement, use, f"and {builds}", advice)
        yield from _dropped_indexes(file, statement)


def _dropped_indexes(file: FileFacts, statement: StatementFacts) -> Iterator[RawFinding]:
    dropped = [change for change in statement.changes if isinstance(change, Dropped)]
    narrowed = {each.table.key for each in dropped if isinstance(each.part, ColumnFacts)}
    for change in dropped:
        if not isinstance(change.part, IndexFacts) or change.table.key in narrowed:
            continue
        use = statement.use_of(change.table)
        if use is not None and not use.rewritten and _blocks_writes(use.held):
            draft = _blocked(
                file,
                statement,
                use,
                f"to drop {change.part.name}",
                "Drop it without blocking reads and writes: DROP INDEX CONCURRENTLY.",
            )
            yield replace(draft, severity="warning", scale="traffic")


def find_validated_constraints(file: FileFacts) -> Iterator[RawFinding]:
    """Find foreign keys and checks whose existing rows are checked while writes wait."""
    for statement, table, constraint in file.parts(Added, ConstraintFacts):
        use = statement.use_of(table)
        reads = constraint.validated and constraint.kind in ("foreign key", "check")
        if reads and use is not None and _is_blocking_scan(use):
            what = f"and checks every row for {constraint.kind} {constraint.name}"
            yield _blocked(file, statement, use, what)


def find_not_null_scans(file: FileFacts) -> Iterator[RawFinding]:
    """Find columns that become NOT NULL by reading the table while reads and writes wait."""
    for statement, change in file.changes:
        match change:
            case NotNullSet(table, column):
                pass
            case Added(table, ColumnFacts(not_null=True, has_default=False) as column):
                pass
            case _:
                continue
        use = statement.use_of(table)
        if use is not None and _is_blocking_scan(use):
            yield _blocked(
                file,
                statement,
                use,
                f"and reads all of it to set {column.name} NOT NULL",
                f"Add CHECK ({column.name} IS NOT NULL) NOT VALID, validate it in a transaction "
                "of its own, then SET NOT NULL, which reads nothing any more.",
            )


def find_backfills(file: FileFacts) -> Iterator[RawFinding]:
    """Find statements that change the rows of a whole table in one transaction."""
    if file.migration.backfill is not None:
        return  # each batch is a transaction of its own
    for statement, use in file.uses:
        if use.changes_all:
            more = f" while it holds {use.held.name}" if use.held and use.held.blocks_reads else ""
            yield RawFinding(
                message=f"changes the rows of {file.describe(use.name)} in one transaction{more}, "
                "and every changed row stays locked until it ends",
                statement=statement,
                table=use.name,
                severity="error" if more else None,
            )


def find_waits_under_lock(file: FileFacts) -> Iterator[RawFinding]:
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
) -> Iterator[tuple[str, RawFinding]]:
    first = next(iter(holding), None)
    if first is None:
        return
    for use in statement.uses:
        held = f"{holding[first].name} on {file.describe(first)}"
        if _blocks_writes(use.lock) and use.name not in holding:
            sizes = (
                [file.stats.tables.get(name) for name in (first, use.name)] if file.stats else []
            )
            busy = bool(sizes) and all(size and not size.is_small for size in sizes)
            yield (
                "lock",
                RawFinding(
                    message=f"waits for {_lock(use)} on {file.describe(use.name)} while the "
                    f"transaction holds {held}{file.waits}",
                    next_step="Lock each busy table in a migration of its own.",
                    statement=statement,
                    table=use.name,
                    severity="warning" if busy else "info",  # unless both are known
                ),
            )
        strong = next((name for name, lock in holding.items() if lock.blocks_reads), None)
        if use.changes_rows and strong is not None:
            yield (
                "rows",
                RawFinding(
                    message=f"changes rows of {file.describe(use.name)} while the transaction "
                    f"holds {holding[strong].name} on {file.describe(strong)}{file.waits}",
                    next_step="Change rows in a migration of its own, before or after.",
                    statement=statement,
                    table=strong,
                    scale="traffic",
                ),
            )


def find_mixed_transactions(file: FileFacts) -> Iterator[RawFinding]:
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
            yield RawFinding(
                message=f"changes rows of {changed} in the transaction that also changes the "
                f"structure of tables (line {altered[0].line})",
                statement=rows[0],
                table=changed,
            )


def find_volatile_defaults(file: FileFacts) -> Iterator[RawFinding]:
    """Find new columns whose default is computed for every row."""
    for statement, table, column in file.parts(Added, ColumnFacts):
        use = statement.use_of(table)
        if not column.has_default or any(isinstance(it, Retyped) for it in statement.changes):
            continue
        if use is not None and use.rewritten and use.held is not None:
            yield RawFinding(
                message=f"the value of {use.name}.{column.name} is computed for every row of "
                f"{file.describe(use.name)}, under {_lock(use)}{file.waits}",
                statement=statement,
                table=use.name,
            )


def _blocked(
    file: FileFacts,
    statement: StatementFacts,
    use: TableUse,
    what: str,
    next_step: str | None = None,
) -> RawFinding:
    """Return the draft about a table that *statement* locks to do *what*."""
    return RawFinding(
        message=f"{_lock(use)} on {file.describe(use.name)} {what}{file.waits}",
        next_step=next_step,
        statement=statement,
        table=use.name,
    )


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
            case IndexRewritten() | NotNullSet() | Added(_, IndexFacts()) if same:
                return True
            case Added(_, ColumnFacts(not_null=True, has_default=False)) if same:
                return True
            case Added(_, ConstraintFacts(references=parent)) if same or parent == use.name:
                return True
    return False
