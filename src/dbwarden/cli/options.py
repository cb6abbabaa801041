"""The options that every command which touches databases shares."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from dbwarden import fleet
from dbwarden.errors import UsageError

WHICH = Group("Which databases", sort_key=1)
HOW = Group("How", sort_key=2)
OUTPUT = Group("Output", sort_key=3)

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["console", "json"]
FORMAT_VARIABLE = "DBWARDEN_LOG_FORMAT"


def _flag(name: str | tuple[str, ...], group: Group, negative: str = "") -> Parameter:
    return Parameter(name=name, group=group, negative=negative, show_default=False)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Project:
    """Where the configuration is and how to talk about it."""

    config: Annotated[Path | None, Parameter(name=("--config",), group=HOW, show_default=False)] = (
        None
    )
    "The configuration file, instead of the one that is found."
    json: Annotated[bool, _flag("--json", OUTPUT)] = False
    "One JSON document on stdout; logs go to stderr."
    log_level: Annotated[
        LogLevel | None, Parameter(name="--log-level", group=OUTPUT, show_default=False)
    ] = None
    "Log to stderr from this level on; without it and --log-format nothing is logged."
    log_format: Annotated[
        LogFormat | None,
        Parameter(name="--log-format", group=OUTPUT, show_default=False),
    ] = None
    "Lines for a person or for a program; choosing one logs from info on."

    def logging(self) -> tuple[LogFormat | None, LogLevel | None]:
        """The format and level that options and environment ask for."""
        asked = self.log_format or _format_of_environment()
        return asked, self.log_level or ("info" if asked else None)


def _format_of_environment() -> LogFormat | None:
    """What the environment says where no option does.

    Raises:
        UsageError: It names no such format.
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
                next_step="Set it to one of them, unset it, or give --log-format, which counts "
                "instead.",
            )


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Target(Project):
    """Which databases, and the limits of one run."""

    database: Annotated[
        tuple[str, ...],
        Parameter(name=("--database", "-d"), group=WHICH, negative="", show_default=False),
    ] = ()
    "A database by name, or several by a pattern such as 'tenant_*'; may be repeated."
    all: Annotated[bool, _flag("--all", WHICH)] = False
    "Every configured database."
    dev: Annotated[bool, _flag("--dev", WHICH)] = False
    "The development database of each (dev_database_url)."
    timeout: Annotated[float | None, Parameter(name="--timeout", group=HOW, show_default=False)] = (
        None
    )
    "Seconds for each database, 0 for no limit; its own timeout when left out."
    concurrency: Annotated[int, Parameter(name="--concurrency", group=HOW)] = fleet.CONCURRENCY
    "How many databases at the same time."
    per_server: Annotated[int, Parameter(name="--per-server", group=HOW)] = fleet.PER_SERVER
    "How many databases at the same time on one host and port."
    fail_fast: Annotated[bool | None, _flag("--fail-fast", HOW, negative="--keep-going")] = None
    "Stop everything at the first failure, or go on with the others (the default)."
    max_failures: Annotated[
        int | None, Parameter(name="--max-failures", group=HOW, show_default=False)
    ] = None
    "Stop everything when so many databases have failed."
    shard: Annotated[str | None, Parameter(name="--shard", group=WHICH, show_default=False)] = None
    "Only share I of N of these databases, as in 2/8; a database's share depends on its name alone."
    report: Annotated[Path | None, Parameter(name="--report", group=OUTPUT, show_default=False)] = (
        None
    )
    "Write what became of every database to this file, as JSON."


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class AuthoringOptions(Project):
    """Which database to author for; these commands work on one after the other."""

    database: Annotated[
        tuple[str, ...],
        Parameter(name=("--database", "-d"), group=WHICH, negative="", show_default=False),
    ] = ()
    "A database by name or pattern; the default one when left out. May be repeated."
    all: Annotated[bool, _flag("--all", WHICH)] = False
    "Every configured database that is no replica."
    timeout: Annotated[float | None, Parameter(name="--timeout", group=HOW, show_default=False)] = (
        None
    )
    "Seconds for each database, 0 for no limit; its own timeout when left out."


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class LiveOptions(AuthoringOptions):
    """The same for commands that look at a live database, or can."""

    dev: Annotated[bool, _flag("--dev", WHICH)] = False
    "The development database (dev_database_url) is the live one."

    def refuse_idle_dev(self, *, live: bool, flag: str) -> None:
        """Raise where ``--dev`` says something about a live database that nobody asks.

        Raises:
            UsageError: It does.
        """
        if self.dev and not live:
            raise UsageError(
                "--dev says which live database is meant, but no live database is asked",
                next_step=f"Say {flag} too, or leave --dev out.",
            )
