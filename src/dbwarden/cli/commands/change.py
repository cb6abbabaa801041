"""Commands that change databases."""

from functools import partial
from typing import Annotated, Any

from cyclopts import Parameter

from dbwarden.cli import output
from dbwarden.cli.options import HOW, Target
from dbwarden.cli.progress import watching
from dbwarden.cli.prompting import can_ask, confirmed
from dbwarden.cli.run import (
    bad,
    good,
    heeding,
    limits_of,
    note_unknown_models,
    on_fleet,
    open_,
    own,
    reachable,
    report,
)
from dbwarden.cli.style import Cell, some
from dbwarden.errors import UsageError
from dbwarden.fleet import migrate_all
from dbwarden.operations.baseline import BaselineResult
from dbwarden.operations.baseline import baseline as baseline_one
from dbwarden.operations.migrate import MigrateResult, PlannedSQL
from dbwarden.operations.repair import RepairResult
from dbwarden.operations.repair import repair as repair_one
from dbwarden.operations.rollback import RollbackResult
from dbwarden.operations.rollback import rollback as rollback_one

Version = Annotated[str | None, Parameter(name="--to", show_default=False)]
Count = Annotated[int | None, Parameter(name="--count", show_default=False)]
DryRun = Annotated[bool, Parameter(name="--dry-run", negative="", show_default=False)]


async def migrate(
    *,
    to: Version = None,
    count: Count = None,
    dry_run: DryRun = False,
    out_of_order: Annotated[
        bool, Parameter(name="--out-of-order", negative="", show_default=False)
    ] = False,
    canary: Annotated[str | None, Parameter(name="--canary", group=HOW, show_default=False)] = None,
    target: Target = Target(),  # noqa: B008  # frozen, and what cyclopts reads its options from
) -> int:
    """Apply what is pending: one database, several, or all at once.

    Parameters
    ----------
    to
        Up to and including this version.
    count
        At most so many migrations on each database.
    dry_run
        Print the SQL in order; takes no lock and writes nothing, enforced by the server.
    out_of_order
        Apply files that are older than what is applied already, too.
    canary
        This database first; the others only if it succeeds.
    """
    databases = await own(target)
    await note_unknown_models(databases)
    with watching(databases, enabled=not target.json), heeding() as stop:
        outcomes = await migrate_all(
            databases,
            known=await reachable(target),
            limits=limits_of(target),
            canary=canary,
            stop=stop,
            to=to,
            count=count,
            dry_run=dry_run,
            out_of_order=out_of_order,
        )
    if dry_run and not target.json:
        _say_planned((o.database, o.result.planned) for o in outcomes if o.result)
    again = _options(to=to, count=count, out_of_order=out_of_order, dry_run=dry_run)
    headers = ("", "version", "applied")
    return await report("migrate", outcomes, target, headers=headers, row=_migrated, again=again)


def _options(**values: str | int | bool | None) -> list[str]:
    """Options as they are typed, without those that were left out."""
    words: list[str] = []
    for name, value in values.items():
        if value is not None and value is not False:
            words.append(f"--{name.replace('_', '-')}")
            words += [] if value is True else [str(value)]
    return words


def _migrated(result: MigrateResult) -> tuple[Cell, ...]:
    applied = some([item.key for item in result.applied])
    if result.dry_run:
        word = open_(f"would apply {len(result.planned)}") if result.planned else good("up to date")
        return (word, result.version or "", some([item.key for item in result.planned]))
    if result.applied:
        return (good("migrated"), result.version or "", f"{len(result.applied)} ({applied})")
    word = good("ahead of the files" if result.ahead else "up to date")
    return (word, result.version or "", "")


async def rollback(
    *,
    to: Version = None,
    count: Count = None,
    marked: Annotated[bool, Parameter(name="--marked", negative="", show_default=False)] = False,
    dry_run: DryRun = False,
    target: Target = Target(),  # noqa: B008
) -> int:
    """Take back what was applied last: one migration, unless told otherwise.

    Parameters
    ----------
    to
        Take back everything newer than this version, which stays; 0 for everything.
    count
        Take back so many, instead of one.
    marked
        Also what baseline marked as applied: it never ran here, and its rollback takes away what
        was there before.
    dry_run
        Print the SQL in order; takes no lock and writes nothing, enforced by the server.
    """
    databases = await own(target)
    operation = partial(rollback_one, to=to, count=count, marked=marked, dry_run=dry_run)
    outcomes = await on_fleet(operation, databases, target)
    if dry_run and not target.json:
        _say_planned((o.database, o.result.planned) for o in outcomes if o.result)
    headers = ("", "version", "rolled back")
    again = _options(to=to, count=count, marked=marked, dry_run=dry_run)
    return await report(
        "rollback", outcomes, target, headers=headers, row=_rolled_back, again=again
    )


def _rolled_back(result: RollbackResult) -> tuple[Cell, ...]:
    version = result.version or "none"
    if result.dry_run:
        keys = some([item.key for item in result.planned])
        return (open_(f"would roll back {len(result.planned)}"), version, keys)
    if not result.rolled_back:
        return (good("nothing to roll back"), version, "")
    return (good("rolled back"), version, some([item.key for item in result.rolled_back]))


def _say_planned(plans: Any) -> None:
    """The SQL of a dry run, in the order in which it would run."""
    for database, planned in plans:
        for item in planned:
            output.say(*_planned_lines(database, item))


def _planned_lines(database: str, item: PlannedSQL) -> list[str]:
    return [f"-- {database} {item.key}: {item.description} ({item.path})", item.sql, ""]


async def baseline(
    *,
    to: Version = None,
    target: Target = Target(),  # noqa: B008
) -> int:
    """Adopt a database that exists already: mark migrations as applied without running them.

    Without --to, 0001 is written from what the database has, proven, and marked.

    Parameters
    ----------
    to
        The version that the database already has.
    """
    if to is None:
        from dbwarden.cli.commands.author import adopt_live

        return await adopt_live(target)
    databases = await own(target)
    outcomes = await on_fleet(partial(baseline_one, to=to), databases, target)
    headers = ("", "version", "marked")
    again = _options(to=to)
    return await report("baseline", outcomes, target, headers=headers, row=_baselined, again=again)


def _baselined(result: BaselineResult) -> tuple[Cell, ...]:
    word = good("baselined") if result.marked else good("nothing to mark")
    return (word, result.version or "", some(result.marked))


async def repair(
    *,
    accept: Annotated[
        tuple[str, ...], Parameter(name="--accept", negative="", show_default=False)
    ] = (),
    forget: Annotated[
        tuple[str, ...], Parameter(name="--forget", negative="", show_default=False)
    ] = (),
    at: Annotated[tuple[str, ...], Parameter(name="--at", negative="", show_default=False)] = (),
    yes: Annotated[bool, Parameter(name=("--yes", "-y"), negative="", show_default=False)] = False,
    target: Target = Target(),  # noqa: B008
) -> int:
    """Make the ledger agree with the files again. Shows what it will do before it does it.

    Without choices it says what needs a repair. No migration SQL ever runs.

    Parameters
    ----------
    accept
        A changed migration whose edited file is right; may be repeated.
    forget
        A row to delete from the ledger; may be repeated.
    at
        KEY=STEP: how many steps of a half-done migration are done; may be repeated.
    yes
        Do it without asking.
    """
    databases = await own(target)
    choices: dict[str, Any] = {"accept": accept, "forget": forget, "at": _steps(at)}
    preview = await on_fleet(partial(repair_one, dry_run=True, **choices), databases, target)
    shown = partial(report, "repair", headers=("", "what"), row=_repaired)
    wanted = any(o.result is not None and o.result.actions for o in preview)
    if not wanted or any(o.error for o in preview):
        return await shown(preview, target)
    if not yes:
        if target.json or not can_ask():
            code = await shown(preview, target)
            output.note("", "Nothing was changed. To do it, say --yes.")
            return int(code)
        await shown(preview, target)
        if not await confirmed("Do this?"):
            return 1
    return await shown(await on_fleet(partial(repair_one, **choices), databases, target), target)


def _steps(values: tuple[str, ...]) -> dict[str, int]:
    steps: dict[str, int] = {}
    for value in values:
        key, _, step = value.partition("=")
        if not step.isdigit():
            raise UsageError(f"--at takes KEY=STEP, as in --at 0007=2, not {value!r}")
        steps[key] = int(step)
    return steps


def _repaired(result: RepairResult) -> tuple[Cell, ...]:
    if result.actions:
        what = "; ".join(str(action) for action in result.actions)
        return (open_("would") if result.dry_run else good("did"), what)
    wrong = [
        f"{word}: {some(keys)}"
        for word, keys in (
            ("changed", result.changed),
            ("missing", result.missing),
            ("half-done", result.partial),
        )
        if keys
    ]
    if not wrong:
        return (good("nothing to repair"), "")
    return (bad("needs a choice"), "; ".join(wrong) + " (--accept, --forget or --at)")
