"""Options shared by the commands."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from dbwarden import fleet
from dbwarden.errors import UsageError

WHICH = Group("Databases", sort_key=1)
HOW = Group("Run", sort_key=2)
OUTPUT = Group("Output", sort_key=3)

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["console", "json"]
FORMAT_VARIABLE = "DBWARDEN_LOG_FORMAT"


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class CommandOptions:
    """Options of every command: the configuration file and the output."""

    config: Annotated[Path | None, Parameter(group=HOW)] = None
    "The configuration file to use instead of the discovered one."
    json: Annotated[bool, Parameter(group=OUTPUT)] = False
    "One JSON document on stdout; logs go to stderr."
    log_level: Annotated[LogLevel | None, Parameter(group=OUTPUT)] = None
    "Log to stderr from this level on. Without it and --log-format, nothing is logged."
    log_format: Annotated[LogFormat | None, Parameter(group=OUTPUT)] = None
    "Format of the log lines; enables logging from info on."

    def logging(self) -> tuple[LogFormat | None, LogLevel | None]:
        """Return the log format and level set by options and environment."""
        log_format = self.log_format or _format_of_environment()
        return log_format, self.log_level or ("info" if log_format else None)


def _format_of_environment() -> LogFormat | None:
    """Return the log format of the environment, if any.

    Raises:
        UsageError: The format is unknown.
    """
    match os.environ.get(FORMAT_VARIABLE, ""):
        case "":
            return None
        case "console":
            return "console"
        case "json":
            return "json"
        case other:
            raise UsageError(
                f"the environment variable {FORMAT_VARIABLE} is {other!r}; it must be one of "
                "'console', 'json'",
                next_step="Set it to one of them, unset it, or pass --log-format, which overrides "
                "it.",
            )


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class FleetOptions(CommandOptions):
    """Options of commands on databases: which ones, and the limits of the run."""

    database: Annotated[tuple[str, ...], Parameter(name=("--database", "-d"), group=WHICH)] = ()
    "A database by name, or several by a pattern such as 'tenant_*'; may be repeated."
    all: Annotated[bool, Parameter(group=WHICH)] = False
    "Every configured database."
    dev: Annotated[bool, Parameter(group=WHICH)] = False
    "Use the development database of each (dev_database_url)."
    timeout: Annotated[float | None, Parameter(group=HOW)] = None
    "Seconds for each database, 0 for no limit; default: the database's own timeout."
    concurrency: Annotated[int | None, Parameter(group=HOW)] = None
    "Databases at the same time; default: 128, or 4 for commands that use scratch databases."
    per_server: Annotated[int, Parameter(group=HOW, show_default=True)] = fleet.PER_SERVER
    "Databases at the same time on one host and port."
    fail_fast: Annotated[bool | None, Parameter(group=HOW, negative="--keep-going")] = None
    "Stop everything at the first failure, or continue with the others (the default)."
    max_failures: Annotated[int | None, Parameter(group=HOW)] = None
    "Stop everything when this many databases have failed."
    shard: Annotated[str | None, Parameter(group=WHICH)] = None
    "Only share I of N of these databases, as in 2/8; a database's share depends only on its name."
    workers: Annotated[str | None, Parameter(group=HOW)] = None
    "Spread the run over N processes of this machine, or over an engine: dask://HOST:PORT."
    report: Annotated[Path | None, Parameter(group=OUTPUT)] = None
    "Write the outcome of every database to this file, as JSON."
