"""``lock-status``: who holds the migration lock."""

from dbwarden.cli.options import FleetOptions
from dbwarden.cli.run import ResultTable, ok_cell, report, run, warn_cell
from dbwarden.cli.selection import Which, select
from dbwarden.cli.style import Cell
from dbwarden.operations.lock import LockStatus
from dbwarden.operations.lock import lock_status as lock_status_of


async def lock_status(*, options: FleetOptions = FleetOptions()) -> int:
    """Show who is migrating now.

    For example:
        dbwarden lock-status --all
    """
    selection = await select(options, Which.WRITABLE)
    outcomes = await run(lock_status_of, selection)
    return await report("lock-status", outcomes, selection, HOLDERS)


def _holder_cells(result: LockStatus) -> tuple[Cell, ...]:
    return (warn_cell("held"), str(result.holder)) if result.holder else (ok_cell("free"), "")


HOLDERS = ResultTable(("", "holder"), _holder_cells)
"""The holder of each migration lock."""
