"""Plan an upgrade, or refuse it while the history has errors. Pure."""

from collections.abc import Sequence

from dbwarden.errors import OutOfOrder, PartialMigration, UsageError
from dbwarden.files.migration import Migration, Phase
from dbwarden.files.naming import parse_version
from dbwarden.files.order import format_versions
from dbwarden.migration_history import HistoryKind, State
from dbwarden.planning.comparing import HistoryComparison, applied_rows, files_of, version_of
from dbwarden.planning.history_errors import (
    changed_file_error,
    check_amount,
    command_line,
    display_name,
    missing_file_error,
    partial_without_file_error,
)
from dbwarden.planning.phases import choose_phase
from dbwarden.types import Version, format_version


def plan_upgrade(
    history: HistoryComparison,
    *,
    to: str | None = None,
    count: int | None = None,
    out_of_order: bool = False,
    at_least: bool = False,
    phase: Phase | None = None,
) -> tuple[Migration, ...]:
    """Return the pending migrations to run, in order. Partial migrations are resumed before them.

    Repeatables run only if no versioned migration stays pending, because they are written for the
    newest schema.

    Args:
        history: The result of ``compare``.
        to: Run up to and including this version.
        count: Run at most *count* versioned migrations, including resumed ones.
        out_of_order: Also run migrations that are older than the newest applied one.
        at_least: Accept a database that is past *to* already.
        phase: Run only the migrations of this phase of a deployment.

    Raises:
        UsageError: *to* is not the version of a file, or older than the newest applied one;
            *count* is not positive; both are given.
        ChangedMigration: The file of an applied migration was edited.
        MissingMigration: The file of an applied migration is gone.
        PartialMigration: A migration stopped partway, and an upgrade cannot resume it.
        OutOfOrder: A migration to run is older than the newest applied one.
        PhaseOrder: A migration of *phase* has to wait for one of the other phase.
    """
    check_amount(to, count)
    refuse_unclear(history)
    versioned = [item for item in history.pending if item.version is not None]
    resumed = sum(row.kind is HistoryKind.VERSIONED for row, _ in history.partial)
    chosen = versioned[: None if count is None else max(0, count - resumed)]
    if to is not None:
        chosen = _up_to(history, versioned, parse_version(to, "--to"), at_least=at_least)
    versions = {item.version for item in chosen}
    late = [item for item in history.out_of_order if item.version in versions]
    if late and not out_of_order:
        raise _out_of_order_error(history, late)
    repeatables = [item for item in history.pending if item.version is None]
    whole = chosen if len(chosen) < len(versioned) else [*chosen, *repeatables]
    return choose_phase(history, whole, phase)


def _up_to(
    history: HistoryComparison, pending: Sequence[Migration], to: Version, *, at_least: bool
) -> list[Migration]:
    order = {version: place for place, version in enumerate(files_of(history))}
    if to not in order:
        raise _no_such_file_error(history, to, list(order))
    resumed = [row for row, _ in history.partial if row.kind is HistoryKind.VERSIONED]
    for row in resumed:
        if order.get(version_of(row), len(order)) > order[to] and not at_least:
            raise PartialMigration(
                f"the upgrade of {display_name(row)} stopped after step {row.step}, and it comes "
                f"after {format_version(to)}",
                next_step="Finish it first with: "
                + command_line(history, "migrate", "--to", row.key),
            )
    newer = [
        version
        for version in (version_of(row) for row in applied_rows(history))
        if order.get(version, len(order)) > order[to]
    ]
    if newer and not at_least and all(item.version != to for item in pending):
        raise UsageError(
            f"{format_version(to)} is applied, and so is what comes after it: "
            f"{format_versions(newer)}",
            database=history.database,
            next_step="To go back to it: "
            + command_line(history, "rollback", "--to", format_version(to)),
        )
    return [item for item in pending if item.version and order[item.version] <= order[to]]


def _no_such_file_error(
    history: HistoryComparison, to: Version, versions: Sequence[Version]
) -> UsageError:
    known = f"the newest is {format_version(max(versions))}" if versions else "there are none"
    nearest = min(versions, key=lambda version: abs(version - to), default=None)
    return UsageError(
        f"there is no migration {format_version(to)} here; {known}",
        database=history.database,
        next_step=f"Did you mean {format_version(nearest)}?"
        if nearest is not None
        else "Check migrations_dir in the configuration.",
    )


def _out_of_order_error(history: HistoryComparison, late: Sequence[Migration]) -> OutOfOrder:
    versions = [item.version for item in late if item.version is not None]
    are = "is" if len(late) == 1 else "are"
    return OutOfOrder(
        f"{format_versions(versions)} {are} older than what is applied "
        f"(the newest is {history.version})",
        location=late[0].at(),
        next_step="If the order does not matter: "
        + command_line(history, "migrate", "--out-of-order")
        + "; if it does, give the file the next free number.",
    )


def refuse_unclear(history: HistoryComparison) -> None:
    """Refuse to upgrade a database whose history has errors.

    Raises:
        ChangedMigration: The file of an applied migration was edited.
        MissingMigration: The file of an applied migration is gone.
        PartialMigration: A migration stopped partway, and an upgrade cannot resume it.
    """
    if history.changed:
        raise changed_file_error(history)
    if history.missing:
        raise missing_file_error(history, history.missing)
    for row, migration in history.partial:
        if migration is None:
            raise partial_without_file_error(history, row)
        if row.state is State.ROLLING_BACK:
            raise PartialMigration(
                f"the rollback of {row.key} stopped after step {row.step}",
                location=migration.at(),
                next_step="Finish it with: " + command_line(history, "rollback"),
            )
