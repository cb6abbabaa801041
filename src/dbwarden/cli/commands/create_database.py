"""``create-database``: the databases that were created and migrated."""

from functools import partial

from dbwarden.cli.options import FleetOptions
from dbwarden.cli.run import Again, ResultTable, ok_cell, report, run
from dbwarden.cli.selection import Which, select
from dbwarden.cli.style import Cell
from dbwarden.operations.create_database import CreateDatabaseResult
from dbwarden.operations.create_database import create_database as create_one


async def create_database(
    *,
    template: str | None = None,
    owner: str | None = None,
    encoding: str | None = None,
    if_not_exists: bool = False,
    no_migrate: bool = False,
    options: FleetOptions = FleetOptions(),
) -> int:
    """Create a missing database and migrate it.

    Also creates the database of a new tenant, which does not have to be listed
    yet.

    For example:
        dbwarden create-database -d analytics
        dbwarden create-database -d 'tenant_*' --if-not-exists

    Parameters
    ----------
    template
        A database of the same server to copy (PostgreSQL).
    owner
        The owner of the database (PostgreSQL).
    encoding
        The encoding, if it differs from the server's (PostgreSQL).
    if_not_exists
        Migrate a database that exists already, instead of failing.
    no_migrate
        Do not migrate the database.
    """
    new = {"template": template, "owner": owner, "encoding": encoding}
    operation = partial(create_one, if_not_exists=if_not_exists, migrate=not no_migrate, **new)
    selection = await select(options, Which.WRITABLE, unlisted=True)
    outcomes = await run(operation, selection)
    again: Again = {"if_not_exists": True, "no_migrate": no_migrate, **new}
    view = ResultTable(("", "version", "applied"), _create_cells)
    return await report("create-database", outcomes, selection, view, again=again)


def _create_cells(result: CreateDatabaseResult) -> tuple[Cell, ...]:
    word = ok_cell("created" if result.created else "already exists")
    if result.migrated is None:
        return (word, "", "")
    applied = len(result.migrated.applied)
    return (word, result.migrated.version or "none", str(applied) if applied else "")
