"""``migrate``: what was applied to each database."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from dbwarden.cli import output
from dbwarden.cli.options import HOW, FleetOptions
from dbwarden.cli.progress import show_progress
from dbwarden.cli.run import (
    ResultTable,
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


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class MigrateChoices:
    """The migrations to apply, and how."""

    to: str | None = None
    "Apply migrations up to and including this version."
    count: int | None = None
    "Apply at most this many migrations to each database."
    dry_run: bool = False
    "Print the SQL in order; takes no lock and writes nothing, enforced by the server."
    out_of_order: bool = False
    "Also apply files that are older than the newest applied one."
    phase: Phase | None = None
    "Apply only migrations that run before (pre) or after (post) the deployment."
    check_drift: DriftMode | None = None
    """Compare the database with its files first: fail (the default of the bare option) runs
    nothing if it differs, warn reports it."""


async def migrate(
    *,
    choices: MigrateChoices = MigrateChoices(),
    canary: Annotated[str | None, Parameter(group=HOW)] = None,
    options: FleetOptions = FleetOptions(),
) -> int:
    """Apply pending migrations.

    Each migration and its row in the migration history are one transaction.
    Running the command again continues where it stopped.

    For example:
        dbwarden migrate
        dbwarden migrate --all
        dbwarden migrate --check-drift
        dbwarden migrate -d 'tenant_*' --canary tenant_acme
        dbwarden migrate --all --phase pre
        dbwarden migrate --dry-run

    Parameters
    ----------
    canary
        Migrate this database first, and the others only if it succeeds.
    """
    selection = await select(options, Which.WRITABLE)
    databases = selection.databases
    await note_unknown_models(databases)
    with show_progress(databases, enabled=not options.json), handle_interrupt() as stop:
        outcomes = await migrate_all(
            databases,
            known=selection.requirable,
            limits=limits_of(options),
            canary=canary,
            stop=stop,
            workers=options.workers,
            **vars(choices),
        )
    if choices.dry_run and not options.json:
        print_planned(outcomes)
    view = ResultTable(("", "version", "applied"), _migrate_cells)
    code = await report("migrate", outcomes, selection, view, again=vars(choices))
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
