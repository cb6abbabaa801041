"""``repair``: the changes of the migration history."""

from functools import partial
from typing import Annotated

from cyclopts import Parameter

from dbwarden.cli import output
from dbwarden.cli.options import FleetOptions
from dbwarden.cli.prompting import can_ask, confirm
from dbwarden.cli.run import ResultTable, bad_cell, ok_cell, report, results_of, run, warn_cell
from dbwarden.cli.selection import Which, select
from dbwarden.cli.style import Cell, shorten
from dbwarden.errors import UsageError
from dbwarden.operations.repair import RepairResult
from dbwarden.operations.repair import repair as repair_one


async def repair(
    *,
    accept: tuple[str, ...] = (),
    forget: tuple[str, ...] = (),
    at: tuple[str, ...] = (),
    yes: Annotated[bool, Parameter(name=("--yes", "-y"))] = False,
    options: FleetOptions = FleetOptions(),
) -> int:
    """Correct the migration history.

    Without options, it lists what needs a repair. It shows its changes and asks
    before it makes them. No migration SQL runs.

    For example:
        dbwarden repair
        dbwarden repair --accept 0003
        dbwarden repair --at 0007=2

    Parameters
    ----------
    accept
        A changed migration whose edited file is right; may be repeated.
    forget
        A row to delete from the migration history; may be repeated.
    at
        KEY=STEP: the number of finished steps of a partial migration; may be repeated.
    yes
        Do not ask.
    """
    selection = await select(options, Which.WRITABLE)
    view = ResultTable(("", "what"), _repair_cells)
    operation = partial(repair_one, accept=accept, forget=forget, at=_parse_steps(at))
    preview = await run(partial(operation, dry_run=True), selection)
    repairs = any(result.actions for result in results_of(preview))
    possible = repairs and not any(outcome.error for outcome in preview)
    if not possible or not yes:
        code = await report("repair", preview, selection, view)
        if not possible:
            return code
        if options.json or not can_ask():
            output.note("", "Nothing was changed. Pass --yes to make these changes.")
            return code
        if not await confirm("Make these changes?"):
            return 1
    outcomes = await run(operation, selection)
    return await report("repair", outcomes, selection, view)


def _parse_steps(values: tuple[str, ...]) -> dict[str, int]:
    steps: dict[str, int] = {}
    for value in values:
        key, _, step = value.partition("=")
        if not step.isdecimal():
            raise UsageError(f"--at takes KEY=STEP, as in --at 0007=2, not {value!r}")
        steps[key] = int(step)
    return steps


def _repair_cells(result: RepairResult) -> tuple[Cell, ...]:
    if result.actions:
        what = "; ".join(str(action) for action in result.actions)
        return (warn_cell("would") if result.dry_run else ok_cell("did"), what)
    wrong = [
        f"{word}: {shorten(keys)}"
        for word, keys in (
            ("changed", result.changed),
            ("missing", result.missing),
            ("partial", result.partial),
        )
        if keys
    ]
    if not wrong:
        return (ok_cell("nothing to repair"), "")
    return (bad_cell("needs a decision"), "; ".join(wrong) + " (--accept, --forget or --at)")
