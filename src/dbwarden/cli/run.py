"""Run an operation on the selected databases, report it, and choose the exit code."""

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
from dbwarden.cli.progress import show_progress
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
class Interrupt:
    """The user's first interrupt.

    A fleet run listens to ``event``: it stops its tasks and reports. Everything else is cancelled.
    """

    event: anyio.Event
    listeners: int = 0
    signal: int | None = None


current_interrupt: ContextVar[Interrupt | None] = ContextVar("dbwarden_halt", default=None)


@contextmanager
def handle_interrupt() -> Iterator[anyio.Event | None]:
    """Yield the event of an interrupt to a run that stops and reports when it is set."""
    interrupt = current_interrupt.get()
    if interrupt is None:
        yield None
        return
    interrupt.listeners += 1
    try:
        yield interrupt.event
    finally:
        interrupt.listeners -= 1


def final_exit_code(code: Exit) -> Exit:
    """Return the exit code of the process: that of a signal, else *code*."""
    interrupt = current_interrupt.get()
    if interrupt is None or interrupt.signal is None:
        return code
    return Exit(128 + interrupt.signal)


async def load_project(options: Project) -> loading.Project:
    """Load the project that the options name, or the discovered one.

    Raises:
        UsageError: The report of this run could not be written.
    """
    if isinstance(options, Target) and options.report is not None:
        await anyio.to_thread.run_sync(output.check_place, options.report)
    return await in_own_thread(partial(loading.load_project, options.config))


async def select_databases(target: Target, *, unlisted: bool = False) -> tuple[DatabaseConfig, ...]:
    """Return the databases that the options name, in configured order.

    *unlisted* also accepts a tenant that is not listed yet.

    Raises:
        UnknownDatabase: A name or pattern matches no database.
        UsageError: ``--all`` with ``-d``.
    """
    if target.all and target.database:
        raise UsageError("--all and -d exclude each other", next_step="Give one of them.")
    project = await load_project(target)
    if target.all or target.database:
        # The name of an unlisted tenant suffices; the list of tenants is not queried.
        listed = [name for name in target.database if not unlisted or is_glob(name)]
        await project.expand(listed, all_databases=target.all)
        configs = project.select(target.database, all_databases=target.all, unlisted=unlisted)
    else:
        configs = (project.default,)
    return limit_to_shard(configs, target)


def limit_to_shard(configs: Sequence[DatabaseConfig], target: Target) -> tuple[DatabaseConfig, ...]:
    """Return the ``--shard`` of *configs*, each with ``--dev`` and ``--timeout`` applied."""
    if target.shard is not None:
        configs = fleet.Shard.parse(target.shard).of(configs)
    return tuple(_adjusted(config, target) for config in configs)


async def select_migrated(target: Target, *, unlisted: bool = False) -> tuple[DatabaseConfig, ...]:
    """Return the databases that the options name, without replicas.

    *unlisted* also accepts a tenant that is not listed yet.

    Raises:
        UsageError: A replica is named. ``--all`` and patterns exclude replicas.
    """
    configs = await select_databases(target, unlisted=unlisted)
    named = [config for config in configs if config.database_name in target.database]
    for config in named:
        if config.replica_of is not None:
            raise UsageError(
                f"it is a replica of {config.replica_of}, which is migrated instead",
                database=config.database_name,
                next_step=f"Use -d {config.replica_of}.",
            )
    return tuple(config for config in configs if config.replica_of is None)


async def note_unknown_models(configs: Sequence[DatabaseConfig]) -> None:
    """Warn about ``model_paths`` that name no module, without importing them.

    It is only a warning because these commands do not need the models.
    """
    from dbwarden.authoring.collect.modules import unknown_paths

    different = {config.model_paths: config for config in configs if config.model_paths}
    for config in different.values():
        for sentence in await anyio.to_thread.run_sync(unknown_paths, config):
            output.note(f"warning: {config.files_of}: {sentence}")


async def select_requirable(target: Target) -> tuple[DatabaseConfig, ...]:
    """Return every database that a ``-- requires:`` of this run may name.

    Tenants that the run does not select are excluded, because migrating the database that holds
    the list of tenants must not need that list.
    """
    every = (await load_project(target)).databases
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
    """Run *operation* on *databases* within the limits of the options, and show progress."""
    limits = limits_of(target)
    with show_progress(databases, enabled=not target.json), handle_interrupt() as stop:
        return await fleet.run(
            operation,
            databases,
            concurrency=limits.concurrency,
            per_server=limits.per_server,
            max_failures=limits.max_failures,
            stop=stop,
        )


def limits_of(target: Target) -> fleet.Limits:
    """Return the limits of the run.

    Raises:
        UsageError: A limit is below 1.
    """
    _check_options(target)
    return fleet.Limits(
        concurrency=target.concurrency,
        per_server=target.per_server,
        max_failures=1 if target.fail_fast else target.max_failures,
    )


def _check_options(target: Target) -> None:
    for name in ("concurrency", "per_server", "max_failures"):
        value = getattr(target, name)
        if value is not None and value < 1:
            raise UsageError(f"--{name.replace('_', '-')} takes a number of at least 1")


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
    """Print all outcomes, as a table followed by errors or as JSON, and return the exit code.

    *again* are the options to repeat the command for the remaining databases; ``None`` prints no
    such command. *code* overrides the exit code of the outcomes.
    """
    code = final_exit_code(exit_code(outcomes) if code is None else code)
    if target.report is not None:
        document = fleet_document(command, outcomes, code)
        try:
            await anyio.to_thread.run_sync(output.write_json, target.report, document)
        except UsageError as error:  # the run itself is done, and reported below
            output.note_errors([error])
            code = code or Exit.FAILED
    if target.json:
        output.say_json(fleet_document(command, outcomes, code))
        return code
    rows = [(o.database, *_cells(o, len(headers), row), duration(o.duration_ms)) for o in outcomes]
    output.say_table(("database", *headers, "time"), rows)
    if not rows:
        output.note(f"There is no database {'in this share' if target.shard else 'to work on'}.")
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
"""The number of databases named individually in a command to copy."""


def _note_rest(
    command: str, outcomes: Sequence[Outcome[Any]], target: Target, again: Sequence[str]
) -> None:
    """Print how many databases are done, and the command for the others."""
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


def ok_cell(text: str) -> Cell:
    """Return a green cell."""
    return (text, GREEN)


def bad_cell(text: str) -> Cell:
    """Return a red cell."""
    return (text, RED)


def warn_cell(text: str) -> Cell:
    """Return a yellow cell."""
    return (text, YELLOW)
