"""Run an operation on the databases that the options name, show it, and choose the exit code."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from dbwarden import fleet
from dbwarden.cli import output, streams
from dbwarden.cli.documents import fleet_document
from dbwarden.cli.exits import Exit, exit_code
from dbwarden.cli.options import Project, Target
from dbwarden.cli.progress import watching
from dbwarden.cli.style import GREEN, RED, YELLOW, Cell, duration
from dbwarden.config import loading
from dbwarden.config.model import DatabaseConfig
from dbwarden.config.project import is_glob
from dbwarden.config.threads import in_own_thread
from dbwarden.errors import UsageError
from dbwarden.fleet import Outcome, OutcomeState

T = TypeVar("T")
Row = Callable[[Any], tuple[Cell, ...]]


@dataclass(slots=True)
class Halt:
    """What the user's first interrupt does, and which signal it was.

    A run on a fleet heeds ``event``: it stops what runs, and reports. All else is cancelled.
    """

    event: anyio.Event
    heeding: int = 0
    signal: int | None = None


halt: ContextVar[Halt | None] = ContextVar("dbwarden_halt", default=None)


@contextmanager
def heeding() -> Iterator[anyio.Event | None]:
    """The event of an interrupt, for a run that ends and reports when it is set."""
    found = halt.get()
    if found is None:
        yield None
        return
    found.heeding += 1
    try:
        yield found.event
    finally:
        found.heeding -= 1


def final(code: Exit) -> Exit:
    """The exit code of the process when all that is left is to report: a signal's comes first."""
    found = halt.get()
    return code if found is None or found.signal is None else Exit(128 + found.signal)


async def project(options: Project) -> loading.Project:
    """The project that the options name, or the one that is found.

    Raises:
        UsageError: There could be no report of this run.
    """
    if isinstance(options, Target) and options.report is not None:
        await anyio.to_thread.run_sync(output.check_place, options.report)
    return await in_own_thread(partial(loading.load_project, options.config))


async def selected(target: Target, *, unlisted: bool = False) -> tuple[DatabaseConfig, ...]:
    """The databases that the options name, in configured order.

    *unlisted* takes a tenant, too, that is on no list yet.

    Raises:
        UnknownDatabase: A name or pattern that fits none.
        UsageError: ``--all`` beside ``-d``.
    """
    if target.all and target.database:
        raise UsageError("--all and -d exclude each other", next_step="Give one of them.")
    found = await project(target)
    if target.all or target.database:
        # An unlisted tenant goes by its name alone, so nobody has to be asked about it.
        asked = [name for name in target.database if not unlisted or is_glob(name)]
        await found.expand(asked, all_databases=target.all)
        configs = found.select(target.database, all_databases=target.all, unlisted=unlisted)
    else:
        configs = (found.default,)
    return narrowed(configs, target)


def narrowed(configs: Sequence[DatabaseConfig], target: Target) -> tuple[DatabaseConfig, ...]:
    """The share of *configs* that the options ask for, each as the options want it."""
    if target.shard is not None:
        configs = fleet.Shard.parse(target.shard).of(configs)
    return tuple(_adjusted(config, target) for config in configs)


async def own(target: Target, *, unlisted: bool = False) -> tuple[DatabaseConfig, ...]:
    """The databases that the options name and that have migrations of their own.

    *unlisted* takes a tenant, too, that is on no list yet.

    Raises:
        UsageError: A replica is named: it is never migrated. ``--all`` and patterns leave it out.
    """
    found = await selected(target, unlisted=unlisted)
    named = [config for config in found if config.database_name in target.database]
    for config in named:
        if config.replica_of is not None:
            raise UsageError(
                f"it is a replica of {config.replica_of}, and never migrated itself",
                database=config.database_name,
                next_step=f"Use -d {config.replica_of}.",
            )
    return tuple(config for config in found if config.replica_of is None)


async def note_unknown_models(configs: Sequence[DatabaseConfig]) -> None:
    """Warn of ``model_paths`` that lead to no module; imports none of them.

    A warning, because these commands do not need the models: they may be installed elsewhere.
    """
    from dbwarden.authoring.collect.modules import unknown_paths

    different = {config.model_paths: config for config in configs if config.model_paths}
    for config in different.values():
        for sentence in await anyio.to_thread.run_sync(unknown_paths, config):
            output.note(f"warning: {config.files_of}: {sentence}")


async def reachable(target: Target) -> tuple[DatabaseConfig, ...]:
    """Every database that a ``-- requires:`` of this run may name.

    Of the tenants those that the run asked for: to migrate the database that holds the list of
    tenants must not need that list.
    """
    every = (await project(target)).databases
    usable = [c for c in every if not target.dev or c.dev_database_url is not None]
    return tuple(_adjusted(config, target) for config in usable if config.replica_of is None)


def _adjusted(config: DatabaseConfig, target: Target) -> DatabaseConfig:
    if target.dev:
        config = config.for_dev()
    if target.timeout is None:
        return config
    if target.timeout < 0:
        raise UsageError("--timeout takes seconds, 0 or more")
    return replace(config, timeout=target.timeout or None)


async def on_fleet(
    operation: fleet.Operation[T],
    databases: Sequence[DatabaseConfig],
    target: Target,
) -> tuple[Outcome[T], ...]:
    """Run *operation* as the options say, with live progress on a terminal."""
    limits = limits_of(target)
    with watching(databases, enabled=not target.json), heeding() as stop:
        return await fleet.run(
            operation,
            databases,
            concurrency=limits.concurrency,
            per_server=limits.per_server,
            max_failures=limits.max_failures,
            stop=stop,
        )


def limits_of(target: Target) -> fleet.Limits:
    """How the options bound the run.

    Raises:
        UsageError: A limit below 1.
    """
    _refuse_nonsense(target)
    return fleet.Limits(
        concurrency=target.concurrency,
        per_server=target.per_server,
        max_failures=1 if target.fail_fast else target.max_failures,
    )


def _refuse_nonsense(target: Target) -> None:
    for name in ("concurrency", "per_server", "max_failures"):
        value = getattr(target, name)
        if value is not None and value < 1:
            raise UsageError(f"--{name.replace('_', '-')} takes a number from 1 on")


async def report(
    command: str,
    outcomes: Sequence[Outcome[Any]],
    target: Target,
    *,
    headers: Sequence[str],
    row: Row,
    again: Sequence[str] | None = None,
    code: Exit | None = None,
) -> Exit:
    """Show all outcomes, as a table with errors below it or as JSON, and return the exit code.

    *again* are the options with which the command is to be run for the databases that are not
    done; ``None`` for commands that nobody has to finish. *code* is the exit code where that of
    the outcomes is not meant.
    """
    code = final(exit_code(outcomes) if code is None else code)
    if target.report is not None:
        document = fleet_document(command, outcomes, code)
        try:
            await anyio.to_thread.run_sync(output.write_json, target.report, document)
        except UsageError as error:  # what was done is done, and said
            output.note_errors([error])
            code = code or Exit.FAILED
    if target.json:
        output.say_json(fleet_document(command, outcomes, code))
        return code
    rows = [(o.database, *_cells(o, len(headers), row), duration(o.duration_ms)) for o in outcomes]
    output.say_table(("database", *headers, "time"), rows)
    if not rows:
        where = "in this share" if target.shard else "that this could be for"
        output.note(f"There is no database {where}.")
    streams.results().flush()
    output.note_errors(outcome.error for outcome in outcomes if outcome.error is not None)
    if again is not None:
        _note_rest(command, outcomes, target, again)
    return code


def _cells(outcome: Outcome[Any], width: int, row: Row) -> tuple[Cell, ...]:
    if outcome.succeeded:
        return row(outcome.result)
    colour = YELLOW if outcome.state is OutcomeState.NOT_STARTED else RED
    first: Cell = (outcome.state.value.replace("_", " "), colour)
    return (first, *([""] * (width - 1)))


MOST_NAMES = 20
"""More databases than this are not listed one by one in a command to copy."""


def _note_rest(
    command: str, outcomes: Sequence[Outcome[Any]], target: Target, again: Sequence[str]
) -> None:
    """How many databases are done, and the command that does just the rest."""
    rest = [outcome.database for outcome in outcomes if not outcome.succeeded]
    if not rest or len(outcomes) < 2:
        return
    words = ["dbwarden", command]
    if len(rest) <= MOST_NAMES:
        words += [word for name in rest for word in ("-d", name)]
    elif target.all:
        words.append("--all")
    else:
        words += [word for name in target.database for word in ("-d", name)]
    if target.config is not None:
        words += ["--config", str(target.config)]
    if target.dev:
        words.append("--dev")
    output.note(
        "",
        f"{len(outcomes) - len(rest)} of {len(outcomes)} databases done. For the rest:",
        f"  {shlex.join([*words, *again])}",
    )


def good(text: str) -> Cell:
    """A cell that says all is well."""
    return (text, GREEN)


def bad(text: str) -> Cell:
    """A cell that says something is wrong."""
    return (text, RED)


def open_(text: str) -> Cell:
    """A cell that says something is to be done."""
    return (text, YELLOW)
