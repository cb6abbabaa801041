"""Find what a file's header and sections lack. Pure."""

from collections.abc import Iterator

from dbwarden.linting.changes import ColumnDropped, TableDropped
from dbwarden.linting.facts import FileFacts, StatementFacts
from dbwarden.linting.rule import Draft


def find_missing_rollback(file: FileFacts) -> Iterator[Draft]:
    """Find a versioned file that has no rollback, and does not say that it cannot have one."""
    migration = file.migration
    if (
        migration.version is None
        or migration.irreversible
        or migration.upgrade.empty
        or migration.backfill
    ):
        return
    if migration.rollback is None or migration.rollback.empty:
        yield Draft(
            message="it has no rollback",
            next_step="Write one below -- rollback, or put -- dbwarden: irreversible above "
            "-- upgrade.",
        )


def find_undeclared_losses(file: FileFacts) -> Iterator[Draft]:
    """Find columns and tables whose values a rollback cannot restore, and no header says so."""
    migration = file.migration
    if migration.version is None or migration.irreversible:
        return
    if migration.rollback is None or migration.rollback.empty:
        return
    for statement, name, table in _losses(file):
        if not migration.declares.covers("loses", name):
            yield Draft(
                message=f"the rollback does not restore the values of {name}, and the header does "
                "not say so",
                next_step=f"Put -- dbwarden: loses {name} above -- upgrade.",
                statement=statement,
                table=table,
                subject=name,
            )


def _losses(file: FileFacts) -> Iterator[tuple[StatementFacts | None, str, str]]:
    """Yield what is lost, by its name before the file, with the statement and the table."""
    for statement in file.statements:
        for change in statement.changes:
            before = file.old(change.table)
            if before is None or not before.is_table:
                continue
            match change:
                case TableDropped():
                    yield statement, before.name, before.name
                case ColumnDropped(_, column) if not column.computed:
                    for old in before.columns:
                        if old.key == column.key:
                            yield statement, f"{before.name}.{old.name}", before.name
                case _:
                    pass
    for name in file.loses:
        yield None, name, name.rpartition(".")[0]


def find_unmet_requirements(file: FileFacts) -> Iterator[Draft]:
    """Find requirements that no database or file of the project meets."""
    for sentence in file.unmet:
        yield Draft(
            message=sentence,
            next_step="Correct the -- requires: header, or add the missing migration.",
        )
