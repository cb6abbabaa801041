"""``status``: the version of each database, its pending migrations and its problems."""

from dbwarden.cli import output
from dbwarden.cli.exits import Exit, exit_code
from dbwarden.cli.options import FleetOptions
from dbwarden.cli.run import ResultTable, bad_cell, ok_cell, report, results_of, run, warn_cell
from dbwarden.cli.selection import select
from dbwarden.cli.style import Cell, shorten
from dbwarden.operations.status import status as status_one
from dbwarden.planning.replicas import ReplicaStatus
from dbwarden.planning.status_result import StatusResult


async def status(*, options: FleetOptions = FleetOptions()) -> int:
    """Show the state of each database.

    For example:
        dbwarden status --all
        dbwarden status --all --json
    """
    selection = await select(options)
    outcomes = await run(status_one, selection)
    headers = ("", "version", "applied", "pending", "changed", "missing", "partial", "ahead")
    code = exit_code(outcomes)
    code = Exit.DONE if code is Exit.FOUND else code  # only check exits with 3
    view = ResultTable(headers, _status_cells)
    code = await report("status", outcomes, selection, view, code=code)
    if not options.json:
        for result in results_of(outcomes):
            note_primary(result)
        for result in results_of(outcomes):
            _note_backfills(result)
    return code


def note_primary(result: StatusResult) -> None:
    """Print why a replica could not be compared with its primary, if so."""
    replica = result.replica
    if replica is not None and replica.primary_error is not None:
        why = f"the history of {replica.primary} cannot be read ({replica.primary_error})"
        output.note("", f"{result.database}: may be behind, because {why}")


def _note_backfills(result: StatusResult) -> None:
    """Print the progress of each backfill that has not ended."""
    for item in result.backfills:
        waits = f" (it waits: {item.waiting})" if item.waiting else ""
        output.note(
            "", f"{result.database}: the backfill {item.key} is {item.state}: {item}{waits}"
        )


def _status_cells(result: StatusResult) -> tuple[Cell, ...]:
    return (
        _state_cell(result),
        result.version or "none",
        str(len(result.applied)),
        shorten(result.pending),
        shorten(result.changed),
        shorten(result.missing),
        shorten(result.partial),
        shorten(result.ahead),
    )


def _state_cell(result: StatusResult) -> Cell:
    if result.replica is not None and not result.replica.clean:
        writable, behind = result.replica.writable, len(result.replica.behind)
        return bad_cell("accepts writes") if writable else warn_cell(f"{behind} behind")
    if result.changed or result.missing:
        return bad_cell("needs repair")
    if result.contracted:
        return bad_cell("too new for these files")
    if result.partial and result.lock_holder is not None:
        return warn_cell("being migrated")
    if result.partial and result.goes_on_with is not None:
        return warn_cell(f"{result.goes_on_with} continues")
    if result.partial:
        return bad_cell("needs repair")
    if stuck := next((item for item in result.backfills if item.needs_attention), None):
        return bad_cell(f"backfill {'stalled' if stuck.stalled else stuck.state}")
    if set(result.pending) - {*result.waiting, *result.post}:
        return warn_cell("pending")
    if result.backfills:
        return warn_cell("backfilling")
    if result.post:
        return warn_cell("phase post is left")
    if result.replica is not None and result.replica.caught_up:
        return ok_cell(describe_caught_up(result.replica))
    return ok_cell("ahead of the files" if result.ahead else "up to date")


def describe_caught_up(replica: ReplicaStatus) -> str:
    """Describe a replica that has every migration of its primary."""
    late = f", {replica.lag_seconds:.1f} s late" if replica.lag_seconds else ""
    return f"as {replica.primary}{late}"
