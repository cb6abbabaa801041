"""Find the migrations that wait for a backfill. Pure."""

from collections.abc import Collection, Sequence
from itertools import dropwhile

from dbwarden.errors import BackfillUnfinished
from dbwarden.files.migration import Migration
from dbwarden.migration_history import BackfillRow, BackfillState
from dbwarden.planning.comparing import HistoryComparison
from dbwarden.planning.history_errors import command_line
from dbwarden.types import Version, format_version


def unfinished_backfills(history: HistoryComparison) -> set[Version]:
    """Return the versions of the backfills that were started and have not ended."""
    return {Version(int(key)) for key in history.backfilling}


def gated_by(migration: Migration, unfinished: Collection[Version]) -> Version | None:
    """Return the unfinished backfill that *migration* requires, if any."""
    return next((need for need in migration.requires_backfill if need in unfinished), None)


def waiting_for_backfills(history: HistoryComparison) -> tuple[Migration, ...]:
    """Return the pending migrations that have to wait: the first that is gated, and all after it.

    Repeatables are written for the newest schema, so they wait too.
    """
    unfinished = unfinished_backfills(history)
    return tuple(dropwhile(lambda item: gated_by(item, unfinished) is None, history.pending))


def refuse_waiting(
    history: HistoryComparison, chosen: Sequence[Migration], rows: Sequence[BackfillRow]
) -> None:
    """Raise if one of the *chosen* migrations, which were to run, waits for a backfill.

    Raises:
        BackfillUnfinished: Says which backfill it waits for, and what to do.
    """
    unfinished = unfinished_backfills(history)
    gates = ((item, need) for item in chosen if (need := gated_by(item, unfinished)) is not None)
    waiting, need = next(gates, (None, None))
    if waiting is None or need is None:
        return
    key = format_version(need)
    row = next((row for row in rows if row.key == key), None)
    verb = "run" if row is None or row.state is BackfillState.RUNNING else "resume"
    state = f" ({row.state.value})" if row is not None else ""
    raise BackfillUnfinished(
        f"{waiting.key} waits for the backfill {key}, which has not ended{state}",
        location=waiting.at(),
        next_step=f"Finish it with: {command_line(history, f'backfill {verb} {key}')}; then run "
        "migrate again.",
    )
