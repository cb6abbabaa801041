"""``renumber``: the files that moved, and the proof of their new order."""

from functools import partial

from dbwarden.cli import output
from dbwarden.cli.options import FleetOptions
from dbwarden.cli.run import AT_ONCE_IN_SCRATCH, Texts, report, run
from dbwarden.cli.selection import Which, select
from dbwarden.cli.style import pluralize, relative
from dbwarden.operations.renumber import RenumberResult
from dbwarden.operations.renumber import renumber as renumber_one


async def renumber(*, move: tuple[str, ...] = (), options: FleetOptions = FleetOptions()) -> int:
    """Resolve two files with the same number.

    If two branches both added 0007, the one that is not applied moves to the
    end, and the new order is proven.

    For example:
        dbwarden renumber
        dbwarden renumber --move 0007_add_orders

    Parameters
    ----------
    move
        The file to move if the live database has applied neither: 0007_add_orders.
    """
    selection = (await select(options, Which.FILES)).for_writing()
    outcomes = await run(partial(renumber_one, move=move), selection, at_once=AT_ONCE_IN_SCRATCH)
    return await report("renumber", outcomes, selection, Texts(_print_moves, flat=True))


def _print_moves(result: RenumberResult) -> None:
    if not result.moves:
        output.say(f"{result.database}: every migration has a unique number.")
    output.say(*(f"Moved {relative(item.old)} to {item.new.name}" for item in result.moves))
    if result.verified is None:
        return
    if result.clean:
        count = pluralize(len(result.verified.migrations), "migration")
        output.say(f"  the new order is proven: {count}, tried on {result.verified.server}")
    for item in result.verified.migrations:
        if item.problem:
            output.say(f"  {item.key} fails in the new order: {item.problem}")
