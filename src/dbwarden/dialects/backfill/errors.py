"""Build the errors of backfills."""

from dbwarden.dialects.backfill.work import BackfillWork
from dbwarden.errors import HistoryError, MigrationFileError, StatementFailed
from dbwarden.files.backfills import advise_on_edited_backfill
from dbwarden.migration_history import BackfillRow
from dbwarden.types import DatabaseName


def no_table(work: BackfillWork, database: DatabaseName) -> MigrationFileError:
    """Return the error for a backfill whose table does not exist."""
    return MigrationFileError(
        f"the backfill's table {work.backfill.table} does not exist",
        database=database,
        location=work.migration.at(work.backfill.line),
        next_step="Correct -- table in the header. If the table was dropped, give the backfill up "
        f"with: dbwarden backfill cancel {work.migration.key} -d {database}",
    )


def no_key(work: BackfillWork, database: DatabaseName) -> MigrationFileError:
    """Return the error for a table whose rows have no order."""
    return MigrationFileError(
        f"the table {work.backfill.table} has no primary key and no unique key of columns that "
        "are NOT NULL, so that it cannot be walked in batches",
        database=database,
        location=work.migration.at(work.backfill.line),
        next_step="Add a key to the table in a migration before this one.",
    )


def no_cycle_left(
    work: BackfillWork, cycle: int, left: int, database: DatabaseName
) -> StatementFailed:
    """Return the error for *left* rows that do not satisfy ``until`` however often it runs."""
    return StatementFailed(
        f"{left} rows do not satisfy -- until: {work.backfill.until}, and cycle {cycle} over "
        "the table did not make them fewer",
        database=database,
        location=work.migration.at(work.backfill.until_line),
        next_step="Correct the condition or the SQL, or find out what adds such rows; then run: "
        f"dbwarden backfill resume {work.migration.key} -d {database} --accept",
    )


def resume_advice(work: BackfillWork, database: DatabaseName) -> str:
    """Return the next step after a batch that the server refused."""
    return (
        "Earlier batches remain applied, and it stays failed. Correct the rows, then run: "
        f"dbwarden backfill resume {work.migration.key} -d {database}; after a correction of the "
        "file, add --accept."
    )


def bad_until(work: BackfillWork, message: str, database: DatabaseName) -> StatementFailed:
    """Return the error for a condition ``until`` that the server refused."""
    return StatementFailed(
        f"the condition -- until: {work.backfill.until} is refused: {message}",
        database=database,
        location=work.migration.at(work.backfill.until_line),
        next_step="Correct it. It is a condition on the columns of the table. If the backfill has "
        f"started, then run: dbwarden backfill resume {work.migration.key} -d {database} --accept",
    )


def rolled_back(work: BackfillWork, database: DatabaseName) -> HistoryError:
    """Return the error for a backfill that was rolled back while it ran."""
    return HistoryError(
        f"the backfill {work.migration.key} was rolled back while it ran",
        database=database,
        next_step=f"Apply it again with: dbwarden migrate -d {database}",
    )


def edited(work: BackfillWork, row: BackfillRow, database: DatabaseName) -> HistoryError:
    """Return the error for a file that was edited after its backfill had started."""
    at = f"after {row.rows} rows" if row.rows else "before its first row"
    return HistoryError(
        f"the file was edited while its backfill is unfinished ({at})",
        database=database,
        location=work.migration.at(work.migration.upgrade.line),
        next_step=advise_on_edited_backfill(work.migration.key, database),
    )
