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


def _flag(name: str | tuple[str, ...], group: Group, negative: str = "") -> Parameter:
    return Parameter(name=name, group=group, negative=negative, show_default=False)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Project:
    """Options of every command: the configuration file and the output."""

    config: Annotated[Path | None, Parameter(name=("--config",), group=HOW, show_default=False)] = (
        None
    )
    "The configuration file to use instead of the discovered one."
    json: Annotated[bool, _flag("--json", OUTPUT)] = False
    "One JSON document on stdout; logs go to stderr."
    log_level: Annotated[
        LogLevel | None, Parameter(name="--log-level", group=OUTPUT, show_default=False)
    ] = None
    "Log to stderr from this level on. Without it and --log-format, nothing is logged."
    log_format: Annotated[
        LogFormat | None,
        Parameter(name="--log-format", group=OUTPUT, show_default=False),
    ] = None
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
class Target(Project):
    """Options of commands on a fleet: its databases, and the limits of the run."""

    database: Annotated[
        tuple[str, ...],
        Parameter(name=("--database", "-d"), group=WHICH, negative="", show_default=False),
    ] = ()
    "A database by name, or several by a pattern such as 'tenant_*'; may be repeated."
    all: Annotated[bool, _flag("--all", WHICH)] = False
    "Every configured database."
    dev: Annotated[bool, _flag("--dev", WHICH)] = False
    "Use the development database of each (dev_database_url)."
    timeout: Annotated[float | None, Parameter(name="--timeout", group=HOW, show_default=False)] = (
        None
    )
    "Seconds for each database, 0 for no limit; default: the database's own timeout."
    concurrency: Annotated[int, Parameter(name="--concurrency", group=HOW)] = fleet.CONCURRENCY
    "Databases at the same time."
    per_server: Annotated[int, Parameter(name="--per-server", group=HOW)] = fleet.PER_SERVER
    "Databases at the same time on one host and port."
    fail_fast: Annotated[bool | None, _flag("--fail-fast", HOW, negative="--keep-going")] = None
    "Stop everything at the first failure, or continue with the others (the default)."
    max_failures: Annotated[
        int | None, Parameter(name="--max-failures", group=HOW, show_default=False)
    ] = None
    "Stop everything when this many databases have failed."
    shard: Annotated[str | None, Parameter(name="--shard", group=WHICH, show_default=False)] = None
    "Only share I of N of these databases, as in 2/8; a database's share depends only on its name."
    report: Annotated[Path | None, Parameter(name="--report", group=OUTPUT, show_default=False)] = (
        None
    )
    "Write the outcome of every database to this file, as JSON."


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class AuthoringOptions(Project):
    """Options of commands that write migrations, for one database after the other."""

    database: Annotated[
        tuple[str, ...],
        Parameter(name=("--database", "-d"), group=WHICH, negative="", show_default=False),
    ] = ()
    "A database by name or pattern; may be repeated. Default: the default database."
    all: Annotated[bool, _flag("--all", WHICH)] = False
    "Every configured database except replicas."
    timeout: Annotated[float | None, Parameter(name="--timeout", group=HOW, show_default=False)] = (
        None
    )
    "Seconds for each database, 0 for no limit; default: the database's own timeout."


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class LiveOptions(AuthoringOptions):
    """Options of authoring commands that can read a live database."""

    dev: Annotated[bool, _flag("--dev", WHICH)] = False
    "Use the development database (dev_database_url) as the live one."

    def refuse_idle_dev(self, *, live: bool, flag: str) -> None:
        """Refuse ``--dev`` where no live database is read.

        Raises:
            UsageError: ``--dev`` would have no effect.
        """
        if self.dev and not live:
            raise UsageError(
                "--dev selects a live database, but this command reads none",
                next_step=f"Add {flag}, or leave --dev out.",
            )
