"""``unlock``: the processes that held the migration lock."""

from functools import partial

from dbwarden.cli import output
from dbwarden.cli.commands.lock_status import HOLDERS
from dbwarden.cli.exits import Exit, exit_code
from dbwarden.cli.options import FleetOptions
from dbwarden.cli.run import ResultTable, bad_cell, ok_cell, report, results_of, run
from dbwarden.cli.selection import Which, select
from dbwarden.cli.style import Cell
from dbwarden.operations.lock import UnlockResult, unlock_seen
from dbwarden.operations.lock import lock_status as lock_status_of


async def unlock(*, force: bool = False, options: FleetOptions = FleetOptions()) -> int:
    """End the process that holds a migration lock.

    Without --force, it only shows the process. The work of a terminated process
    is rolled back. There are no stale locks to clear.

    For example:
        dbwarden unlock -d primary
        dbwarden unlock -d primary --force

    Parameters
    ----------
    force
        Terminate the process.
    """
    selection = await select(options, Which.WRITABLE)
    held = await run(lock_status_of, selection)
    holders = {each.database: each.holder for each in results_of(held) if each.holder}
    if not force or any(outcome.error for outcome in held):
        status_code = exit_code(held)
        code = Exit.FOUND if holders and status_code is Exit.DONE else status_code
        code = await report("unlock", held, selection, HOLDERS, code=code)
        if holders and not force:
            output.note("", "No process was terminated. Pass --force to terminate them.")
        return code
    output.note(*(f"{database}: terminating {holder}" for database, holder in holders.items()))
    outcomes = await run(partial(unlock_seen, holders=holders), selection)
    failed = any(each.holder and not each.ended for each in results_of(outcomes))
    code = Exit.FAILED if failed else exit_code(outcomes)
    view = ResultTable(("", "holder"), _unlock_cells)
    return await report("unlock", outcomes, selection, view, code=code)


def _unlock_cells(result: UnlockResult) -> tuple[Cell, ...]:
    if result.holder is None:
        return (ok_cell("free"), "")
    return (ok_cell("terminated") if result.ended else bad_cell("still held"), str(result.holder))
