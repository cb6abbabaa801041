"""Find what a file's header and sections lack. Pure."""

from collections.abc import Iterator

from dbwarden.linting.changes import Dropped
from dbwarden.linting.facts import FileFacts, StatementFacts
from dbwarden.linting.rule import RawFinding
from dbwarden.linting.tables import ColumnFacts, TableFacts


def find_missing_rollback(file: FileFacts) -> Iterator[RawFinding]:
    """Find a versioned file that has no rollback, and does not say that it cannot have one."""
    migration = file.migration
    needs_none = migration.irreversible or migration.upgrade.empty or migration.backfill
    if migration.version is not None and migration.way_back is None and not needs_none:
        yield RawFinding(message="it has no rollback")


def find_undeclared_losses(file: FileFacts) -> Iterator[RawFinding]:
    """Find columns and tables whose values a rollback cannot restore, and no header says so."""
    migration = file.migration
    if migration.version is None or migration.way_back is None:
        return
    if "generated" in migration.declares:  # its header was measured on rows when it was written
        return
    for statement, table, column in _losses(file):
        names = [f"{one}.{column}" if column else one for one in _with_parents(file, table)]
        if not any(migration.declares.covers("loses", name) for name in names):
            yield RawFinding(
                message=f"the rollback does not restore the values of {names[0]}, and the header "
                "does not say so",
                next_step=f"Put -- dbwarden: loses {names[0]} above -- upgrade.",
                statement=statement,
                table=table,
                subject=names[0],
            )


def _losses(file: FileFacts) -> Iterator[tuple[StatementFacts | None, str, str]]:
    """Yield the tables and columns that are lost, by their names before the file.

    The column is empty if the whole table is lost.
    """
    for statement, change in file.changes:
        before = file.old(change.table)
        if before is None or not before.is_table or not isinstance(change, Dropped):
            continue
        match change.part:
            case TableFacts():
                yield statement, before.name, ""
            case ColumnFacts(computed=False, key=key):
                yield from (
                    (statement, before.name, it.name) for it in before.columns if it.key == key
                )
    for name in file.loses:
        table, _, lost = name.rpartition(".")
        yield None, table, lost


def _with_parents(file: FileFacts, table: str) -> Iterator[str]:
    """Yield *table*, and the tables that it is a partition or a child of."""
    tables = file.observed.before
    found = next((one for one in tables.values() if one.name == table), None)
    yield table
    while found is not None and found.parent is not None:
        found = tables.get(found.parent)
        if found is not None:
            yield found.name


def find_unmet_requirements(file: FileFacts) -> Iterator[RawFinding]:
    """Find requirements that no database or file of the project meets."""
    return (RawFinding(message=sentence) for sentence in file.unmet)
