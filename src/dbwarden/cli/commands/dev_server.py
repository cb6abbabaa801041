"""``dev-server``: the state of the project's PostgreSQL for development."""

from typing import Literal

from dbwarden.cli import output
from dbwarden.cli.exits import Exit
from dbwarden.cli.options import CommandOptions
from dbwarden.cli.selection import load_project
from dbwarden.fleet.documents import plain
from dbwarden.operations.dev_server import (
    dev_server_start,
    dev_server_status,
    dev_server_stop,
    require_embedded,
)


async def dev_server(
    action: Literal["start", "stop", "status"],
    /,
    *,
    remove: bool = False,
    options: CommandOptions = CommandOptions(),
) -> int:
    """Run a PostgreSQL for development.

    Runs PostgreSQL without Docker, for databases with
    dev_database_url="embedded". Its files stay in .dbwarden/ until stop
    --remove.

    For example:
        dbwarden dev-server start
        dbwarden dev-server stop --remove

    Parameters
    ----------
    action
        start, stop or status.
    remove
        With stop, delete its databases too.
    """
    project = await load_project(options)
    require_embedded(project.databases)
    match action:
        case "start":
            server = await dev_server_start(project.root, project.databases)
        case "stop":
            server = await dev_server_stop(project.root, remove=remove)
        case "status":
            server = await dev_server_status(project.root, project.databases)
    code = Exit.FOUND if action == "status" and not server.running else Exit.DONE
    if options.json:
        output.say_json({"command": "dev-server", "exit_code": int(code), **plain(server)})
    else:
        stopped = "has stopped, and its databases are deleted" if remove else "has stopped"
        idle = stopped if action == "stop" else "is not running"
        output.say(f"The development server {'is running' if server.running else idle}.")
        output.say(*(f"  {url}" for url in server.urls))
    return code
