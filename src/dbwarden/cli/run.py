"""Run an operation on the selected databases, report it, and choose the exit code."""

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

import anyio
import anyio.to_thread

from dbwarden import fleet
from dbwarden.cli import output, streams
from dbwarden.cli.documents import fleet_document
from dbwarden.cli.exits import Exit, exit_code
from dbwarden.cli.options import FleetOptions
from dbwarden.cli.progress import show_progress
from dbwarden.cli.selection import Selection
from dbwarden.cli.style import GREEN, RED, YELLOW, Cell, duration
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import UsageError
from dbwarden.fleet import Outcome, OutcomeState

T = TypeVar("T")
Outcomes = Sequence[Outcome[Any]]
Again = Mapping[str, str | int | bool | None]
"""The options with which a command is repeated, by the names of its parameters."""

AT_ONCE_IN_SCRATCH = 4
"""Databases at the same time, each of which may start a scratch server."""


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


async def note_unknown_models(configs: Sequence[DatabaseConfig]) -> None:
    """Warn about ``model_paths`` that name no module, without importing them.

    It is only a warning because these commands do not need the models.
    """
    from dbwarden.authoring.collect.modules import unknown_paths

    different = {config.model_paths: config for config in configs if config.model_paths}
    for config in different.values():
        for sentence in await anyio.to_thread.run_sync(unknown_paths, config):
            output.note(f"warning: {config.files_of}: {sentence}")


async def run(
    operation: fleet.Operation[T],
    selection: Selection,
    *,
    at_once: int = fleet.CONCURRENCY,
    asks: bool = False,
) -> tuple[Outcome[T], ...]:
    """Run *operation* on the selected databases, and show progress.

    *at_once* is the default of ``--concurrency``. If the operation *asks* the user, one database
    follows the other.
    """
    limits = limits_of(selection.options, at_once)
    shown = show_progress(selection.databases, enabled=not selection.options.json, asks=asks)
    with shown, handle_interrupt() as stop:
        return await fleet.run(
            operation,
            selection.databases,
            concurrency=1 if asks else limits.concurrency,
            per_server=limits.per_server,
            max_failures=limits.max_failures,
            stop=stop,
            workers=selection.options.workers,
        )


def limits_of(options: FleetOptions, at_once: int = fleet.CONCURRENCY) -> fleet.Limits:
    """Return the limits of the run; *at_once* is the default of ``--concurrency``.

    Raises:
        UsageError: A limit is below 1.
    """
    for name in ("concurrency", "per_server", "max_failures"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise UsageError(f"--{name.replace('_', '-')} takes a number of at least 1")
    return fleet.Limits(
        concurrency=options.concurrency or at_once,
        per_server=options.per_server,
        max_failures=1 if options.fail_fast else options.max_failures,
    )


def results_of(outcomes: Sequence[Outcome[T]]) -> tuple[T, ...]:
    """Return the results of the databases that have one."""
    return tuple(outcome.result for outcome in outcomes if outcome.result is not None)


@dataclass(frozen=True, slots=True)
class ResultTable:
    """Results as a table: the headers, and the cells of one result."""

    headers: Sequence[str]
    cells: Callable[[Any], tuple[Cell, ...]]

    def show(self, outcomes: Outcomes) -> None:
        """Print a row for each outcome."""
        rows = []
        for outcome in outcomes:
            if outcome.succeeded:
                cells = self.cells(outcome.result)
            else:
                colour = YELLOW if outcome.state is OutcomeState.NOT_STARTED else RED
                state = outcome.state.value.replace("_", " ")
                cells = ((state, colour), *[""] * (len(self.headers) - 1))
            rows.append((outcome.database, *cells, duration(outcome.duration_ms)))
        output.say_table(("database", *self.headers, "time"), rows)


@dataclass(frozen=True, slots=True)
class Texts:
    """Results that are printed one after the other.

    *flat* repeats the fields of the results in the JSON document; see :func:`fleet_document`.
    """

    print: Callable[[Any], None]
    flat: bool = False

    def show(self, outcomes: Outcomes) -> None:
        """Print the result of each database that has one."""
        for outcome in outcomes:
            if outcome.succeeded:
                self.print(outcome.result)


class ResultView(Protocol):
    """A form of the results on a terminal."""

    def show(self, outcomes: Outcomes) -> None:
        """Print the results of *outcomes*."""
        ...


async def report(
    command: str,
    outcomes: Outcomes,
    selection: Selection,
    view: ResultView,
    *,
    again: Again | None = None,
    code: Exit | None = None,
) -> Exit:
    """Print all outcomes, with *view* followed by errors or as JSON, and return the exit code.

    *again* are the options to repeat the command for the remaining databases; ``None`` prints no
    such command. *code* overrides the exit code of the outcomes.
    """
    options = selection.options
    code = exit_code(outcomes) if code is None else code
    interrupt = current_interrupt.get()
    if interrupt is not None and interrupt.signal is not None:
        code = Exit(128 + interrupt.signal)
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    for outcome in outcomes if len(outcomes) > 1 else ():
        if outcome.error is not None:  # an error of the command's use has no name
            outcome.error.database = outcome.error.database or outcome.database
    flat = isinstance(view, Texts) and view.flat
    document = partial(fleet_document, command, outcomes, code, flat=flat)
    if options.report is not None:
        try:
            await anyio.to_thread.run_sync(output.write_json, options.report, document())
        except UsageError as error:  # the run itself is done, and reported below
            output.note_errors([error])
            code = code or Exit.FAILED
    if options.json:
        output.say_json({**document(), "exit_code": code})
        return code
    view.show(outcomes)
    if not outcomes:
        output.note(f"There is no database {'in this share' if options.shard else 'to work on'}.")
    streams.results().flush()
    output.note_errors(errors)
    if again is not None:
        _note_rest(command, outcomes, options, again)
    return code


MOST_NAMES = 20
"""The number of databases named individually in a command to copy."""


def _note_rest(command: str, outcomes: Outcomes, options: FleetOptions, again: Again) -> None:
    """Print how many databases are done, and the command for the others."""
    rest = [outcome.database for outcome in outcomes if not outcome.succeeded]
    if not rest or len(outcomes) < 2:
        return
    names: Sequence[str] = rest
    chosen: Again = {}
    if len(rest) > MOST_NAMES:
        names, chosen = options.database, {"all": options.all, "shard": options.shard}
    words = ["dbwarden", command, *(word for name in names for word in ("-d", name))]
    config = None if options.config is None else str(options.config)
    for name, value in {**chosen, "config": config, "dev": options.dev, **again}.items():
        if value is not None and value is not False:
            words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    output.note(
        "",
        f"{len(outcomes) - len(rest)} of {len(outcomes)} databases done. For the rest:",
        f"  {shlex.join(words)}",
    )


def print_planned(outcomes: Outcomes) -> None:
    """Print the SQL of a dry run, in order."""
    for result in results_of(outcomes):
        for item in result.planned:
            title = f"-- {result.database} {item.key}: {item.description} ({item.path})"
            output.say(title, item.sql, "")


def ok_cell(text: str) -> Cell:
    """Return a green cell."""
    return (text, GREEN)


def bad_cell(text: str) -> Cell:
    """Return a red cell."""
    return (text, RED)


def warn_cell(text: str) -> Cell:
    """Return a yellow cell."""
    return (text, YELLOW)
