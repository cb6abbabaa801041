"""Commands that change databases."""

from collections.abc import Iterable, Sequence
from functools import partial
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
    report,
    run,
    warn_cell,
)
from dbwarden.cli.selection import Which, select
from dbwarden.cli.style import Cell, shorten
from dbwarden.files.migration import Phase
from dbwarden.fleet import Outcome, migrate_all
from dbwarden.operations.migrate import DriftMode, MigrateResult, PlannedSQL
from dbwarden.operations.rollback import RollbackResult
from dbwarden.operations.rollback import rollback as rollback_one


async def migrate(
    *,
    to: str | None = None,
    count: int | None = None,
    dry_run: bool = False,
    out_of_order: bool = False,
    phase: Phase | None = None,
    check_drift: DriftMode | None = None,
    canary: Annotated[str | None, Parameter(group=HOW)] = None,
    options: FleetOptions = FleetOptions(),  # noqa: B008  # frozen; cyclopts reads its options
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
        _print_planned((o.database, o.result.planned) for o in outcomes if o.result)
    view = Table(("", "version", "applied"), _migrate_cells)
    again = option_words(**how)
    code = await report("migrate", outcomes, selection, view, again=again)
    if not options.json:
        _note_drift(outcomes)
        _note_backfills(outcome.result for outcome in outcomes)
    return code


def _note_drift(outcomes: Sequence[Outcome[MigrateResult]]) -> None:
    for outcome in outcomes:
        if outcome.result is not None and outcome.result.drift:
            output.note(
                f"warning: {outcome.database} was not as its files say: "
                f"{shorten(outcome.result.drift)}"
            )


def option_words(**values: str | int | bool | None) -> list[str]:
    """Return options as typed on the command line, without unset ones."""
    words: list[str] = []
    for name, value in values.items():
        if value is not None and value is not False:
            words.append(f"--{name.replace('_', '-')}")
            words += [] if value is True else [str(value)]
    return words


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
        word = warn_cell(f"waits for backfill {_awaited(result)}")
        return (word, result.version or "", f"{len(result.applied)} ({applied})" if applied else "")
    if result.applied:
        return (ok_cell("migrated"), result.version or "", f"{len(result.applied)} ({applied})")
    word = ok_cell("ahead of the files" if result.ahead else "up to date")
    return (word, result.version or "", "")


def _awaited(result: MigrateResult) -> str:
    return shorten([item.key for item in result.backfills])


def _note_backfills(results: Iterable[MigrateResult | None]) -> None:
    """Print which backfills are unfinished, and how to go on."""
    for result in results:
        for item in result.backfills if result is not None else ():
            assert result is not None
            output.note(
                "",
                f"{result.database}: the backfill {item.key} is {item.state}: {item}",
                f"  next: dbwarden backfill {item.verb} {item.key} -d {result.database}",
            )
            if result.waiting:
                verb = "waits" if len(result.waiting) == 1 else "wait"
                output.note(f"  {shorten(result.waiting)} {verb} for it.")


async def rollback(
    *,
    to: str | None = None,
    count: int | None = None,
    marked: bool = False,
    dry_run: bool = False,
    options: FleetOptions = FleetOptions(),  # noqa: B008
) -> int:
    """Roll back the last migration, or several.

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
    operation = partial(rollback_one, to=to, count=count, marked=marked, dry_run=dry_run)
    outcomes = await run(operation, selection)
    if dry_run and not options.json:
        _print_planned((o.database, o.result.planned) for o in outcomes if o.result)
    view = Table(("", "version", "rolled back"), _rollback_cells)
    again = option_words(to=to, count=count, marked=marked, dry_run=dry_run)
    return await report("rollback", outcomes, selection, view, again=again)


def _rollback_cells(result: RollbackResult) -> tuple[Cell, ...]:
    version = result.version or "none"
    if result.dry_run:
        keys = shorten([item.key for item in result.planned])
        return (warn_cell(f"would roll back {len(result.planned)}"), version, keys)
    if not result.rolled_back:
        return (ok_cell("nothing to roll back"), version, "")
    return (ok_cell("rolled back"), version, shorten([item.key for item in result.rolled_back]))


def _print_planned(plans: Any) -> None:
    """Print the SQL of a dry run, in order."""
    for database, planned in plans:
        for item in planned:
            output.say(*_planned_lines(database, item))


def _planned_lines(database: str, item: PlannedSQL) -> list[str]:
    return [f"-- {database} {item.key}: {item.description} ({item.path})", item.sql, ""]
