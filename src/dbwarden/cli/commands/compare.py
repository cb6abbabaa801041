"""Commands that compare live databases, migration files and models."""

from functools import partial
from typing import Annotated

from cyclopts import Parameter

from dbwarden.cli import output
from dbwarden.cli.choosing import select_described, select_live, select_with_files
from dbwarden.cli.each import report_each, run_each
from dbwarden.cli.left_out import left_out_lines, note_left_out
from dbwarden.cli.options import LiveOptions, Target
from dbwarden.cli.run import limit_to_shard, ok_cell, on_fleet, report, warn_cell
from dbwarden.cli.style import Cell, pluralize, shorten
from dbwarden.errors import UsageError
from dbwarden.operations.diff import Difference, DiffResult, drift
from dbwarden.operations.diff import check_models as check_one


def _flag(name: str) -> Parameter:
    return Parameter(name=name, negative="", show_default=False)


async def diff(
    *,
    models: Annotated[bool, _flag("--models")] = False,
    keep_going: Annotated[bool, _flag("--keep-going")] = False,
    options: LiveOptions = LiveOptions(),  # noqa: B008
) -> int:
    """Compare live databases with their migration files. Exit 3 if they differ.

    Parameters
    ----------
    models
        Compare them with the models instead.
    keep_going
        With --models, leave out models that the server refuses, list them, and compare the rest.
    """
    if keep_going and not models:
        raise UsageError(
            "--keep-going leaves out models that the server refuses, but no models are compared",
            next_step="Add --models, or leave --keep-going out.",
        )
    databases = await select_live(options, options)
    if options.all and models:
        databases = select_described(databases)
    done = await run_each(
        partial(drift, models=models, keep_going=keep_going), databases, json=options.json
    )
    if options.json:
        report_each("diff", done)
        return done.code
    for result in done.results:
        left_out = left_out_lines(result.left_out)
        output.note_errors(result.refused)
        if not result.differences:
            output.say(f"{result.database}: {result.compared}: no difference.", *left_out)
            continue
        count = pluralize(len(result.differences), "difference")
        output.say(f"{result.database}: {result.compared}: {count}")
        output.say(*(f"  {_describe(item)}" for item in result.differences), *left_out)
        way = f"-- from {result.compared.replace(' with ', ' to ')}"
        sql = [way, result.sql] if result.problem is None else [f"No SQL: {result.problem}"]
        output.say("", *sql)
    output.note_errors(done.errors)
    return done.code


def _describe(item: Difference) -> str:
    """Format a difference, as in ``drop table users``."""
    verbs = {"Create": "add", "Add": "add", "Drop": "drop", "Rename": "rename"}
    verb = next((word for kind, word in verbs.items() if item.change.startswith(kind)), "change")
    return f"{verb} {item.what}"


async def check_models(target: Target) -> int:
    """Compare files with models for ``check --models``; exit 3 if they differ."""
    databases = await select_with_files(target, target)
    databases = limit_to_shard(select_described(databases) if target.all else databases, target)
    keep_going = target.fail_fast is False
    outcomes = await on_fleet(partial(check_one, keep_going=keep_going), databases, target)
    code = await report("check", outcomes, target, headers=("", "differ"), row=_model_cells)
    if not target.json:
        for outcome in outcomes:
            for item in outcome.result.differences if outcome.result else ():
                output.note(f"{outcome.database}: {_describe(item)}")
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
