"""Commands that compare live databases, migration files and models."""

from functools import partial

from dbwarden.cli import output
from dbwarden.cli.left_out import left_out_lines, note_left_out
from dbwarden.cli.options import FleetOptions, ModelsFlag
from dbwarden.cli.run import AT_ONCE_IN_SCRATCH, Table, Texts, ok_cell, report, run, warn_cell
from dbwarden.cli.selection import Which, select
from dbwarden.cli.style import Cell, pluralize, shorten
from dbwarden.operations.diff import DiffResult, drift
from dbwarden.operations.diff import check_models as check_one


async def diff(
    *,
    models: ModelsFlag = False,
    options: FleetOptions = FleetOptions(),  # noqa: B008
) -> int:
    """Compare live databases with their migration files. Exit 3 if they differ.

    Parameters
    ----------
    models
        Compare them with the models instead. With --keep-going, models that the server refuses are
        left out and listed.
    """
    selection = await select(options, Which.LIVE)
    if models:
        selection = selection.described()
    keep_going = models and options.fail_fast is False
    operation = partial(drift, models=models, keep_going=keep_going)
    outcomes = await run(operation, selection, at_once=AT_ONCE_IN_SCRATCH)
    return await report("diff", outcomes, selection, Texts(_print_differences, flat=True))


def _print_differences(result: DiffResult) -> None:
    left_out = left_out_lines(result.left_out)
    output.note_errors(result.refused)
    if not result.differences:
        output.say(f"{result.database}: {result.compared}: no difference.", *left_out)
        return
    count = pluralize(len(result.differences), "difference")
    output.say(f"{result.database}: {result.compared}: {count}")
    output.say(*(f"  {item.change} {item.what}" for item in result.differences), *left_out)
    way = f"-- from {result.compared.replace(' with ', ' to ')}"
    output.say("", *([way, result.sql] if not result.problem else [f"No SQL: {result.problem}"]))


async def check_models(options: FleetOptions) -> int:
    """Compare files with models for ``check --models``; exit 3 if they differ."""
    selection = (await select(options, Which.FILES)).described()
    operation = partial(check_one, keep_going=options.fail_fast is False)
    outcomes = await run(operation, selection, at_once=AT_ONCE_IN_SCRATCH)
    code = await report("check", outcomes, selection, Table(("", "differ"), _model_cells))
    if not options.json:
        for outcome in outcomes:
            for item in outcome.result.differences if outcome.result else ():
                output.note(f"{outcome.database}: {item.change} {item.what}")
            if outcome.result is not None:
                note_left_out(outcome.result.left_out, outcome.database)
                output.note_errors(outcome.result.refused)
    return code


def _model_cells(result: DiffResult) -> tuple[Cell, ...]:
    if result.clean:
        return (ok_cell("models and migrations agree"), "")
    refused = [f"{len(result.refused)} refused"] if result.refused else []
    return (
        warn_cell("not clean"),
        shorten([*(item.what for item in result.differences), *refused]),
    )
