"""``version``: the versions of dbwarden, Python and the drivers."""

import platform
import sys

import anyio.to_thread

from dbwarden import __version__
from dbwarden.cli import output
from dbwarden.cli.options import CommandOptions

DISTRIBUTIONS = ("SQLAlchemy", "asyncpg", "aiosqlite", "anyio", "fastapi", "cyclopts", "structlog")


async def version(*, options: CommandOptions = CommandOptions()) -> int:
    """Show the installed versions."""
    versions = await anyio.to_thread.run_sync(_versions)
    if options.json:
        output.say_json({**versions, "platform": sys.platform})
    else:
        output.say_table(("package", "version"), list(versions.items()))
    return 0


def _versions() -> dict[str, str]:
    from importlib import metadata

    versions = {"dbwarden": __version__, "Python": platform.python_version()}
    for name in DISTRIBUTIONS:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions
