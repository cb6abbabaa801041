"""``backfill``: the progress of backfills."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import Annotated, Any, Literal, assert_never

from cyclopts import Parameter

from dbwarden.cli import output
from dbwarden.cli.exits import Exit, exit_code
from dbwarden.cli.options import HOW, FleetOptions
from dbwarden.cli.run import Texts, bad_cell, ok_cell, report, run, warn_cell
from dbwarden.cli.selection import Which, select
from dbwarden.cli.style import Cell
from dbwarden.config.threads import in_own_thread
from dbwarden.errors import UsageError
from dbwarden.operations.backfill import (
    BackfillResult,
    backfill_cancel,
    backfill_pause,
    backfill_resume,
    backfill_status,
)
from dbwarden.operations.backfill import backfill as backfill_run
from dbwarden.operations.pacing import MAX_LAG, MAX_LOCK_WAITS, PauseWhen
from dbwarden.planning.backfill_progress import BackfillProgress, format_seconds
from dbwarden.secrets import clean_cause, describe_error

Action = Literal["run", "status", "pause", "resume", "cancel"]


_THROTTLE = Parameter(group=HOW)
_THROTTLE_WITH_DEFAULT = Parameter(group=HOW, show_default=True)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Throttle:
    """The limits of ``backfill run``."""

    batch_seconds: Annotated[float | None, _THROTTLE] = None
    "run: seconds that a batch should take; default: what its file says, or 0.5."
    rate: Annotated[float | None, _THROTTLE] = None
    "run: the maximum number of rows per second."
    max_lag: Annotated[float, _THROTTLE_WITH_DEFAULT] = MAX_LAG
    "run: wait while a replica lags behind by more seconds; 0 for no limit."
    max_lock_waits: Annotated[int, _THROTTLE_WITH_DEFAULT] = MAX_LOCK_WAITS
    "run: wait while more sessions wait for locks; -1 for no limit."
    pause_when: Annotated[str | None, _THROTTLE] = None
    "run: wait while this coroutine function returns true, as in app.load:is_high."

    async def arguments(self) -> dict[str, Any]:
        """Return the arguments of :func:`dbwarden.backfill`.

        Raises:
            UsageError: There is no such coroutine function.
        """
        return {
            "target": self.batch_seconds,
            "rate": self.rate,
            "max_lag": self.max_lag or None,
            "max_lock_waits": self.max_lock_waits if self.max_lock_waits >= 0 else None,
            "pause_when": await _load(self.pause_when),
        }


async def backfill(
    action: Action,
    key: str | None = None,
    /,
    *,
    throttle: Throttle = Throttle(),
    restart: bool = False,
    accept: bool = False,
    options: FleetOptions = FleetOptions(),
) -> int:
    """Run, show, pause, resume or cancel backfills.

    migrate starts the backfills of large tables, and backfill run carries them
    on to their end, in as many processes as you like. Whatever is killed, each
    batch is applied exactly once. A failed backfill runs again only after
    backfill resume.

    For example:
        dbwarden backfill run
        dbwarden backfill run 0007 --rate 2000 --max-lag 5
        dbwarden backfill status --all
        dbwarden backfill pause -d primary

    Parameters
    ----------
    action
        run, status, pause, resume or cancel.
    key
        The version of the only backfill to work on, as in 0007; default: all unfinished ones.
    restart
        resume: begin again with the first row, with the file as it is now.
    accept
        resume: go on from the cursor with the file as it is now.
    """
    selection = await select(options, Which.ANY if action == "status" else Which.WRITABLE)
    operation: Callable[..., Any]
    match action:
        case "run":
            if options.timeout is None:
                unlimited = tuple(replace(each, timeout=None) for each in selection.databases)
                selection = replace(selection, databases=unlimited)
            operation = partial(backfill_run, key=key, **await throttle.arguments())
        case "status":
            operation = backfill_status
        case "pause":
            operation = partial(backfill_pause, key=key)
        case "resume":
            operation = partial(backfill_resume, key=key, restart=restart, accept=accept)
        case "cancel":
            operation = partial(backfill_cancel, key=key)
        case _:
            assert_never(action)
    outcomes = await run(operation, selection)
    code = exit_code(outcomes)
    if action != "run" and code is Exit.FOUND:
        code = Exit.DONE
    view = Texts(partial(_print, key=key))
    return await report(f"backfill {action}", outcomes, selection, view, code=code)


async def _load(name: str | None) -> PauseWhen | None:
    """Import the coroutine function *name*, as in ``app.load:is_high``.

    Raises:
        UsageError: There is none.
    """
    if name is None:
        return None
    module, _, function = name.partition(":")
    try:
        found: PauseWhen = getattr(await in_own_thread(partial(import_module, module)), function)
    except Exception as error:
        failed, cause = describe_error(error), clean_cause(error)
    else:
        return found
    raise UsageError(
        f"--pause-when {name} cannot be imported: {failed}",
        next_step="Name a coroutine function as in --pause-when app.load:is_high.",
    ) from cause


def _print(result: BackfillResult, *, key: str | None) -> None:
    wanted = key and key.lstrip("0")
    shown = [item for item in result.backfills if wanted in (None, item.key.lstrip("0"))]
    if not shown:
        output.say(f"{result.database}: no backfills")
        return
    output.say(f"{result.database}:")
    headers = ("backfill", "table", "state", "rows", "done", "rows/s", "left", "runner")
    output.say_table(headers, [_cells(item) for item in shown], spare=("runner", "table"))
    for item in shown:
        if item.error is not None:
            output.say(f"  {item.key}: {item.error}")


def _cells(item: BackfillProgress) -> tuple[Cell, ...]:
    rows = f"{item.rows:,}" + (f" of {item.total:,}" if item.total is not None else "")
    return (
        item.key,
        item.table,
        _state_cell(item),
        rows,
        f"{item.percent} %" if item.percent is not None else "",
        f"{item.rows_per_second:,.0f}" if item.rows_per_second is not None else "",
        format_seconds(item.eta_seconds) if item.eta_seconds is not None else "",
        item.runner or "",
    )


def _state_cell(item: BackfillProgress) -> Cell:
    match item.state:
        case "done":
            return ok_cell("done")
        case "failed" | "cancelled":
            return bad_cell(item.state)
        case "running" if item.stalled:
            return warn_cell("not run by any process")
        case "running" if item.waiting is not None:
            return warn_cell(f"waits: {item.waiting}")
        case _:
            return warn_cell(item.state)
