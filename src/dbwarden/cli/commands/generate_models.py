"""``generate-models``: models of a live database."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import anyio.to_thread
from cyclopts import Parameter

from dbwarden.cli import output
from dbwarden.cli.left_out import note_left_out
from dbwarden.cli.options import FleetOptions
from dbwarden.cli.run import AT_ONCE_IN_SCRATCH, Texts, report, run
from dbwarden.cli.selection import Which, select
from dbwarden.cli.style import relative
from dbwarden.errors import UsageError
from dbwarden.fleet import Outcome, OutcomeState
from dbwarden.operations.generate_models import GeneratedModels
from dbwarden.operations.generate_models import generate_models as generate_one


async def generate_models(
    *,
    output_file: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
    options: FleetOptions = FleetOptions(),
) -> int:
    """Write models from a database.

    Writes SQLAlchemy 2.0 code that is proven to build exactly that database.

    For example:
        dbwarden generate-models -o app/models.py

    Parameters
    ----------
    output_file
        The file to write; default: stdout. Never overwrites.
    """
    selection = await select(options, Which.LIVE)
    if len(selection.databases) != 1:
        raise UsageError("models are generated from one database at a time")

    def show(result: GeneratedModels) -> None:
        if output_file is None:
            output.say(result.code.rstrip("\n"))
        else:
            output.say(f"Wrote {result.tables} tables to {relative(output_file)}")
        note_left_out(result.left_out, None)

    outcomes = await run(generate_one, selection, at_once=AT_ONCE_IN_SCRATCH)
    if output_file is not None:
        outcomes = tuple([await _write_models(each, output_file) for each in outcomes])
    return await report("generate-models", outcomes, selection, Texts(show, flat=True))


async def _write_models(outcome: Outcome[GeneratedModels], path: Path) -> Outcome[GeneratedModels]:
    """Write the generated models, and return the outcome with the error if that fails."""
    if outcome.result is None:
        return outcome
    try:
        advice = "Name another file with -o; existing files are never overwritten."
        await anyio.to_thread.run_sync(output.write_file, path, outcome.result.code, "x", advice)
    except UsageError as error:
        return replace(outcome, state=OutcomeState.FAILED, result=None, error=error)
    return outcome
