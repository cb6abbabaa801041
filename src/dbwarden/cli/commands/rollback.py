"""``rollback``: what was rolled back in each database."""

from functools import partial
from typing import Any

from dbwarden.cli.options import FleetOptions
from dbwarden.cli.run import ResultTable, ok_cell, print_planned, report, run, warn_cell
from dbwarden.cli.selection import Which, select
from dbwarden.cli.style import Cell, shorten
from dbwarden.operations.rollback import RollbackResult
from dbwarden.operations.rollback import rollback as rollback_one


async def rollback(
    *,
    to: str | None = None,
    count: int | None = None,
    marked: bool = False,
    dry_run: bool = False,
    options: FleetOptions = FleetOptions(),
) -> int:
    """Roll back the last migration.

    Rolls back one migration, or more with --to or --count. All of them are
    checked before the first one runs.

    For example:
        dbwarden rollback
        dbwarden rollback --to 0003
        dbwarden rollback --dry-run

    Parameters
    ----------
    to
        Roll back everything newer than this version, which stays; 0 for everything.
    count
        Roll back this many migrations instead of one.
    marked
        Also roll back migrations that baseline marked as applied. They never ran here, so their
        rollback drops objects that existed before.
    dry_run
        Print the SQL in order; takes no lock and writes nothing, enforced by the server.
    """
    selection = await select(options, Which.WRITABLE)
    how: dict[str, Any] = {"to": to, "count": count, "marked": marked, "dry_run": dry_run}
    outcomes = await run(partial(rollback_one, **how), selection)
    if dry_run and not options.json:
        print_planned(outcomes)
    view = ResultTable(("", "version", "rolled back"), _rollback_cells)
    return await report("rollback", outcomes, selection, view, again=how)


def _rollback_cells(result: RollbackResult) -> tuple[Cell, ...]:
    version = result.version or "none"
    if result.dry_run:
        keys = shorten([item.key for item in result.planned])
        return (warn_cell(f"would roll back {len(result.planned)}"), version, keys)
    if not result.rolled_back:
        return (ok_cell("nothing to roll back"), version, "")
    return (ok_cell("rolled back"), version, shorten([item.key for item in result.rolled_back]))
