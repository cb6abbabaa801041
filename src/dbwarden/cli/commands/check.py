"""``check``: the findings about each database."""

from dbwarden.cli import output
from dbwarden.cli.commands.status import describe_caught_up, note_primary
from dbwarden.cli.options import FleetOptions
from dbwarden.cli.run import (
    ResultTable,
    note_unknown_models,
    ok_cell,
    report,
    results_of,
    run,
    warn_cell,
)
from dbwarden.cli.selection import select
from dbwarden.cli.style import Cell
from dbwarden.operations.check import CheckResult
from dbwarden.operations.check import check as check_one


async def check(*, models: bool = False, options: FleetOptions = FleetOptions()) -> int:
    """Compare databases with their files. Exit 3 on findings.

    Reports pending, changed, missing, partial and out-of-order migrations.
    --models compares the files with the models instead, without connecting to a
    configured database.

    For example:
        dbwarden check --all
        dbwarden check --models

    Parameters
    ----------
    models
        Compare the files with the models instead, without connecting to a configured database.
        With --keep-going, models that the server refuses are left out and listed.
    """
    if models:
        from dbwarden.cli.commands.check_models import check_models

        return await check_models(options)
    selection = await select(options)
    await note_unknown_models(selection.databases)
    outcomes = await run(check_one, selection)
    view = ResultTable(("", "version", "found"), _check_cells)
    code = await report("check", outcomes, selection, view)
    if not options.json:
        for result in results_of(outcomes):
            note_primary(result.status)
        for result in results_of(outcomes):
            for finding in result.findings:
                line = f"{result.database}: {finding.message}"
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
            describe_caught_up(replica) if replica and replica.caught_up else seen,
        )
    codes = [finding.code.replace("_", " ") for finding in result.findings]
    return (warn_cell("not clean"), version, ", ".join(codes))
