"""``health``: the health of the databases as JSON."""

from dbwarden.cli import output
from dbwarden.cli.exits import Exit
from dbwarden.cli.options import FleetOptions
from dbwarden.cli.run import run
from dbwarden.cli.selection import select
from dbwarden.errors import DBWardenError, NotStarted
from dbwarden.fleet.documents import plain
from dbwarden.operations.health import DatabaseHealth, overall, unwell
from dbwarden.operations.health import health as health_one
from dbwarden.types import DatabaseName


async def health(*, options: FleetOptions = FleetOptions()) -> int:
    """Print the health of the databases as JSON.

    The shape is that of the health endpoint. Exits with 3 for degraded, 1 for
    error.

    For example:
        dbwarden health --all
    """
    outcomes = await run(health_one, await select(options))
    databases = [
        _health_of(outcome.database, outcome.result, outcome.error) for outcome in outcomes
    ]
    total = overall(databases)
    output.say_json(plain(total))
    return {"ok": Exit.DONE, "degraded": Exit.FOUND, "error": Exit.FAILED}[total.status]


def _health_of(database: str, result: DatabaseHealth | None, error: object) -> DatabaseHealth:
    if result is not None:
        return result
    known = error if isinstance(error, DBWardenError) else NotStarted()
    return unwell(DatabaseName(database), known)
