"""``check --models``: how the migration files differ from the models."""

from functools import partial

from dbwarden.cli import output
from dbwarden.cli.left_out import note_left_out
from dbwarden.cli.options import FleetOptions
from dbwarden.cli.run import (
    AT_ONCE_IN_SCRATCH,
    ResultTable,
    ok_cell,
    report,
    results_of,
    run,
    warn_cell,
)
from dbwarden.cli.selection import Which, select
from dbwarden.cli.style import Cell, shorten
from dbwarden.operations.diff import DiffResult
from dbwarden.operations.diff import check_models as check_one


async def check_models(options: FleetOptions) -> int:
    """Compare files with models for ``check --models``; exit 3 if they differ."""
    selection = (await select(options, Which.FILES)).described()
    operation = partial(check_one, keep_going=options.fail_fast is False)
    outcomes = await run(operation, selection, at_once=AT_ONCE_IN_SCRATCH)
    code = await report("check", outcomes, selection, ResultTable(("", "differ"), _model_cells))
    if not options.json:
        for result in results_of(outcomes):
            output.note(*(f"{result.database}: {it.change} {it.what}" for it in result.differences))
            note_left_out(result.left_out, result.database)
            output.note_errors(result.refused)
    return code


def _model_cells(result: DiffResult) -> tuple[Cell, ...]:
    if result.clean:
        return (ok_cell("models and migrations agree"), "")
    refused = [f"{len(result.refused)} refused"] if result.refused else []
    return (
        warn_cell("not clean"),
        shorten([*(item.what for item in result.differences), *refused]),
    )
