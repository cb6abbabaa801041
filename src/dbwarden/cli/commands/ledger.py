"""Commands that change only the migration history."""

from functools import partial
from typing import Annotated, Any

from cyclopts import Parameter

from dbwarden.cli import output
from dbwarden.cli.commands.change import option_words
from dbwarden.cli.options import FleetOptions
from dbwarden.cli.prompting import can_ask, confirm
from dbwarden.cli.run import Table, bad_cell, ok_cell, report, run, warn_cell
from dbwarden.cli.selection import Which, select
from dbwarden.cli.style import Cell, shorten
from dbwarden.errors import UsageError
from dbwarden.operations.baseline import BaselineResult, baseline_from
from dbwarden.operations.baseline import baseline as baseline_one
from dbwarden.operations.foreign import Tool
from dbwarden.operations.repair import RepairResult
from dbwarden.operations.repair import repair as repair_one


async def baseline(
    *,
    to: str | None = None,
    from_: Annotated[Tool | None, Parameter(name="--from")] = None,
    options: FleetOptions = FleetOptions(),  # noqa: B008
) -> int:
    """Adopt an existing database: mark migrations as applied without running them.

    Parameters
    ----------
    to
        The version that the database already has.
    from_
        Mark the imported files of what this tool has applied to each database.
    """
    if to is not None and from_ is not None:
        raise UsageError("--to and --from exclude each other", next_step="Give one of them.")
    if from_ is not None:
        selection = await select(options, Which.WRITABLE)
        outcomes = await run(partial(baseline_from, tool=from_), selection)
        view = Table(("", "version", "marked"), _baseline_cells)
        again = option_words(**{"from": from_})
        return await report("baseline", outcomes, selection, view, again=again)
    if to is None:
        from dbwarden.cli.commands.author import adopt_live

        return await adopt_live(options)
    selection = await select(options, Which.WRITABLE)
    outcomes = await run(partial(baseline_one, to=to), selection)
    view = Table(("", "version", "marked"), _baseline_cells)
    return await report("baseline", outcomes, selection, view, again=option_words(to=to))


def _baseline_cells(result: BaselineResult) -> tuple[Cell, ...]:
    word = ok_cell("baselined") if result.marked else ok_cell("nothing to mark")
    return (word, result.version or "", shorten(result.marked))


async def repair(
    *,
    accept: tuple[str, ...] = (),
    forget: tuple[str, ...] = (),
    at: tuple[str, ...] = (),
    yes: Annotated[bool, Parameter(name=("--yes", "-y"))] = False,
    options: FleetOptions = FleetOptions(),  # noqa: B008
) -> int:
    """Correct the migration history; shows its changes and asks before it makes them.

    Parameters
    ----------
    accept
        A changed migration whose edited file is right; may be repeated.
    forget
        A row to delete from the migration history; may be repeated.
    at
        KEY=STEP: the number of finished steps of a partial migration; may be repeated.
    yes
        Do not ask.
    """
    selection = await select(options, Which.WRITABLE)
    view = Table(("", "what"), _repair_cells)
    choices: dict[str, Any] = {"accept": accept, "forget": forget, "at": _parse_steps(at)}
    preview = await run(partial(repair_one, dry_run=True, **choices), selection)
    has_actions = any(o.result is not None and o.result.actions for o in preview)
    if not has_actions or any(o.error for o in preview) or not yes:
        code = await report("repair", preview, selection, view)
        if not has_actions or any(o.error for o in preview):
            return code
        if options.json or not can_ask():
            output.note("", "Nothing was changed. Pass --yes to make these changes.")
            return code
        if not await confirm("Make these changes?"):
            return 1
    outcomes = await run(partial(repair_one, **choices), selection)
    return await report("repair", outcomes, selection, view)


def _parse_steps(values: tuple[str, ...]) -> dict[str, int]:
    steps: dict[str, int] = {}
    for value in values:
        key, _, step = value.partition("=")
        if not step.isdigit():
            raise UsageError(f"--at takes KEY=STEP, as in --at 0007=2, not {value!r}")
        steps[key] = int(step)
    return steps


def _repair_cells(result: RepairResult) -> tuple[Cell, ...]:
    if result.actions:
        what = "; ".join(str(action) for action in result.actions)
        return (warn_cell("would") if result.dry_run else ok_cell("did"), what)
    wrong = [
        f"{word}: {shorten(keys)}"
        for word, keys in (
            ("changed", result.changed),
            ("missing", result.missing),
            ("partial", result.partial),
        )
        if keys
    ]
    if not wrong:
        return (ok_cell("nothing to repair"), "")
    return (bad_cell("needs a decision"), "; ".join(wrong) + " (--accept, --forget or --at)")
