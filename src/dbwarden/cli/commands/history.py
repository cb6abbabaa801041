"""``history``: who applied what, and when."""

from functools import partial
from typing import Annotated

from cyclopts import Parameter

from dbwarden.cli import output
from dbwarden.cli.options import FleetOptions
from dbwarden.cli.run import Texts, ok_cell, report, run, warn_cell
from dbwarden.cli.selection import select
from dbwarden.cli.style import Cell, duration, pluralize
from dbwarden.migration_history import LedgerRow, State
from dbwarden.operations.history import NEWEST, HistoryResult
from dbwarden.operations.history import history as history_one
from dbwarden.planning.outside_changes import OutsideChange


async def history(
    *,
    limit: Annotated[int, Parameter(show_default=True)] = NEWEST,
    all_rows: bool = False,
    options: FleetOptions = FleetOptions(),
) -> int:
    """Show who applied what, and when.

    Shows the newest rows last, and the number of older ones.

    For example:
        dbwarden history
        dbwarden history --limit 10
        dbwarden history --all-rows --json

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
