"""Build the errors and command lines that the plans share."""

from collections.abc import Sequence

from dbwarden.errors import ChangedMigration, MissingMigration, PartialMigration, UsageError
from dbwarden.files.backfills import advise_on_edited_backfill
from dbwarden.files.order import format_versions
from dbwarden.migration_history import LedgerRow
from dbwarden.planning.comparing import HistoryComparison, version_of


def command_line(history: HistoryComparison, verb: str, *options: str) -> str:
    """Return the command line to suggest as the next step."""
    database = ["-d", history.database] if history.database else []
    return " ".join(["dbwarden", verb, *database, *options])


def display_name(row: LedgerRow) -> str:
    """Return the number and description of a migration."""
    return f"{row.key} ({row.description})"


def missing_file_error(history: HistoryComparison, rows: Sequence[LedgerRow]) -> MissingMigration:
    """Return the error for applied migrations whose files are gone."""
    if history.database is None:
        count = "1 migration is" if len(rows) == 1 else f"{len(rows)} migrations are"
        return MissingMigration(
            f"{count} applied ({format_versions([version_of(row) for row in rows])}), "
            "but the migrations folder has no files",
            next_step="Check migrations_dir in the configuration, and that the files are deployed.",
        )
    others = [version_of(row) for row in rows[1:]]
    also = f"; so {'is that' if len(others) == 1 else 'are those'} of {format_versions(others)}"
    forget = [word for row in rows for word in ("--forget", row.key)]
    return MissingMigration(
        f"the file of {display_name(rows[0])} is gone{also if others else ''}",
        next_step="Restore the file, or forget that it was applied with: "
        + command_line(history, "repair", *forget),
    )


def changed_file_error(history: HistoryComparison) -> ChangedMigration:
    """Return the error for applied migrations whose files have other checksums."""
    first = history.changed[0]
    upgrade = first.row.upgrade_checksum != first.migration.upgrade.checksum
    section = first.migration.upgrade if upgrade else first.migration.rollback
    what = "upgrade" if upgrade else "rollback"
    others = [item.migration.version for item in history.changed[1:] if item.migration.version]
    also = (
        f"; so {'was' if len(others) == 1 else 'were'} {format_versions(others)}" if others else ""
    )
    unfinished = first.row.key in history.backfilling
    when = "while its backfill is unfinished" if unfinished else "after it was applied"
    return ChangedMigration(
        f"{display_name(first.row)} was edited {when}: its {what}{also}",
        location=first.migration.at(section.line if section else None),
        next_step=_advise_on_edit(history, [item.row.key for item in history.changed]),
    )


def _advise_on_edit(history: HistoryComparison, keys: Sequence[str]) -> str:
    """Return the next steps for applied migrations that were edited, the recommended one first."""
    if unfinished := [key for key in keys if key in history.backfilling]:
        return advise_on_edited_backfill(unfinished[0], history.database)
    accept = [word for key in keys for word in ("--accept", key)]
    return (
        f"Undo the edit, and put the change into a new migration: {command_line(history, 'new')} "
        "-m '...'. If the database has that change already, accept the file as it is; the edited "
        f"SQL will not run: {command_line(history, 'repair', *accept)}"
    )


def partial_without_file_error(history: HistoryComparison, row: LedgerRow) -> PartialMigration:
    """Return the error for a partial migration whose file is gone."""
    return PartialMigration(
        f"{display_name(row)} stopped after step {row.step}, and its file is gone",
        next_step="Restore the file, or forget the row with: "
        + command_line(history, "repair", "--forget", row.key),
    )


def check_amount(to: str | None, count: int | None) -> None:
    """Refuse contradictory or invalid values of ``--to`` and ``--count``.

    Raises:
        UsageError: Both are given, or *count* is not positive.
    """
    if to is not None and count is not None:
        raise UsageError("--to and --count cannot be combined", next_step="Pass only one of them.")
    if count is not None and count < 1:
        raise UsageError(
            f"--count {count} is not a number of migrations", next_step="Give 1 or more."
        )
