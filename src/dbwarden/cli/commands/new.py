"""``new``: the empty file that was written."""

from typing import Annotated

from cyclopts import Parameter

from dbwarden.cli import output
from dbwarden.cli.options import WHICH, CommandOptions, FleetOptions
from dbwarden.cli.selection import Which, select
from dbwarden.cli.style import relative
from dbwarden.errors import UsageError
from dbwarden.fleet.documents import plain
from dbwarden.operations.new import new as new_migration


async def new(
    *,
    message: Annotated[str, Parameter(name=("--message", "-m"))],
    database: Annotated[str | None, Parameter(name=("--database", "-d"), group=WHICH)] = None,
    options: CommandOptions = CommandOptions(),
) -> int:
    """Write an empty migration file.

    The file has the next number and sections for the SQL of the upgrade and the
    rollback.

    For example:
        dbwarden new -m "create users"
        dbwarden new -d analytics -m "count events"

    Parameters
    ----------
    message
        What the migration does, in a few words.
    database
        The database; default: the default database. Tenants share one name: tenant for
        tenant_{tenant_id}.
    """
    which = FleetOptions(config=options.config, database=(database,) if database else ())
    configs = (await select(which, Which.FILES)).databases
    if len(configs) != 1:
        names = ", ".join(config.database_name for config in configs)
        raise UsageError(
            f"a migration file is for one database, not for {names}",
            next_step=f"Name one: dbwarden new -d {configs[0].database_name}.",
        )
    result = await new_migration(configs[0], message=message)
    if options.json:
        output.say_json(plain(result))
    else:
        output.say(f"Wrote {relative(result.path)}")
    return 0
