"""Plan a rollback, or explain why it is impossible. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from dbwarden.errors import (
    ChangedMigration,
    PartialMigration,
    RollbackImpossible,
    UsageError,
)
from dbwarden.files.migration import Migration
from dbwarden.files.naming import parse_version
from dbwarden.files.order import format_versions
from dbwarden.migration_history import LedgerRow, State
from dbwarden.planning.comparing import (
    Applied,
    HistoryComparison,
    applied_rows,
    files_of,
    rollback_edited,
    version_of,
)
from dbwarden.planning.history_errors import (
    check_amount,
    command_line,
    display_name,
    missing_file_error,
    partial_without_file_error,
)
from dbwarden.types import Version, format_version


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackPlan:
    """The rollbacks to run: first those that stopped partway, then *fresh*, in this order."""

    resumed: tuple[tuple[LedgerRow, Migration], ...] = ()
    fresh: tuple[Applied, ...] = ()


def plan_rollback(
    history: HistoryComparison,
    *,
    to: str | None = None,
    count: int | None = None,
    marked: bool = False,
) -> RollbackPlan:
    """Return the migrations to roll back: newest first, by the order in which they ran.

    Repeatables are never rolled back. A rollback that stopped partway is finished first, and is
    included in *count*.

    Args:
        history: The result of ``compare``.
        to: Roll back everything after this version, which stays applied; ``"0"`` for all.
        count: Roll back at most *count* migrations; one if neither *to* nor *count* is given.
        marked: Include migrations that were only marked as applied.

    Raises:
        UsageError: *to* is not applied; *count* is not positive; both are given.
        RollbackImpossible: A migration is irreversible, has no rollback, came from a newer app,
            was only marked as applied, or another that stays applied depends on it.
        ChangedMigration: A rollback was edited after its migration was applied.
        MissingMigration: A file is gone.
        PartialMigration: A migration stopped partway.
    """
    check_amount(to, count)
    resumed = _half_rolled_back(history)
    left = (count or 1) - len(resumed)
    if to is None and resumed and left < 1:
        return RollbackPlan(resumed=resumed)
    if len(history.partial) > len(resumed):
        raise _finish_first_error(history)
    rows = sorted(applied_rows(history), key=lambda row: row.id, reverse=True)
    if to is None:
        chosen = rows[:left]
    else:
        version = parse_version(to, "--to")
        _refuse_kept_version(history, resumed, version)
        chosen = _rows_after(history, rows, version)
    applied = {item.row.id: item for item in (*history.applied, *history.changed)}
    for row in chosen:
        _check_applied(history, row, present=row.id in applied, marked=marked)
        _check_reversible(history, applied[row.id])
    _check_dependants(history, rows, {version_of(row) for row in chosen})
    return RollbackPlan(resumed=resumed, fresh=tuple(applied[row.id] for row in chosen))


def _check_applied(
    history: HistoryComparison, row: LedgerRow, *, present: bool, marked: bool
) -> None:
    """Raise if the file of *row* is not *present*, or if the migration never ran here.

    *marked* allows the latter.
    """
    if row in history.missing:
        raise missing_file_error(history, [row])
    if not present:
        raise RollbackImpossible(
            f"{display_name(row)} was applied by a newer version of the app: its file is not here",
            next_step="Run the rollback from that version, which has the file.",
        )
    if row.marked and not marked:
        raise RollbackImpossible(
            f"{display_name(row)} was marked as applied by baseline and never ran here: its "
            "rollback would remove what existed before",
            next_step="Look at it with: "
            + command_line(history, "rollback", "--marked", "--dry-run")
            + "; without --dry-run it runs.",
        )


def _half_rolled_back(history: HistoryComparison) -> tuple[tuple[LedgerRow, Migration], ...]:
    """Return the rollbacks that stopped partway and can be finished, newest first."""
    resumed = [
        (row, migration)
        for row, migration in history.partial
        if row.state is State.ROLLING_BACK and migration is not None
    ]
    return tuple(sorted(resumed, key=lambda item: item[0].id, reverse=True))


def _finish_first_error(history: HistoryComparison) -> PartialMigration:
    """Return the error for a partial upgrade, or for a row without its file."""
    row, migration = next(
        (row, migration)
        for row, migration in history.partial
        if migration is None or row.state is not State.ROLLING_BACK
    )
    if migration is None:
        return partial_without_file_error(history, row)
    return PartialMigration(
        f"the upgrade of {display_name(row)} stopped after step {row.step}",
        location=migration.at(),
        next_step=f"Finish it first with: {command_line(history, 'migrate')}",
    )


def _refuse_kept_version(
    history: HistoryComparison, resumed: Sequence[tuple[LedgerRow, Migration]], to: Version
) -> None:
    """Refuse to roll back to a version whose rollback has started.

    Raises:
        PartialMigration: Only an upgrade can restore that version.
    """
    for row, migration in resumed:
        if migration.version is not None and migration.version == to:
            raise PartialMigration(
                f"the rollback of {display_name(row)} stopped after step {row.step}, "
                "so it cannot stay",
                location=migration.at(),
                next_step=f"Finish its rollback with: {command_line(history, 'rollback')}; then "
                f"apply it again with: {command_line(history, 'migrate', '--to', row.key)}",
            )


def _rows_after(
    history: HistoryComparison, rows: Sequence[LedgerRow], to: Version
) -> list[LedgerRow]:
    if to and to not in {version_of(row) for row in rows}:
        newest = f"the newest applied one is {history.version}" if rows else "nothing is applied"
        raise UsageError(
            f"{format_version(to)} is not applied; {newest}",
            database=history.database,
            next_step="Pass the applied version to roll back to, or 0 to roll back everything.",
        )
    order = {version: place for place, version in enumerate(files_of(history))}

    def comes_after(version: Version) -> bool:
        if version in order and to in order:
            return order[version] > order[to]
        return version > to

    return [row for row in rows if comes_after(version_of(row))]


def _check_reversible(history: HistoryComparison, item: Applied) -> None:
    migration, row = item.migration, item.row
    if migration.irreversible:
        raise RollbackImpossible(
            f"{display_name(row)} is marked irreversible",
            location=migration.at(),
            next_step="Write a new migration that makes the opposite change.",
        )
    if rollback_edited(migration, row):
        section = migration.rollback
        raise ChangedMigration(
            f"the rollback of {display_name(row)} was edited after it was applied",
            location=migration.at(section.line if section else None),
            next_step="Undo the edit, so that the rollback is the one that was tested with this "
            "upgrade. If the edited rollback is the right one, accept the file as it is: "
            + command_line(history, "repair", "--accept", row.key),
        )
    if migration.backfill is not None:
        return  # without a rollback its values remain, and the schema is the same
    if migration.rollback is None or migration.rollback.empty:
        what = "has no rollback section" if migration.rollback is None else "has an empty rollback"
        raise RollbackImpossible(
            f"{display_name(row)} {what}",
            location=migration.at(migration.rollback.line if migration.rollback else None),
            next_step="Write the SQL that reverts it below -- rollback, or mark the file with "
            "-- dbwarden: irreversible.",
        )


def _check_dependants(
    history: HistoryComparison, rows: Sequence[LedgerRow], chosen: set[Version]
) -> None:
    files = files_of(history)
    for row in rows:
        version = version_of(row)
        needs = chosen.intersection(files[version].depends_on) if version in files else set()
        if needs and version not in chosen:
            raise RollbackImpossible(
                f"{display_name(row)} depends on {format_versions(sorted(needs))} "
                "and would stay applied",
                location=files[version].at(),
                next_step="Roll it back too, with --to or --count.",
            )
