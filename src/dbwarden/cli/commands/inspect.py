"""Commands that only read."""

from collections.abc import Iterable
from functools import partial
from typing import Annotated

from cyclopts import Parameter

from dbwarden.cli import output
from dbwarden.cli.exits import Exit, exit_code
from dbwarden.cli.options import FleetOptions
from dbwarden.cli.run import (
    Table,
    Texts,
    bad_cell,
    note_unknown_models,
    ok_cell,
    report,
    run,
    warn_cell,
)
from dbwarden.cli.selection import select
from dbwarden.cli.style import Cell, duration, pluralize, shorten
from dbwarden.migration_history import LedgerRow, State
from dbwarden.operations.check import CheckResult
from dbwarden.operations.check import check as check_one
from dbwarden.operations.history import NEWEST, HistoryResult
from dbwarden.operations.history import history as history_one
from dbwarden.operations.status import status as status_one
from dbwarden.planning.fingerprints import OutsideChange
from dbwarden.planning.judging import StatusResult
from dbwarden.planning.replicas import ReplicaStatus


async def status(*, options: FleetOptions = FleetOptions()) -> int:  # noqa: B008
    """Show the state of each database: version, applied and pending migrations, problems."""
    selection = await select(options)
    outcomes = await run(status_one, selection)
    headers = ("", "version", "applied", "pending", "changed", "missing", "partial", "ahead")
    code = exit_code(outcomes)
    code = Exit.DONE if code is Exit.FOUND else code  # only check exits with 3
    view = Table(headers, _status_cells)
    code = await report("status", outcomes, selection, view, code=code)
    if not options.json:
        _note_primaries(outcome.result for outcome in outcomes)
        _note_backfills(outcome.result for outcome in outcomes)
    return code


def _note_backfills(results: Iterable[StatusResult | None]) -> None:
    """Print the progress of each backfill that has not ended."""
    for result in results:
        for item in result.backfills if result is not None else ():
            assert result is not None
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


def _note_primaries(results: Iterable[StatusResult | None]) -> None:
    """Print which replicas could not be compared with their primary, and why."""
    for result in results:
        replica = result.replica if result is not None else None
        if result is not None and replica is not None and replica.primary_error is not None:
            why = f"the history of {replica.primary} cannot be read ({replica.primary_error})"
            output.note("", f"{result.database}: may be behind, because {why}")


def _state_cell(result: StatusResult) -> Cell:
    if result.replica is not None and not result.replica.clean:
        writable, behind = result.replica.writable, len(result.replica.behind)
        return bad_cell("accepts writes") if writable else warn_cell(f"{behind} behind")
    if result.changed or result.missing:
        return bad_cell("needs repair")
    if result.contracted:
        return bad_cell("too new for these files")
    if result.partial:
        return _partial_cell(result)
    if stuck := next((item for item in result.backfills if item.needs_attention), None):
        return bad_cell(f"backfill {'stalled' if stuck.stalled else stuck.state}")
    if set(result.pending) - {*result.waiting, *result.post}:
        return warn_cell("pending")
    if result.backfills:
        return warn_cell("backfilling")
    if result.post:
        return warn_cell("phase post is left")
    if result.replica is not None and result.replica.caught_up:
        return ok_cell(_describe_caught_up(result.replica))
    return ok_cell("ahead of the files" if result.ahead else "up to date")


def _partial_cell(result: StatusResult) -> Cell:
    if result.lock_holder is not None:
        return warn_cell("being migrated")
    if result.goes_on_with is None:
        return bad_cell("needs repair")
    return warn_cell(f"{result.goes_on_with} continues")


def _describe_caught_up(replica: ReplicaStatus) -> str:
    late = f", {replica.lag_seconds:.1f} s late" if replica.lag_seconds else ""
    return f"as {replica.primary}{late}"


async def history(
    *,
    limit: Annotated[int, Parameter(show_default=True)] = NEWEST,
    all_rows: bool = False,
    options: FleetOptions = FleetOptions(),  # noqa: B008
) -> int:
    """Show who applied what and when, including migrations that were rolled back.

    Parameters
    ----------
    limit
        Show the newest LIMIT rows of each database.
    all_rows
        Show all rows.
    """
    selection = await select(options)
    outcomes = await run(partial(history_one, limit=None if all_rows else limit), selection)
    return await report("history", outcomes, selection, Texts(_print_history))


def _print_history(result: HistoryResult) -> None:
    older = f"; {result.older} older not shown (--limit N, --all-rows)" if result.older else ""
    output.say(f"{result.database}: {pluralize(len(result.rows), 'row')}{older}")
    headers = ("key", "description", "state", "when (UTC)", "time", "by", "dbwarden")
    rows = [_history_row(row) for row in result.rows]
    output.say_table(headers, rows, spare=("dbwarden", "by", "time"))
    for change in result.changes:
        output.say(f"{result.database}: {_describe_change(change)}")


def _describe_change(change: OutsideChange) -> str:
    """Return a sentence about a change of the schema that no migration made."""
    since = f"{change.since:%Y-%m-%d %H:%M:%S} ({change.after})"
    if change.until is None:
        return f"changed outside migrations since {since}"
    before = f" ({change.before})" if change.before is not None else ""
    until = f"{change.until:%Y-%m-%d %H:%M:%S}{before}"
    return f"changed outside migrations between {since} and {until}"


def _history_row(row: LedgerRow) -> tuple[Cell, ...]:
    word = "marked" if row.marked else row.state.value.replace("_", " ")
    state = ok_cell(word) if row.state is State.APPLIED else warn_cell(word)
    when = f"{row.finished_at or row.started_at:%Y-%m-%d %H:%M:%S}"
    who = f"{row.application} on {row.host}, pid {row.pid}"
    took = duration(row.duration_ms)
    return (row.key, row.description, state, when, took, who, row.dbwarden_version)


async def check(
    *,
    models: bool = False,
    options: FleetOptions = FleetOptions(),  # noqa: B008
) -> int:
    """Check that databases are reachable and agree with their files. Exit 3 on findings.

    Parameters
    ----------
    models
        Compare the files with the models instead, without connecting to a configured database.
        With --keep-going, models that the server refuses are left out and listed.
    """
    if models:
        from dbwarden.cli.commands.compare import check_models

        return await check_models(options)
    selection = await select(options)
    await note_unknown_models(selection.databases)
    outcomes = await run(check_one, selection)
    view = Table(("", "version", "found"), _check_cells)
    code = await report("check", outcomes, selection, view)
    if not options.json:
        _note_primaries(outcome.result.status if outcome.result else None for outcome in outcomes)
        for outcome in outcomes:
            for finding in outcome.result.findings if outcome.result else ():
                line = f"{outcome.database}: {finding.message}"
                output.note("", line, f"  next: {finding.next_step}")
    return code


def _check_cells(result: CheckResult) -> tuple[Cell, ...]:
    version = result.status.version or "none"
    if result.clean:
        replica = result.status.replica
        seen = "ahead of the files" if result.status.ahead else ""
        if result.status.post:
            seen = f"{len(result.status.post)} left for phase post"
        return (
            ok_cell("ok"),
            version,
            _describe_caught_up(replica) if replica and replica.caught_up else seen,
        )
    codes = [finding.code.replace("_", " ") for finding in result.findings]
    return (warn_cell("not clean"), version, ", ".join(codes))
