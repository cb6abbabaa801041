"""``migrate``: what was applied to each database."""

from typing import Annotated, Any

from cyclopts import Parameter

from dbwarden.cli import output
from dbwarden.cli.options import HOW, FleetOptions
from dbwarden.cli.progress import show_progress
from dbwarden.cli.run import (
    Table,
    handle_interrupt,
    limits_of,
    note_unknown_models,
    ok_cell,
    print_planned,
    report,
    results_of,
    warn_cell,
)
from dbwarden.cli.selection import Which, select
from dbwarden.cli.style import Cell, shorten
from dbwarden.files.migration import Phase
from dbwarden.fleet import migrate_all
from dbwarden.operations.migrate import DriftMode, MigrateResult


async def migrate(
    *,
    to: str | None = None,
    count: int | None = None,
    dry_run: bool = False,
    out_of_order: bool = False,
    phase: Phase | None = None,
    check_drift: DriftMode | None = None,
    canary: Annotated[str | None, Parameter(group=HOW)] = None,
    options: FleetOptions = FleetOptions(),
) -> int:
    """Apply pending migrations to one database, several or all.

    Parameters
    ----------
    to
        Apply migrations up to and including this version.
    count
        Apply at most this many migrations to each database.
    dry_run
        Print the SQL in order; takes no lock and writes nothing, enforced by the server.
    out_of_order
        Also apply files that are older than the newest applied one.
    phase
        Apply only migrations that run before (pre) or after (post) the deployment.
    check_drift
        Compare the database with its files first: fail (the default of the bare option) runs
        nothing if it differs, warn reports it.
    canary
        Migrate this database first, and the others only if it succeeds.
    """
    selection = await select(options, Which.WRITABLE)
    databases = selection.databases
    await note_unknown_models(databases)
    how: dict[str, Any] = {"to": to, "count": count, "phase": phase, "dry_run": dry_run}
    how |= {"out_of_order": out_of_order, "check_drift": check_drift}
    with show_progress(databases, enabled=not options.json), handle_interrupt() as stop:
        outcomes = await migrate_all(
            databases,
            known=selection.requirable,
            limits=limits_of(options),
            canary=canary,
            stop=stop,
            workers=options.workers,
            **how,
        )
    if dry_run and not options.json:
        print_planned(outcomes)
    view = Table(("", "version", "applied"), _migrate_cells)
    code = await report("migrate", outcomes, selection, view, again=how)
    if not options.json:
        for result in results_of(outcomes):
            if result.drift:
                differs = shorten(result.drift)
                output.note(f"warning: {result.database} was not as its files say: {differs}")
        for result in results_of(outcomes):
            _note_backfills(result)
    return code


def _migrate_cells(result: MigrateResult) -> tuple[Cell, ...]:
    applied = shorten([item.key for item in result.applied])
    if result.dry_run:
        word = (
            warn_cell(f"would apply {len(result.planned)}")
            if result.planned
            else ok_cell("up to date")
        )
        return (word, result.version or "", shorten([item.key for item in result.planned]))
    if result.waiting:
        awaited = shorten([item.key for item in result.backfills])
        word = warn_cell(f"waits for backfill {awaited}")
        return (word, result.version or "", f"{len(result.applied)} ({applied})" if applied else "")
    if result.applied:
        return (ok_cell("migrated"), result.version or "", f"{len(result.applied)} ({applied})")
    word = ok_cell("ahead of the files" if result.ahead else "up to date")
    return (word, result.version or "", "")


def _note_backfills(result: MigrateResult) -> None:
    """Print which backfills are unfinished, and how to go on."""
    for item in result.backfills:
        output.note(
            "",
            f"{result.database}: the backfill {item.key} is {item.state}: {item}",
            f"  next: dbwarden backfill {item.verb} {item.key} -d {result.database}",
        )
        if result.waiting:
            verb = "waits" if len(result.waiting) == 1 else "wait"
            output.note(f"  {shorten(result.waiting)} {verb} for it.")
