"""``verify``: the verdict on each migration file."""

from dbwarden.cli import output
from dbwarden.cli.options import FleetOptions
from dbwarden.cli.run import AT_ONCE_IN_SCRATCH, Texts, bad_cell, ok_cell, report, run, warn_cell
from dbwarden.cli.selection import Which, select
from dbwarden.cli.style import Cell, pluralize
from dbwarden.operations.verify import Verified, VerifyResult
from dbwarden.operations.verify import verify as verify_one


async def verify(*, options: FleetOptions = FleetOptions()) -> int:
    """Prove all migration files again.

    Runs each file in a scratch database (up, down, up), then all of them, with
    rows too. Exit 3 if one fails.

    For example:
        dbwarden verify --all
    """
    selection = await select(options, Which.FILES)
    outcomes = await run(verify_one, selection, at_once=AT_ONCE_IN_SCRATCH)
    return await report("verify", outcomes, selection, Texts(_print_verified, flat=True))


def _print_verified(result: VerifyResult) -> None:
    rows = [(item.key, *_verdict_cells(item)) for item in result.migrations]
    output.say(f"{result.database}: {pluralize(len(rows), 'migration')}, tried on {result.server}")
    output.say_table(("version", "", "found"), rows)


def _verdict_cells(item: Verified) -> tuple[Cell, Cell]:
    if item.problem:
        return bad_cell(item.verdict), item.problem
    shown = warn_cell if item.findings else ok_cell
    return shown(item.verdict), "; ".join(item.findings)
