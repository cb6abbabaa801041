"""``settings``: every setting of a database."""

from dbwarden.cli import output
from dbwarden.cli.commands.databases import document_of
from dbwarden.cli.options import FleetOptions
from dbwarden.cli.selection import select


async def settings(*, options: FleetOptions = FleetOptions()) -> int:
    """Show every setting of a database.

    Passwords are not shown.

    For example:
        dbwarden settings -d primary
    """
    configs = (await select(options)).databases
    if options.json:
        output.say_json({"databases": [document_of(config) for config in configs]})
        return 0
    for config in configs:
        output.say(str(config.database_name))
        rows = [(f"  {name}", _format_value(value)) for name, value in document_of(config).items()]
        output.say_table(("  setting", "value"), rows)
    return 0


def _format_value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value) or "-"
    return "-" if value is None else str(value)
