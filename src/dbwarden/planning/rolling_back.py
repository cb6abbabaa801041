"""What a rollback takes back, and why it sometimes cannot. Pure."""

from collections.abc import Sequence

from dbwarden.errors import (
    ChangedMigration,
    HistoryError,
    PartialMigration,
    RollbackImpossible,
    UsageError,
)
from dbwarden.files.naming import parse_version
from dbwarden.files.order import say_versions
from dbwarden.ledger import LedgerRow, State
from dbwarden.planning.comparing import (
    Applied,
    History,
    applied_rows,
    files_of,
    rollback_edited,
    version_of,
)
from dbwarden.planning.wording import check_amount, command, missing, named, partial_without_file
from dbwarden.types import Version, format_version


def plan_rollback(
    history: History, *, to: str | None = None, count: int | None = None, marked: bool = False
) -> tuple[Applied, ...]:
    """Which applied migrations to take back: newest first, by the order in which they ran.

    Repeatables are never taken back. A rollback that stopped half-way is finished before this.

    Args:
        history: What ``compare`` found.
        to: Take back everything that comes after this version, which stays; ``"0"`` for all.
        count: Take back at most so many; one when neither is given.
        marked: Also those that were only marked as applied.

    Raises:
        UsageError: *to* is not applied; *count* is not positive; both are given.
        RollbackImpossible: One is irreversible, has no rollback, came from a newer app, was only
            marked as applied, or another that stays applied depends on it.
        ChangedMigration: A rollback was edited after its migration was applied.
        MissingMigration: A file is gone.
        PartialMigration: A migration stopped half-way.
    """
    check_amount(to, count)
    if history.partial:
        raise _finish_first(history)
    rows = sorted(applied_rows(history), key=lambda row: row.id, reverse=True)
    if to is None:
        chosen = rows[: count or 1]
    else:
        chosen = _after(history, rows, parse_version(to, "--to"))
    applied = {item.row.id: item for item in (*history.applied, *history.changed)}
    for row in chosen:
        if row.id not in applied:
            raise _no_file_to_take_back(history, row)
        if row.marked and not marked:
            raise _never_ran(history, row)
        _check_reversible(history, applied[row.id])
    _check_dependants(history, rows, {version_of(row) for row in chosen})
    return tuple(applied[row.id] for row in chosen)


def _finish_first(history: History) -> PartialMigration:
    row, migration = history.partial[0]
    if migration is None:
        return partial_without_file(history, row)
    verb = "rollback" if row.state is State.ROLLING_BACK else "migrate"
    what = "rollback" if row.state is State.ROLLING_BACK else "upgrade"
    return PartialMigration(
        f"the {what} of {named(row)} stopped after step {row.step}",
        database=history.database,
        location=migration.at(),
        next_step=f"Finish it first with: {command(history, verb)}",
    )


def _after(history: History, rows: Sequence[LedgerRow], to: Version) -> list[LedgerRow]:
    if to and to not in {version_of(row) for row in rows}:
        newest = f"the newest applied one is {history.version}" if rows else "nothing is applied"
        raise UsageError(
            f"{format_version(to)} is not applied; {newest}",
            database=history.database,
            next_step="Give an applied version that should stay, or 0 to take back everything.",
        )
    order = {version: place for place, version in enumerate(files_of(history))}

    def comes_after(version: Version) -> bool:
        if version in order and to in order:
            return order[version] > order[to]
        return version > to

    return [row for row in rows if comes_after(version_of(row))]


def _no_file_to_take_back(history: History, row: LedgerRow) -> HistoryError:
    if row in history.missing:
        return missing(history, [row])
    return RollbackImpossible(
        f"{named(row)} was applied by a newer version of the app: its file is not here",
        database=history.database,
        next_step="Run the rollback from that version, which has the file.",
    )


def _never_ran(history: History, row: LedgerRow) -> RollbackImpossible:
    return RollbackImpossible(
        f"{named(row)} was marked as applied by baseline and never ran here: its rollback would "
        "take away what was there before",
        database=history.database,
        next_step=f"Look at it with: {command(history, 'rollback', '--marked', '--dry-run')}; "
        "without --dry-run it runs.",
    )


def _check_reversible(history: History, item: Applied) -> None:
    migration, row = item.migration, item.row
    if migration.irreversible:
        raise RollbackImpossible(
            f"{named(row)} is marked irreversible",
            database=history.database,
            location=migration.at(),
            next_step="Write a new migration that leads to where you want to be.",
        )
    if rollback_edited(migration, row):
        section = migration.rollback
        raise ChangedMigration(
            f"the rollback of {named(row)} was edited after it was applied",
            database=history.database,
            location=migration.at(section.line if section else None),
            next_step="Undo the edit, so that the rollback is the one that was tested with this "
            "upgrade. If the edited rollback is the right one, accept the file as it is: "
            + command(history, "repair", "--accept", row.key),
        )
    if migration.rollback is None or migration.rollback.empty:
        what = "has no rollback section" if migration.rollback is None else "has an empty rollback"
        raise RollbackImpossible(
            f"{named(row)} {what}",
            database=history.database,
            location=migration.at(migration.rollback.line if migration.rollback else None),
            next_step="Write the SQL that takes it back below -- rollback, or mark the file with "
            "-- dbwarden: irreversible.",
        )


def _check_dependants(history: History, rows: Sequence[LedgerRow], chosen: set[Version]) -> None:
    files = files_of(history)
    for row in rows:
        version = version_of(row)
        needs = chosen.intersection(files[version].depends_on) if version in files else set()
        if needs and version not in chosen:
            raise RollbackImpossible(
                f"{named(row)} depends on {say_versions(sorted(needs))} and would stay applied",
                database=history.database,
                location=files[version].at(),
                next_step="Take it back too: choose with --to or --count.",
            )
