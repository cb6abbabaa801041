"""Commands on the migration lock."""

from functools import partial

from dbwarden.cli import output
from dbwarden.cli.exits import Exit, exit_code
from dbwarden.cli.options import FleetOptions
from dbwarden.cli.run import Table, bad_cell, ok_cell, report, run, warn_cell
from dbwarden.cli.selection import Which, select
from dbwarden.cli.style import Cell
from dbwarden.operations.lock import LockStatus, UnlockResult, unlock_seen
from dbwarden.operations.lock import lock_status as lock_status_of


async def lock_status(*, options: FleetOptions = FleetOptions()) -> int:  # noqa: B008
    """Show who is migrating now: process, application, start time and current statement."""
    selection = await select(options, Which.WRITABLE)
    outcomes = await run(lock_status_of, selection)
    return await report("lock-status", outcomes, selection, Table(("", "holder"), _holder_cells))


def _holder_cells(result: LockStatus) -> tuple[Cell, ...]:
    return (warn_cell("held"), str(result.holder)) if result.holder else (ok_cell("free"), "")


async def unlock(
    *,
    force: bool = False,
    options: FleetOptions = FleetOptions(),  # noqa: B008
) -> int:
    """Terminate the process that holds the migration lock; its work is rolled back.

    Parameters
    ----------
    force
        Terminate the process.
    """
    selection = await select(options, Which.WRITABLE)
    held = await run(lock_status_of, selection)
    holders = [(o.database, o.result.holder) for o in held if o.result and o.result.holder]
    if not force or any(outcome.error for outcome in held):
        status_code = exit_code(held)
        code = Exit.FOUND if holders and status_code is Exit.DONE else status_code
        view = Table(("", "holder"), _holder_cells)
        code = await report("unlock", held, selection, view, code=code)
        if holders and not force:
            output.note("", "No process was terminated. Pass --force to terminate them.")
        return code
    output.note(*(f"{database}: terminating {holder}" for database, holder in holders))
    outcomes = await run(partial(unlock_seen, holders=dict(holders)), selection)
    failed = any(o.result and o.result.holder and not o.result.ended for o in outcomes)
    code = Exit.FAILED if failed else exit_code(outcomes)
    view = Table(("", "holder"), _unlock_cells)
    return await report("unlock", outcomes, selection, view, code=code)


def _unlock_cells(result: UnlockResult) -> tuple[Cell, ...]:
    if result.holder is None:
        return (ok_cell("free"), "")
    return (ok_cell("terminated") if result.ended else bad_cell("still held"), str(result.holder))
