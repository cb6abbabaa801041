"""The command that makes databases."""

from functools import partial
from typing import Annotated

from cyclopts import Parameter

from dbwarden.cli.options import Target
from dbwarden.cli.run import good, on_fleet, own, report
from dbwarden.cli.style import Cell
from dbwarden.operations.create_database import CreateDatabaseResult
from dbwarden.operations.create_database import create_database as create_one

Text = Annotated[str | None, Parameter(show_default=False)]


async def create_database(
    *,
    template: Text = None,
    owner: Text = None,
    encoding: Text = None,
    if_not_exists: Annotated[
        bool, Parameter(name="--if-not-exists", negative="", show_default=False)
    ] = False,
    no_migrate: Annotated[
        bool, Parameter(name="--no-migrate", negative="", show_default=False)
    ] = False,
    target: Target = Target(),  # noqa: B008
) -> int:
    """Make a database that does not exist yet, and migrate it; also for a new tenant.

    Parameters
    ----------
    template
        A database of the same server to copy (PostgreSQL).
    owner
        To whom it belongs (PostgreSQL).
    encoding
        Another encoding than the server's (PostgreSQL).
    if_not_exists
        A database that is there already is no error: it is only migrated.
    no_migrate
        Leave it empty.
    """
    operation = partial(
        create_one,
        template=template,
        owner=owner,
        encoding=encoding,
        if_not_exists=if_not_exists,
        migrate=not no_migrate,
    )
    outcomes = await on_fleet(operation, await own(target, unlisted=True), target)
    again = ["--if-not-exists", *(["--no-migrate"] if no_migrate else [])]
    for name, value in (("template", template), ("owner", owner), ("encoding", encoding)):
        again += [f"--{name}", value] if value is not None else []
    headers = ("", "version", "applied")
    return await report(
        "create-database", outcomes, target, headers=headers, row=_created, again=again
    )


def _created(result: CreateDatabaseResult) -> tuple[Cell, ...]:
    word = good("created" if result.created else "exists already")
    if result.migrated is None:
        return (word, "", "")
    applied = len(result.migrated.applied)
    return (word, result.migrated.version or "none", str(applied) if applied else "")
