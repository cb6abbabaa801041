"""Run a lot: the part of a worker that every engine shares."""

import os
import socket
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from dbwarden import __version__, telemetry
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.config.loading import load_project
from dbwarden.config.project import Project
from dbwarden.config.threads import in_own_thread
from dbwarden.errors import DBWardenError, UnknownDatabase, UsageError
from dbwarden.fleet.documents import Json, plain
from dbwarden.fleet.gates import gate_of
from dbwarden.fleet.running import Outcome, Stop, Task, run_tasks
from dbwarden.fleet.workers.lots import Member, Order, read_order
from dbwarden.fleet.workers.operations import bind
from dbwarden.fleet.workers.wire import write_error, write_outcome
from dbwarden.secrets import describe_error
from dbwarden.types import DatabaseName

Send = Callable[[Json], None]
"""Sends a message to the run: ``{"outcome": ...}``, ``{"event": ...}`` or ``{"refused": ...}``."""


async def run_lot(document: Json, send: Send, stop: Stop) -> None:
    """Run the lot in *document*, and *send* each outcome and each event as it comes."""
    try:
        order = read_order(document)
        tasks = await _prepare(order)
    except DBWardenError as error:
        send({"refused": write_error(error)})
        return
    except Exception as error:  # such as an operation whose module fails
        send({"refused": write_error(DBWardenError(f"unexpected {describe_error(error)}"))})
        return
    sent: set[str] = set()

    def send_outcome(outcome: Outcome[object]) -> None:
        sent.add(outcome.database)
        send({"outcome": write_outcome(outcome)})

    who = f"{socket.gethostname()}:{os.getpid()}"
    bound = telemetry.bound(run=order.run, worker=who)
    with bound, telemetry.listening(partial(_forward, send, order)):
        outcomes = await run_tasks(tasks, order.limits, stop=stop, receive=send_outcome)
    for outcome in outcomes:
        if outcome.database not in sent:
            send_outcome(outcome)


def _forward(send: Send, order: Order, event: telemetry.Event) -> None:
    # The run reports outcomes itself, because it knows which lot is the last of a database.
    if event.name == "outcome" or telemetry.LEVELS[event.level] < telemetry.LEVELS[order.level]:
        return
    if order.routine or not event.is_routine:
        send({"event": {"name": event.name, "level": event.level, "fields": plain(event.fields)}})


async def _prepare(order: Order) -> tuple[Task[object], ...]:
    """Return the tasks of *order*.

    Raises:
        UsageError: This worker has another version, or lacks the project, a database or the
            operation.
    """
    if order.version != __version__:
        raise UsageError(
            f"the worker has dbwarden {__version__}, but the run needs {order.version}",
            next_step=f"Install dbwarden=={order.version} where the workers run.",
        )
    project = await in_own_thread(partial(load_project, order.project))
    operation = await in_own_thread(partial(bind, order.work))
    tasks = []
    for member in order.databases:
        config = _configure(project, member)
        gate = gate_of(order.work.requires, partial(_required, project, member))
        tasks.append(Task(key=member.name, config=config, operation=operation, gate=gate))
    return tuple(tasks)


def _configure(project: Project, member: Member) -> DatabaseConfig:
    try:
        # The tenant is listed where the run was started, so its list is not read again.
        config = project.database(member.name, unlisted=True)
    except UnknownDatabase:
        config = project.author(member.name)
    return replace(config.for_dev() if member.dev else config, timeout=member.timeout)


def _required(project: Project, member: Member, name: DatabaseName) -> DatabaseConfig:
    return _configure(project, replace(member, name=name))
