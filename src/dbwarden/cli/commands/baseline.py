"""``baseline``: the migrations that were marked as applied."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from dbwarden.cli.options import FleetOptions
from dbwarden.cli.run import AT_ONCE_IN_SCRATCH, ResultTable, ok_cell, report, results_of, run
from dbwarden.cli.selection import Which, select
from dbwarden.cli.style import Cell, relative, shorten
from dbwarden.errors import UsageError
from dbwarden.fleet import Operation
from dbwarden.operations.baseline import BaselineResult, baseline_from
from dbwarden.operations.baseline import baseline as baseline_one
from dbwarden.operations.foreign import Tool

if TYPE_CHECKING:  # imports SQLAlchemy
    from dbwarden.operations.schema import AdoptResult


async def baseline(
    *,
    to: str | None = None,
    from_: Annotated[Tool | None, Parameter(name="--from")] = None,
    options: FleetOptions = FleetOptions(),
) -> int:
    """Mark migrations as applied without running them.

    For a database that existed before dbwarden. Without --to, it writes 0001
    from the database and marks it; with --to, it marks existing files; with
    --from, each database is marked at the version that the other tool has
    recorded in it.

    For example:
        dbwarden baseline
        dbwarden baseline --to 0001
        dbwarden baseline --from alembic --all

    Parameters
    ----------
    to
        The version that the database already has.
    from_
        Mark the imported files of what this tool has applied to each database.
    """
    if to is not None and from_ is not None:
        raise UsageError("--to and --from exclude each other", next_step="Give one of them.")
    mark: Operation[BaselineResult]
    if to is not None:
        mark = partial(baseline_one, to=to)
    elif from_ is not None:
        mark = partial(baseline_from, tool=from_)
    else:
        return await _adopt(options)
    selection = await select(options, Which.WRITABLE)
    outcomes = await run(mark, selection)
    view = ResultTable(("", "version", "marked"), _baseline_cells)
    again = {"to": to, "from": from_}
    return await report("baseline", outcomes, selection, view, again=again)


def _baseline_cells(result: BaselineResult) -> tuple[Cell, ...]:
    word = ok_cell("baselined") if result.marked else ok_cell("nothing to mark")
    return (word, result.version or "", shorten(result.marked))


async def _adopt(options: FleetOptions) -> int:
    """Write 0001 from live databases and mark it as applied: ``baseline`` without options."""
    from dbwarden.cli.left_out import note_left_out  # import SQLAlchemy
    from dbwarden.operations.schema import adopt

    selection = (await select(options, Which.WRITABLE)).for_writing()
    outcomes = await run(adopt, selection, at_once=AT_ONCE_IN_SCRATCH)
    view = ResultTable(("", "version", "wrote"), _adopt_cells)
    code = await report("baseline", outcomes, selection, view)
    if not options.json:
        for result in results_of(outcomes):
            note_left_out(result.left_out, result.database)
    return code


def _adopt_cells(result: "AdoptResult") -> tuple[Cell, ...]:
    return (ok_cell("baselined"), result.version, relative(result.path))
