"""Commands around the migration lock."""

from typing import Annotated

from cyclopts import Parameter

from dbwarden.cli import output
from dbwarden.cli.exits import Exit, exit_code
from dbwarden.cli.options import Target
from dbwarden.cli.run import bad, good, on_fleet, open_, own, report
from dbwarden.cli.style import Cell
from dbwarden.config.model import DatabaseConfig
from dbwarden.operations.lock import LockStatus, UnlockResult
from dbwarden.operations.lock import lock_status as lock_status_of
from dbwarden.operations.lock import unlock as unlock_one


async def lock_status(*, target: Target = Target()) -> int:  # noqa: B008
    """Who is migrating right now: process, application, since when, and what it runs."""
    outcomes = await on_fleet(lock_status_of, await own(target), target)
    return await report("lock-status", outcomes, target, headers=("", "holder"), row=_status)


def _status(result: LockStatus) -> tuple[Cell, ...]:
    return (open_("held"), str(result.holder)) if result.holder else (good("free"), "")


async def unlock(
    *,
    force: Annotated[bool, Parameter(name="--force", negative="", show_default=False)] = False,
    target: Target = Target(),  # noqa: B008
) -> int:
    """End the migrator that holds a database; what it was doing is rolled back.

    Without --force it only says whom it would end.

    Parameters
    ----------
    force
        Do it.
    """
    databases = await own(target)
    held = await on_fleet(lock_status_of, databases, target)
    holders = [(o.database, o.result.holder) for o in held if o.result and o.result.holder]
    if not force or any(outcome.error for outcome in held):
        found = exit_code(held)
        code = Exit.FOUND if holders and found is Exit.DONE else found
        headers = ("", "holder")
        code = await report("unlock", held, target, headers=headers, row=_status, code=code)
        if holders and not force:
            output.note("", "Nobody was ended. To end these processes, say --force.")
        return code
    output.note(*(f"{database}: ending {holder}" for database, holder in holders))
    seen = dict(holders)

    async def unlock_seen(config: DatabaseConfig) -> UnlockResult:
        holder = seen.get(config.database_name)
        if holder is None:  # whoever took it since was not shown
            return UnlockResult(database=config.database_name, holder=None, ended=False)
        return await unlock_one(config, holder=holder)

    outcomes = await on_fleet(unlock_seen, databases, target)
    failed = any(o.result and o.result.holder and not o.result.ended for o in outcomes)
    code = Exit.FAILED if failed else exit_code(outcomes)
    headers = ("", "holder")
    return await report("unlock", outcomes, target, headers=headers, row=_unlocked, code=code)


def _unlocked(result: UnlockResult) -> tuple[Cell, ...]:
    if result.holder is None:
        return (good("free"), "")
    return (good("ended") if result.ended else bad("still held"), str(result.holder))
