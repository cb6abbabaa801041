"""``wait``: wait until the databases answer."""

from dbwarden.cli.options import FleetOptions
from dbwarden.cli.run import ResultTable, ok_cell, report, run
from dbwarden.cli.selection import select
from dbwarden.cli.style import Cell
from dbwarden.operations.wait import WaitResult
from dbwarden.operations.wait import wait as wait_one


async def wait(*, options: FleetOptions = FleetOptions()) -> int:
    """Wait until the databases answer.

    Waits for at most --timeout seconds, for containers that start together.

    For example:
        dbwarden wait --all --timeout 60 && dbwarden migrate --all
    """
    selection = await select(options)
    outcomes = await run(wait_one, selection)
    return await report(
        "wait", outcomes, selection, ResultTable(("", "server", "attempts"), _wait_cells)
    )


def _wait_cells(result: WaitResult) -> tuple[Cell, ...]:
    return (ok_cell("answers"), result.server_version, str(result.attempts))
